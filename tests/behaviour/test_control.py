"""A running service over its control socket, by the commands that people type."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socketserver
import stat
import threading
import time
from datetime import datetime
from typing import Any

import pytest

from bulkmail.control import Client, NotRunningError

pytestmark = pytest.mark.loopback


def addresses(count: int, kind: str = "user") -> list[str]:
    return [f"{kind}-{n}@d{n % 20}.test" for n in range(count)]


@pytest.fixture
def sending(world: Any, until: Any) -> Any:
    """A campaign of 240 rows at 20 a second, of which some have arrived; the service that sends it."""
    world.settings(shaping={"default": {"rate": "5/s"}})  # for each of four sites
    campaign = world.campaign("spring", addresses(240))
    running = world.start("-c", "spring")
    until(lambda: world.server.count() >= 5, "the first messages")
    return campaign, running


def test_a_service_is_asked_over_its_socket(world: Any, sending: Any, until: Any) -> None:
    _, running = sending
    path = world.folder / "spool" / "control.sock"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    client = Client(str(path.parent))
    assert client.get("health")["process"] == running.pid
    (found,) = client.get("campaigns")
    assert found["situation"]["word"] == "sending"
    assert until(lambda: client.get("campaigns", "spring")["rate"], "a rate")
    assert client.get("sites")
    assert client.get("explain", of="d0.test")["provider"] == ""
    assert client.get("recipients", email="user-0@d0.test")[0]["campaign"] == "spring"
    paced = world.bulkmail("pace", client.get("sites")[0]["key"], "1/m", "--for", "2h")
    assert paced.out.endswith("is sent to at 1/m at most for 2h; `bulkmail forget` ends that\n"), paced.said
    running.signal(signal.SIGTERM)
    assert running.wait().status == 3
    assert not path.exists()
    assert os.path.exists(path.parent)


class _Refuses(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        self.wfile.write(b"220 mx.test\r\n")
        for line in self.rfile:
            if line.startswith(b"EHLO"):
                self.wfile.write(b"250 mx.test\r\n")
            else:
                self.wfile.write(b"421 4.7.0 [TSS04] Messages from 192.0.2.9 temporarily deferred\r\n")
                return


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False  # for a session that the service has open


def test_who_asks_why_it_is_slow_is_told_the_reply_though_it_was_no_attempt(world: Any, until: Any) -> None:
    with _Server(("127.0.0.1", 0), _Refuses) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            world.start_names({"d0.test": ["mx.interop.test"]}, {"mx.interop.test": "127.0.0.1"})
            world.settings(smtp={"port": server.server_address[1]})
            world.campaign("spring", [f"user-{n}@d0.test" for n in range(50)])
            world.start("-c", "spring")
            told = until(lambda: "TSS04" in (said := world.bulkmail("explain", "d0.test").out) and said, "the reply")
        finally:
            server.shutdown()
    assert 'it said "421 4.7.0 [TSS04] Messages from 192.0.2.9 temporarily deferred"' in told
    assert "It has complained, so " in told


def test_a_pause_is_felt_within_a_second_and_a_resume_sends_the_rest_once(world: Any, sending: Any, until: Any) -> None:
    campaign, running = sending
    client = Client(str(world.folder / "spool"))
    paused = world.bulkmail("pause", "spring", "--reason", "wrong price", "--by", "ann")
    assert paused.out.startswith("spring: paused. Paused by ann since "), paused.said
    time.sleep(1.0)
    before = world.server.count()
    time.sleep(1.0)
    assert world.server.count() == before
    found = client.get("campaigns", "spring")["situation"]
    assert (found["word"], found["reason"]) == ("paused", "wrong price")
    until(lambda: campaign.summary()["paused"] == "wrong price", "summary.json to say so")
    assert campaign.summary()["situation"] == "paused"
    told = world.bulkmail("status", "spring")
    assert (told.status, told.out.splitlines()[0].partition(",")[0]) == (0, "spring: paused")
    assert world.bulkmail("resume", "spring").status == 0
    ended = running.wait()
    assert ended.status == 0, ended.said
    world.reconciled(campaign)
    assert campaign.statuses() == {"delivered": 240}


def test_a_cancel_settles_every_row_and_ends_the_service(world: Any, sending: Any) -> None:
    campaign, running = sending
    cancelled = world.bulkmail("cancel", "spring", "--reason", "too late")
    assert cancelled.status == 0, cancelled.said
    running.wait()
    campaign.check_report()
    statuses = campaign.statuses()
    assert set(statuses) == {"delivered", "cancelled"}
    assert statuses["delivered"] == world.server.count()
    summary = campaign.summary()
    assert (summary["situation"], summary["alive"]) == ("cancelled", None)
    told = world.bulkmail("status", "spring")
    assert (told.status, told.out.partition(",")[0]) == (0, "spring: cancelled")
    assert world.bulkmail("remove", "spring").status == 0
    assert "has no campaigns" in world.bulkmail("status").out


def test_after_kill_9_status_says_so_and_a_cancel_works_on_the_spool(world: Any, sending: Any, until: Any) -> None:
    campaign, running = sending
    until(lambda: (campaign.report / "summary.json").exists() and campaign.summary()["alive"], "summary.json")
    running.kill_group()
    told = world.bulkmail("status", "spring")
    assert told.status == 1
    assert told.out.startswith("spring: dead, 240 rows"), told.said
    assert "Nothing is sent: its process has ended without stopping it; it was last heard of at" in told.out
    (found,) = json.loads(world.bulkmail("status", "spring", "--json").out)
    assert (found["situation"]["word"], found["situation"]["alive"]) == ("dead", False)
    paused = world.bulkmail("pause", "spring")
    assert paused.out.endswith("No process is running.\n"), paused.said
    assert world.bulkmail("resume", "spring").status == 0
    cancelled = world.bulkmail("cancel", "spring")
    assert cancelled.status == 0, cancelled.said
    campaign.check_report()
    assert campaign.statuses()["cancelled"]
    assert campaign.summary()["situation"] == "cancelled"
    found_one = world.bulkmail("find", "USER-239@d19.test")
    assert found_one.out.startswith("spring, row 240: cancelled"), found_one.said


def test_the_plan_is_told_everywhere_and_outlives_its_process(world: Any, until: Any) -> None:
    campaign = world.campaign("spring", addresses(240))
    campaign.yaml.write_text(campaign.yaml.read_text() + "schedule: {rate: 2/s}\n")
    running = world.start("-c", "spring")
    client = Client(str(world.folder / "spool"))
    until((world.folder / "spool" / "control.sock").exists, "the socket")
    until((campaign.report / "summary.json").exists, "summary.json")
    planned = until(lambda: campaign.summary()["planned_end_at"], "the plan in summary.json")
    found = client.get("campaigns", "spring")
    ends = [datetime.fromisoformat(at) for at in (found["situation"]["planned_end_at"], planned)]
    assert abs((ends[0] - ends[1]).total_seconds()) < 0.01
    seconds = datetime.fromisoformat(planned) - datetime.fromisoformat(found["started_at"])
    assert abs(seconds.total_seconds() - 120) < 5, "240 messages at 2/s"
    told = world.bulkmail("status", "spring")
    assert "  It is being sent. Planned to end " in told.out, told.said
    assert "Planned to end " in campaign.summary()["sentence"]
    running.kill_group()
    (after,) = json.loads(world.bulkmail("status", "spring", "--json").out)
    assert (after["situation"]["word"], after["situation"]["planned_end_at"]) == (
        "dead",
        found["situation"]["planned_end_at"],
    )


def test_a_fault_of_our_own_is_the_same_everywhere(world: Any, until: Any) -> None:
    campaign = world.campaign("spring", addresses(300))
    world.settings(shaping={"default": {"rate": "60/s"}})
    running = world.failing("mid-claim:enospc@3+", "-c", "spring")
    client = Client(str(world.folder / "spool"))

    def fault() -> str:
        with contextlib.suppress(NotRunningError):  # the socket is there a moment before anybody listens
            return str(client.get("health")["fault"])
        return ""

    words = until(fault, "the fault")
    assert "No space left" in words
    told = world.bulkmail("status", "spring")
    assert (told.status, told.out.partition(",")[0]) == (1, "spring: faulty")
    assert words in told.out
    written = campaign.report / "summary.json"
    summary = until(
        lambda: written.exists() and (found := campaign.summary())["fault"] and found, "summary.json to say so"
    )
    assert (summary["situation"], summary["fault"], summary["alive"]) == ("faulty", words, True)
    assert summary["sentence"] in told.out
    page = campaign.report / "index.html"
    until(lambda: page.exists() and "No space left" in page.read_text(), "the page")
    assert "Cannot send now" in page.read_text()
    running.kill_group()
    assert world.bulkmail("status", "spring").out.startswith("spring: dead")


def test_a_service_that_hangs_is_told_apart(world: Any, sending: Any) -> None:
    _, running = sending
    running.signal(signal.SIGSTOP)
    try:
        told = world.bulkmail("status", "spring")
    finally:
        running.signal(signal.SIGCONT)
    assert "the service was not asked, so rates are missing: the service has not answered for 5 s" in told.err
    assert told.out.startswith("spring: "), told.said
    running.signal(signal.SIGTERM)
    running.wait()


def test_what_is_said_to_a_receiver_is_shown_without_the_messages(world: Any, sending: Any) -> None:
    ended = world.bulkmail("trace", "d3.test", "--lines", "12", "--for", "1m")
    assert ended.status == 0, ended.said
    shown = [line for line in ended.said.splitlines() if " #" in line]
    assert len(shown) == 12
    assert any("> RCPT TO:<user-" in line for line in shown)
    assert any(" bytes)" in line for line in shown)
    assert "Subject" not in ended.said
    refused = world.bulkmail("trace", "nowhere")
    assert refused.status == 1
    assert "neither a domain nor an address" in refused.said
