"""A campaign with a schedule, as its sender sees it: it waits, it stops, a restart goes on, its end comes."""

from __future__ import annotations

import signal
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.conftest import until

pytestmark = pytest.mark.loopback


def scheduled(world: Any, count: int, schedule: str) -> Any:
    campaign = world.campaign("spring", [f"user-{n}@d{n % 5}.test" for n in range(count)])
    campaign.yaml.write_text(campaign.yaml.read_text() + f"schedule: {schedule}\n")
    return campaign


def at(seconds: float) -> str:
    """That many seconds from now, as campaign.yaml has it; cut to the second."""
    return datetime.fromtimestamp(time.time() + seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def moment_of(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def test_it_waits_for_its_time_also_over_a_restart(world: Any) -> None:
    begins = at(12.0)
    campaign = scheduled(world, 100, f"{{not_before: {begins}}}")
    running = world.start("-c", "spring/campaign.yaml")
    until(lambda: "waiting for its schedule: it waits until" in running.said(), "the log says that it waits")
    assert "its schedule goes by the zones of tzdata" in running.said()
    summary = campaign.report / "summary.json"
    until(lambda: summary.exists() and campaign.summary()["input_rows"] == 100, "the list is read meanwhile")
    running.signal(signal.SIGKILL)
    running.wait()
    assert not world.server.received()

    ended = world.run("-c", "spring/campaign.yaml")
    assert ended.status == 0, ended.said
    received = world.server.received()
    assert len(received) == 100
    times = [moment_of(row["first_attempt_at"]) for row in campaign.rows()]
    assert min(times) >= moment_of(begins)
    campaign.check_report()


def test_what_is_not_sent_in_time_expires_and_the_campaign_ends(world: Any) -> None:
    ends = at(15.0)
    campaign = scheduled(world, 1000, f"{{not_after: {ends}, rate: 20/s}}")
    ended = world.run("-c", "spring/campaign.yaml")
    assert ended.status == 0, ended.said
    rows = campaign.rows()
    sent = [row for row in rows if row["status"] == "delivered"]
    assert 20 <= len(sent) <= 321, "the rate of the campaign held"
    assert len(world.server.received()) == len(sent)
    assert max(moment_of(row["completed_at"]) for row in sent) <= moment_of(ends) + 1.0
    late = [row for row in rows if row["status"] != "delivered"]
    assert {(row["status"], row["category"], row["attempts"]) for row in late} == {("expired", "schedule", "0")}
    assert late[0]["reply"].startswith("not delivered by schedule.not_after, ")
    campaign.check_report()
    assert campaign.summary()["state"] == "finished"


def test_a_rehearsal_keeps_no_schedule(world: Any) -> None:
    campaign = scheduled(world, 10, f"{{not_before: {at(86400)}, per_day: 1}}")
    ended = world.run("-c", "spring/campaign.yaml", "--rehearse")
    assert ended.status == 0, ended.said
    assert (campaign.yaml.parent / "rehearsal" / "recipients.csv").exists()
    assert not world.server.received()


def test_a_schedule_that_is_over_is_refused(world: Any) -> None:
    scheduled(world, 1, "{not_after: 2026-01-01T09:00Z}")
    ended = world.run("-c", "spring/campaign.yaml")
    assert ended.status == 1
    assert "schedule.not_after: Thu 2026-01-01 09:00 UTC has passed; nothing would be sent" in ended.said
