"""Sources on another machine: mail through a real HAProxy and a real SOCKS 5 server, each with its own address."""

from __future__ import annotations

import shutil
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
