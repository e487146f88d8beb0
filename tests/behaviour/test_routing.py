"""Where mail goes, with a real name server and real mail servers: preference, hosts with dead addresses, dead names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.loopback


@pytest.fixture
def empty(world_in: Callable[[Path], Any], tmp_path: Path) -> Iterator[Any]:
    made = world_in(tmp_path)
    try:
        yield made
    finally:
        made.close()


def servers_of(world: Any, domain: str) -> Counter[str]:
    return Counter(one["ip"] for one in world.server.received() if one["to"].endswith("@" + domain))


def test_a_worse_mx_host_gets_nothing_while_the_better_one_only_waits_for_its_pace(empty: Any) -> None:
    """The better hosts of two sites are one address, which takes so many connections a minute from both."""
    shared, worse = "127.0.2.1", "127.0.2.2"
    hosts = {"a1.test": shared, "b1.test": shared, "b2.test": worse}
    empty.start_names({"aa.test": ["a1.test"], "bb.test": ["b1.test", "b2.test"]}, hosts)
    empty.start_mail([shared, worse])
    empty.settings(shaping={"default": {"connection_rate": "100/m"}})
    campaign = empty.campaign("spring", [f"u{n}@{domain}" for n in range(300) for domain in ("aa.test", "bb.test")])

    ended = empty.run("-c", "spring")

    assert ended.status == 0, ended.said
    assert campaign.statuses() == {"delivered": 600}
    assert servers_of(empty, "aa.test") == servers_of(empty, "bb.test") == {shared: 300}


def test_a_host_with_nine_addresses_is_reached_at_the_one_that_answers(empty: Any) -> None:
    """dnsmasq gives them in turn; eight refuse the connection."""
    empty.start_names({"aa.test": ["a1.test"]}, {})
    addresses = [f"127.0.2.{n}" for n in range(1, 10)]
    with (empty.folder / "dnsmasq.conf").open("a") as conf:
        conf.writelines(f"host-record=a1.test,{address}\n" for address in addresses)
    empty.names_refuse(False)  # it reads its file anew
    empty.start_mail(addresses[-1:])
    empty.settings()
    campaign = empty.campaign("spring", ["user-0@aa.test"])

    ended = empty.run("-c", "spring")

    assert ended.status == 0, ended.said
    assert campaign.statuses() == {"delivered": 1}
    assert int(campaign.rows()[0]["attempts"]) <= 3


def test_ten_mx_names_that_do_not_exist_do_not_hide_the_eleventh_and_alone_are_a_bad_domain(empty: Any) -> None:
    gone = [f"gone{n}.test" for n in range(10)]
    empty.start_names({"aa.test": [*gone, "a1.test"], "bb.test": gone}, {"a1.test": "127.0.2.1"})
    empty.start_mail(["127.0.2.1"])
    empty.settings()
    campaign = empty.campaign("spring", ["user-0@aa.test", "user-1@bb.test"])

    ended = empty.run("-c", "spring")

    assert ended.status == 0, ended.said
    reached, dead = campaign.rows()
    assert (reached["status"], reached["mx_ip"]) == ("delivered", "127.0.2.1")
    assert (dead["status"], dead["category"], dead["attempts"]) == ("bounced", "bad-domain", "1")
    assert dead["reply"].startswith("5.4.4 no MX host of bb.test exists: gone0.test does not exist; ")


def test_a_route_takes_the_mail_of_its_domains_to_a_relay_and_others_go_to_their_mx_hosts(empty: Any) -> None:
    empty.start_names({"aa.test": ["a1.test"], "bb.test": ["a1.test"]}, {"a1.test": "127.0.2.1"})
    relay = empty.start_mail(["127.0.2.9"])
    straight = empty.start_mail(["127.0.2.1"])
    route = {
        "name": "partner",
        "domains": ["bb.test"],
        "relay": {"host": "127.0.2.9", "port": relay.port, "tls": "off", "connections": 1},
    }
    empty.settings(routing={"allow_networks": ["127.0.0.0/8"], "routes": [route]})
    campaign = empty.campaign("spring", ["u1@aa.test", "u2@bb.test", "u3@bb.test"])

    ended = empty.run("-c", "spring")

    assert ended.status == 0, ended.said
    assert campaign.statuses() == {"delivered": 3}
    assert sorted(one["to"] for one in relay.received()) == ["u2@bb.test", "u3@bb.test"]
    assert [one["to"] for one in straight.received()] == ["u1@aa.test"]
    assert campaign.summary()["by_provider"]["partner"] == {"delivered": 2}
