"""Mail from several addresses, as receivers see it."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.loopback

A = {"name": "a", "address": "127.0.2.1", "hostname": "mta-a.example.com", "weight": 3}
B, C = {"name": "b", "address": "127.0.2.2"}, {"name": "c", "address": "127.0.2.3"}
GONE = {"name": "gone", "address": "192.0.2.77"}
NAMES = {"127.0.2.1": "mta-a.example.com", "127.0.2.2": "mta1.example.com"}


@pytest.fixture
def noon(clock_of_programs: Path) -> None:
    """The programs begin at 12:00 UTC: what a source may send in a day is not counted anew while a test looks at it."""
    clock_of_programs.write_text(f"{12 * 3600 - int(time.time()) % 86400:+d}\n")


def test_receivers_see_the_sources_of_the_pool_and_their_names(world: Any) -> None:
    world.settings(sources=[A, B, C], pools={"two": ["a", "b"]})
    campaign = world.campaign("spring", [f"u{n}@d{n % 20}.test" for n in range(20)], more="sources: two\n")

    ended = world.run("-c", "spring")

    assert ended.status == 0, ended.said
    received = world.server.received()
    assert len(received) == 20
    assert {one["from"]: one["helo"] for one in received} == NAMES
    by_email = {one["to"]: one["from"] for one in received}
    assert all(row["source_ip"] == by_email[row["email"]] for row in campaign.rows())


def test_a_source_that_is_missing_refuses_a_start(world: Any) -> None:
    world.settings(sources=[A, GONE])
    world.campaign("spring", ["u@d0.test"])
    ended = world.run("-c", "spring")
    assert ended.status == 1
    assert "sources: gone: nothing can be sent from 192.0.2.77 (cannot assign requested address)" in ended.said


def test_a_source_that_receivers_block_rests_there_and_the_others_go_on(world: Any) -> None:
    world.start_mail([f"127.0.1.{n + 1}" for n in range(4)], refuse="127.0.2.1")
    world.settings(sources=[A, B])
    campaign = world.campaign("spring", [f"u{n}@d{n % 20}.test" for n in range(400)], more="canary: none\n")

    ended = world.run("-c", "spring")

    assert ended.status == 0, ended.said
    rows = campaign.rows()
    assert {(row["status"], row["source_ip"]) for row in rows} == {
        ("blocked", "127.0.2.1"),
        ("delivered", "127.0.2.2"),
    }
    blocked = campaign.statuses()["blocked"]
    assert blocked <= 4 * 30, "each of the four sites is found out by 20 messages, and few behind them"
    assert world.server.count() == 400 - blocked


def test_a_source_that_a_rule_has_rest_leaves_everything_to_the_others(world: Any) -> None:
    world.start_mail([f"127.0.1.{n + 1}" for n in range(4)], refuse="127.0.2.1")
    rule = {"match": "on our block list", "times": 5, "do": {"rest": "1h"}}
    world.settings(sources=[A, B], shaping={"rules": [rule]})
    campaign = world.campaign("spring", [f"u{n}@d{n % 20}.test" for n in range(400)], more="canary: none\n")

    ended = world.run("-c", "spring")

    assert ended.status == 0, ended.said
    assert ended.said.count("said on our block list 5 times: rest 1h (shaping.rules[0])") == 4
    statuses = campaign.statuses()
    assert statuses["delivered"] + statuses["blocked"] == 400
    assert {row["source_ip"] for row in campaign.rows() if row["status"] == "delivered"} == {"127.0.2.2"}
    again = world.campaign("summer", [f"v{n}@d{n % 20}.test" for n in range(40)])
    assert world.run("-c", "summer").status == 0
    assert {row["source_ip"] for row in again.rows()} == {"127.0.2.2"}, "it rests over a restart"


@pytest.mark.usefixtures("noon")
def test_a_new_source_sends_its_days_messages_and_what_is_left_goes_to_the_warm_one(world: Any) -> None:
    new = {**B, "warmup": {"start": "2026-01-01", "plan": [7, 20]}}
    world.settings(sources=[{**A, "weight": 1}, new], shaping={"providers": {"big": {"mx": ["mx0.test"]}}})
    campaign = world.campaign("spring", [f"u{n}@d0.test" for n in range(200)])

    assert world.run("-c", "spring").status == 0

    assert campaign.statuses() == {"delivered": 200}
    assert sum(row["source_ip"] == B["address"] for row in campaign.rows()) <= 7
    assert "day 1 of 2 of its warm-up" in world.bulkmail("explain", "big").said


@pytest.mark.usefixtures("noon")
def test_what_no_source_may_send_today_waits_for_tomorrow(world: Any, until: Any) -> None:
    new = {**B, "warmup": {"start": "2026-01-01", "plan": [7, 20]}}
    world.settings(sources=[new], shaping={"providers": {"big": {"mx": ["mx0.test"]}}})
    campaign = world.campaign("spring", [f"u{n}@d0.test" for n in range(30)])
    planned = world.bulkmail("plan", "spring").said
    assert "Source b warms up from 2026-01-01 on: 7, 20 messages a day" in planned
    assert "warm-up" in planned.partition("Source b")[0], planned
    running = world.start("-c", "spring")
    until(lambda: world.server.count() == 7, "the day's messages")
    told = "7 of today's 7 messages are used, 7 delivered; the next are sent on"
    until(lambda: told in world.bulkmail("explain", "big").said, "explain to say so")
    assert told in world.bulkmail("status", "--sites", "spring").said
    running.signal(signal.SIGTERM)
    assert running.wait().status == 3
    assert campaign.statuses() == {"delivered": 7, "pending": 23}
    again = world.start("-c", "spring")
    until(lambda: "spring: sent 7 of 30" in again.said(), "a second start")
    again.signal(signal.SIGTERM)
    again.wait()
    assert world.server.count() == 7, "the day is the spool's, not the process's"
