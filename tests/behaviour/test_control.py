"""A running service over its control socket, by the commands that people type."""

from __future__ import annotations

import os
import signal
import stat
import time
from typing import Any

import pytest

from bulkmail.control import Client

pytestmark = [pytest.mark.loopback, pytest.mark.timeout(120)]


def addresses(count: int, kind: str = "user") -> list[str]:
    return [f"{kind}-{n}@d{n % 20}.test" for n in range(count)]


@pytest.fixture
def sending(world: Any, until: Any) -> Any:
    """A campaign of 600 rows at 60 a second, of which some have arrived; the service that sends it."""
    world.settings(shaping={"default": {"rate": "60/s"}})
    campaign = world.campaign("spring", addresses(600))
    running = world.start("-c", "spring")
    until(lambda: world.server.count() >= 30, "the first messages")
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
    running.signal(signal.SIGTERM)
    assert running.wait().status == 3
    assert not path.exists()
    assert os.path.exists(path.parent)


def test_a_pause_is_felt_within_a_second_and_a_resume_sends_the_rest_once(world: Any, sending: Any, until: Any) -> None:
    campaign, running = sending
    client = Client(str(world.folder / "spool"))
    client.post("campaigns", "spring", "pause", reason="wrong price", who="ann")
    time.sleep(1.0)
    before = world.server.count()
    time.sleep(1.0)
    assert world.server.count() == before
    found = client.get("campaigns", "spring")["situation"]
    assert (found["word"], found["reason"]) == ("paused", "wrong price")
    until(lambda: campaign.summary()["paused"] == "wrong price", "summary.json to say so", 10)
    assert campaign.summary()["situation"] == "paused"
    client.post("campaigns", "spring", "resume", who="ann")
    ended = running.wait()
    assert ended.status == 0, ended.said
    world.reconciled(campaign)
    assert campaign.statuses() == {"delivered": 600}
