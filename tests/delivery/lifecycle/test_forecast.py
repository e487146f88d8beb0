from __future__ import annotations

from types import SimpleNamespace

import pytest

from bulkmail.delivery.holds import Holds
from bulkmail.delivery.lifecycle.forecast import first_messages, forecast
from bulkmail.delivery.run import Run
from bulkmail.spool import HeldTime, StoredPlan

BEGAN = 1_796_133_900.0  # 2026-12-01T14:05:00Z, a Tuesday
NOW = BEGAN + 600
SCHEDULE = {
    "not_before": None, "not_after": None, "hours": [[14 * 60, 15 * 60]], "days": None, "zone": "UTC", "column": None,
    "rate": None, "per_day": None,
}  # fmt: skip


@pytest.fixture
def run():
    run = Run(1, "spring", "/c", {}, "retry", BEGAN, input_rows=1000, import_done=True)
    run.plan = StoredPlan(1000, BEGAN, BEGAN + 1000, 1.0)
    return run


def lane(name, held, why):
    return SimpleNamespace(
        held=held,
        suspended=bool(why),
        site=SimpleNamespace(name=name),
        suspension=SimpleNamespace(standstill=SimpleNamespace(why=why)),
    )


def count(run, **counts):
    for status, number in counts.items():
        run.add_to_totals({("google", status, ""): number})


def test_what_is_left_takes_as_long_as_the_rate_says(run):
    count(run, delivered=600)
    assert forecast(run, 1.0, [], NOW) == (NOW + 400, "")
    late = forecast(run, 0.5, [], NOW)
    assert late == (NOW + 800, "1,800/h are sent and 1/s were planned")


def test_it_is_not_over_before_the_next_retry(run):
    count(run, delivered=400, deferred=600)
    run.next_try_at = NOW + 3600
    assert forecast(run, 0.0, [], NOW) == (NOW + 3600, "google defers 600 messages")


def test_receivers_of_no_known_provider_are_told_together(run):
    count(run, delivered=400)
    run.add_to_totals({("", "deferred", ""): 600})
    run.next_try_at = NOW + 3600
    assert forecast(run, 0.0, [], NOW).because == "other receivers defer 600 messages"


def test_a_few_that_are_deferred_are_not_the_reason(run):
    count(run, delivered=500, deferred=10)
    lanes = [lane("mx.a.test", 5, ""), lane("mx.b.test", 400, "421 try later"), lane("mx.c.test", 4, "no")]
    assert forecast(run, 0.1, lanes, NOW).because == "mx.b.test takes nothing now: 421 try later"


def test_a_long_pause_is_the_reason(run):
    count(run, delivered=10)
    run.holds = Holds((), [HeldTime("", BEGAN + 100, BEGAN + 500)])
    assert forecast(run, 1.0, [], NOW).because == "it was held for 6.7m"


def test_a_night_that_was_planned_is_no_reason(run):
    run.content = {"schedule": SCHEDULE}
    run.plan = StoredPlan(1000, BEGAN, BEGAN + 86400, 0.3)
    morning = BEGAN + 86400 - 300 + 60
    run.holds = Holds((), [HeldTime("", BEGAN + 3300, morning - 60)])
    count(run, delivered=10)
    late = forecast(run, 0.2, [], morning)
    assert late.because == "720/h are sent and 1,080/h were planned"


def test_one_that_was_slow_before_and_is_fast_now_gives_no_reason(run):
    count(run, delivered=10)
    assert forecast(run, 1.5, [], BEGAN + 1000) == (BEGAN + 1660, "")


def test_a_schedule_that_closes_is_reckoned_with(run):
    run.content = {"schedule": SCHEDULE}
    count(run, delivered=100)
    in_an_hour, tomorrow = forecast(run, 1.0, [], NOW).ends_at, forecast(run, 0.25, [], NOW).ends_at
    assert in_an_hour == NOW + 900
    assert tomorrow == BEGAN + 86400 - 300 + 900  # 45 minutes today, and 15 tomorrow from 14:00 on


def test_while_first_messages_are_waited_for_no_end_is_told(run):
    count(run, delivered=20)
    run.guard = SimpleNamespace(waiting=["google", "other"])
    assert first_messages(run) == ["google", "other receivers"]
    assert forecast(run, 0.5, [], NOW).ends_at is None
    run.guard.waiting = []
    assert forecast(run, 0.5, [], NOW).ends_at == NOW + 1960


def test_where_nothing_is_left_for_the_first_time_no_rest_is_waited_for(run):
    count(run, delivered=20, deferred=980)
    run.guard = SimpleNamespace(waiting=["google"])
    run.next_try_at = NOW + 3600
    assert first_messages(run) == []
    assert forecast(run, 0.5, [], NOW).ends_at == NOW + 3600


@pytest.mark.parametrize("rate", [0.0, 0.001])
def test_without_a_rate_no_end_is_told(run, rate):
    assert forecast(run, rate, [], NOW).ends_at is None
    run.plan = None
    assert forecast(run, 1.0, [], NOW).ends_at is None
