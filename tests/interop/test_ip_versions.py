"""Mail over IPv6 and IPv4 through a cable between two network namespaces, with addresses of which some lead nowhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.loopback

NET_SIX, NET_FOUR = "2001:db8:1::", "198.51.100."
DEAD_SIX = "2001:db8:dead::"  # behind the other end, which drops what it does not know


@pytest.fixture
def wired(world_in: Callable[[Path], Any], tmp_path: Path, cable: Any) -> Iterator[Callable[..., Any]]:
    """``wired(hosts, listening)``: a world whose receivers are at the other end of a cable.

    ``hosts``: domain -> the addresses of its one MX host; ``listening``: those at which there is a receiver.
    """
    world = world_in(tmp_path)
    world.fresh = True  # what is forked is in the namespace that it is forked from

    def made(hosts: dict[str, list[str]], listening: list[str]) -> Any:
        gateways = [f"{NET_SIX}ff", f"{NET_FOUR}254"]
        there = [f"{ip}/{64 if ':' in ip else 24}" for ip in [*gateways, *listening]]
        cable.lay([f"{NET_SIX}1/64", f"{NET_FOUR}1/24"], there, gateways=gateways)
        world.start_names({domain: [f"mx.{domain}"] for domain in hosts}, {})
        with (world.folder / "dnsmasq.conf").open("a") as conf:
            conf.writelines(f"host-record=mx.{name},{ip}\n" for name, ips in hosts.items() for ip in ips)
        world.names_refuse(False)  # it reads its file anew
        with cable.there():
            world.start_mail(listening)
        return world

    yield made
    world.close()


def sent(world: Any, mode: str, domains: list[str]) -> dict[str, dict[str, str]]:
    world.settings(routing={"allow_networks": ["2001:db8::/32"], "ip": mode})
    campaign = world.campaign("spring", [f"user-{n}@{domain}" for n, domain in enumerate(domains)])
    ended = world.run("-c", "spring")
    assert ended.status == 0, ended.said
    return {row["email"].partition("@")[2]: row for row in campaign.rows()}


def test_each_domain_is_reached_over_a_version_that_works_and_an_ipv6_that_leads_nowhere_costs_no_attempt(
    wired: Any,
) -> None:
    four, six = f"{NET_FOUR}25", f"{NET_SIX}25"
    dead = {f"d{n}.test": [f"{DEAD_SIX}{n}", four] for n in range(1, 9)}
    alive = {"four.test": [four], "six.test": [six], "both.test": [four, six]}
    world = wired(dead | alive, [four, six])
    rows = sent(world, "prefer-v6", [*dead, *alive])
    assert {domain: (row["status"], row["mx_ip"], row["attempts"]) for domain, row in rows.items()} == {
        **dict.fromkeys(dead, ("delivered", four, "1")),
        "four.test": ("delivered", four, "1"),
        "six.test": ("delivered", six, "1"),
        "both.test": ("delivered", six, "1"),
    }
    assert {one["ip"] for one in world.server.received() if one["to"].endswith("six.test")} == {six}
