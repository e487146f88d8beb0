"""Sources on another machine: mail through a real HAProxy and a real SOCKS 5 server, each with its own address."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.ports import free_port

pytestmark = pytest.mark.interop

HAPROXY = """
defaults
    mode tcp
    timeout connect 10s
    timeout client 60s
    timeout server 60s
listen source-h
    bind 127.0.0.1:{port} accept-proxy
    source 127.0.3.2
    server receiver 0.0.0.0:0
"""


def listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 5):
        return True
    return False


def test_mail_through_proxies(world: Any, until: Any, tmp_path: Path, missing: Callable[[str], None]) -> None:
    haproxy, microsocks = shutil.which("haproxy", path="/usr/sbin:/usr/bin"), shutil.which("microsocks")
    if haproxy is None or microsocks is None:
        missing("haproxy and microsocks are not installed")
    ports = free_port(), free_port()
    (tmp_path / "haproxy.cfg").write_text(HAPROXY.format(port=ports[0]))
    for command in (
        [haproxy, "-db", "-f", str(tmp_path / "haproxy.cfg")],
        [microsocks, "-i", "127.0.0.1", "-p", str(ports[1]), "-b", "127.0.3.1"],
    ):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        world.on_end(process.wait)
        world.on_end(process.kill)
    sources = [
        {"name": "h", "address": "127.0.3.2", "proxy": f"haproxy://127.0.0.1:{ports[0]}", "hostname": "h.example.com"},
        {"name": "s", "address": "127.0.3.1", "proxy": f"socks5://127.0.0.1:{ports[1]}", "hostname": "s.example.com"},
    ]
    world.settings(sources=sources)
    campaign = world.campaign("spring", [f"u{n}@d{n % 20}.test" for n in range(20)])
    for port in ports:  # what finds no proxy rests, and the other source sends all
        until(lambda port=port: listens(port), "the proxy")

    ended = world.run("-c", "spring")

    assert ended.status == 0, ended.said
    received = world.server.received()
    assert {one["from"]: one["helo"] for one in received} == {
        "127.0.3.1": "s.example.com",
        "127.0.3.2": "h.example.com",
    }
    assert len(received) == 20
    by_email = {one["to"]: one["from"] for one in received}
    assert all(row["source_ip"] == by_email[row["email"]] for row in campaign.rows())


def test_a_machine_without_ipv6_sends_over_it_through_a_proxy_that_has_it(
    world_in: Callable[[Path], Any], tmp_path: Path, cable: Any, missing: Callable[[str], None]
) -> None:
    haproxy = shutil.which("haproxy", path="/usr/sbin:/usr/bin")
    if haproxy is None:
        missing("haproxy is not installed")
    proxy, four, six, own = "198.51.100.254", "198.51.100.25", "2001:db8:1::25", "2001:db8:1::77"
    world, port = world_in(tmp_path), free_port()
    world.fresh = True  # what is forked is in the namespace that it is forked from
    try:
        there = [f"{ip}/{64 if ':' in ip else 24}" for ip in (proxy, four, six, own)]
        cable.lay(["198.51.100.1/24"], there, gateways=[proxy])
        world.start_names({name: [f"mx.{name}"] for name in ("six.test", "both.test")}, {})
        with (world.folder / "dnsmasq.conf").open("a") as conf:
            conf.writelines(f"host-record=mx.{name}\n" for name in (f"six.test,{six}", f"both.test,{four},{six}"))
        world.names_refuse(False)  # it reads its file anew
        text = HAPROXY.replace("127.0.0.1", proxy).replace("127.0.3.2", f"[{own}]")
        (tmp_path / "haproxy.cfg").write_text(text.format(port=port))
        with cable.there():
            world.start_mail([four, six])
            words = [haproxy, "-db", "-f", str(tmp_path / "haproxy.cfg")]
            process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        world.on_end(process.wait)
        world.on_end(process.kill)
        sources = [{"name": "h", "address": own, "proxy": f"haproxy://{proxy}:{port}"}]
        world.settings(routing={"allow_networks": ["2001:db8::/32", "198.51.100.0/24"]}, sources=sources)
        campaign = world.campaign("spring", ["u1@six.test", "u2@both.test"])

        ended = world.run("-c", "spring")

        assert ended.status == 0, ended.said
        assert {(row["status"], row["mx_ip"], row["source_ip"]) for row in campaign.rows()} == {("delivered", six, own)}
        assert {one["from"] for one in world.server.received()} == {own}
    finally:
        world.close()
