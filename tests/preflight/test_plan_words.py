from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from bulkmail.preflight import Plan, plain_plan, plan_lines
from bulkmail.preflight.planned import notes_of
from bulkmail.settings import Settings
from bulkmail.shaping import DEFAULT_LIMITS, Demand, Schedule, parse_days, parse_hours, plan_flow
from bulkmail.zones import zone

NOW = datetime(2027, 3, 26, 12, tzinfo=UTC).timestamp()  # a Friday; the clocks change on Sunday
OFFICE = Schedule(zone("Europe/Berlin"), hours=parse_hours("09:00-18:00"), days=parse_days("mon-fri"))


@pytest.fixture
def plan():
    def make(schedule, *demands, **more):
        flow = plan_flow(demands, {"composing": 2000.0}, schedule, NOW)
        values = {"suppressed": 2, "invalid": 1, "duplicates": 0, "unroutable": 0, "domains": 3, "fault": ""} | more
        return Plan("spring", NOW, 103, 100, own_zones=False, schedule=schedule, flow=flow, **values)

    return make


def test_in_words(plan):
    lines = plan_lines(plan(replace(OFFICE, per_day=60), Demand("google", 100, DEFAULT_LIMITS), unroutable=7))
    assert lines[:3] == [
        "spring: 100 of 103 rows are to be sent to, at 3 domains",
        "  left out: 2 suppressed, 1 invalid",
        "  7 of them are at domains that mail cannot be sent to now",
    ]
    assert "It begins Fri 2027-03-26 13:00 Europe/Berlin (12:00 UTC)." in lines
    assert any(
        line.startswith("It ends about Mon 2027-03-29 09:00:02 Europe/Berlin (07:00:02 UTC): ") for line in lines
    )
    change = "Sun 2027-03-28 03:00 Europe/Berlin (01:00 UTC): on 2027-03-28 the times from 02:00 to 03:00 do not exist."
    assert f"The clocks change: {change}" in lines
    assert "  Fri 2027-03-26 13:00 Europe/Berlin (12:00 UTC) to Fri 2027-03-26 18:00 Europe/Berlin (17:00 UTC)" in lines


def test_without_a_schedule_there_are_no_windows(plan):
    lines = plan_lines(plan(Schedule(zone("UTC")), Demand("a.example", 10, DEFAULT_LIMITS)))
    assert not any("It is open" in line or "clocks" in line for line in lines)
    assert any("connections: 10; through Fri 2027-03-26 12:00" in line for line in lines)


def test_nothing_to_send_and_nothing_that_can_be(plan):
    assert "There is nothing to send." in plan_lines(plan(OFFICE))
    over = replace(OFFICE, not_after=NOW - 1)
    lines = plan_lines(plan(over, Demand("a.example", 10, DEFAULT_LIMITS), fault="no name server"))
    assert "Nothing can be sent: its schedule does not open any more." in lines
    assert "  not all domains could be looked up: no name server" in lines


def test_as_plain_data(plan):
    found = json.loads(json.dumps(plain_plan(plan(OFFICE, Demand("google", 100, DEFAULT_LIMITS)))))
    assert (found["begins_at"], found["ends_at"], found["not_sent"]) == (
        "2027-03-26T12:00:00Z",
        "2027-03-26T12:00:05Z",
        0,
    )
    assert found["openings"] == [["2027-03-26T12:00:00Z", "2027-03-26T17:00:00Z"]]
    assert found["destinations"][0]["binds"] == "connections"
    assert found["timezone"] == "Europe/Berlin"


def test_what_the_flow_does_not_show_is_told(plan):
    settings = Settings.model_validate(
        {"sources": [{"name": "new", "address": "192.0.2.9", "warmup": {"start": "2026-12-01"}}]}
    )
    first, second = notes_of({}, settings, 201)
    assert first.startswith("The first 200 messages at each provider are answered before the rest is sent there")
    assert second.startswith(
        "Source new warms up from 2026-12-01 on: 200, 500, 1,000, … messages a day at each provider"
    )
    assert notes_of({}, Settings(), 200) == notes_of({"canary": None}, Settings(), 9000) == []
    made = plan(OFFICE, notes=(first,))
    assert first in plan_lines(made)
    assert plain_plan(made)["notes"] == [first]
