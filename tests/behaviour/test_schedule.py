"""A campaign with a schedule, as its sender sees it: it waits, it stops, a restart goes on, its end comes."""

from __future__ import annotations

import signal
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.conftest import until

pytestmark = pytest.mark.loopback

AHEAD = (8, 32, 128)  # seconds from now: a time that has come before a slow machine is ready for it is set later


def scheduled(world: Any, count: int, schedule: str, name: str = "spring") -> Any:
    campaign = world.campaign(name, [f"{name}-{n}@d{n % 5}.test" for n in range(count)])
    campaign.yaml.write_text(campaign.yaml.read_text() + f"schedule: {schedule}\n")
    return campaign


def at(seconds: float) -> str:
    """That many seconds from now, as campaign.yaml has it; cut to the second."""
    return datetime.fromtimestamp(time.time() + seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def moment_of(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def test_it_waits_for_its_time_also_over_a_restart(world: Any) -> None:
    """The time is later where the machine is slow: one that has come before both runs waited for it tells nothing."""
    waits = "waiting for its schedule: it waits until"
    for ahead in AHEAD:
        name, begins = f"in-{ahead}", at(ahead)
        over = moment_of(begins)
        campaign = scheduled(world, 100, f"{{not_before: {begins}}}", name)
        running = world.start("-c", f"{name}/campaign.yaml")
        until(lambda running=running, over=over: waits in running.said() or time.time() > over, "it waits")
        if time.time() > over:
            running.kill_group()
            continue
        assert "its schedule goes by the zones of tzdata" in running.said()
        summary = campaign.report / "summary.json"
        until(
            lambda summary=summary, campaign=campaign: summary.exists() and campaign.summary()["input_rows"] == 100,
            "the list is read meanwhile",
        )
        running.signal(signal.SIGKILL)
        running.wait()
        ended = world.run("-c", f"{name}/campaign.yaml")

        assert ended.status == 0, ended.said
        received = [one for one in world.server.received() if one["to"] in campaign.addresses]
        assert len(received) == 100
        assert min(one["at"] for one in received) >= over
        times = [moment_of(row["first_attempt_at"]) for row in campaign.rows()]
        assert min(times) >= over
        campaign.check_report()
        if waits in ended.said:
            return
    raise AssertionError(f"no run waited for its time, which was {AHEAD[-1]} seconds ahead")


def test_what_is_not_sent_in_time_expires_and_the_campaign_ends(world: Any) -> None:
    for ahead in AHEAD:
        name, ends = f"in-{ahead}", at(ahead)
        campaign = scheduled(world, 20 * ahead + 500, f"{{not_after: {ends}, rate: 20/s}}", name)
        ended = world.run("-c", f"{name}/campaign.yaml")
        if ended.status == 1 and "has passed; nothing would be sent" in ended.said:
            continue  # it had passed before a slow machine had started
        assert ended.status == 0, ended.said
        rows = campaign.rows()
        sent = [row for row in rows if row["status"] == "delivered"]
        assert len(sent) <= 20 * ahead + 21, "the rate of the campaign held"
        assert len([one for one in world.server.received() if one["to"] in campaign.addresses]) == len(sent)
        assert all(moment_of(row["completed_at"]) <= moment_of(ends) + 1.0 for row in sent)
        late = [row for row in rows if row["status"] != "delivered"]
        assert {(row["status"], row["category"], row["attempts"]) for row in late} == {("expired", "schedule", "0")}
        assert late[0]["reply"].startswith("not delivered by schedule.not_after, ")
        campaign.check_report()
        assert campaign.summary()["state"] == "finished"
        if len(sent) >= 20:
            return
    raise AssertionError(f"nothing was sent in the {AHEAD[-1]} seconds that it had")


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
