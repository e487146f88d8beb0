from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulkmail.mail import parse_rate
from bulkmail.shaping import DEFAULT_LIMITS, Demand, Schedule, parse_days, parse_hours, plan_flow
from bulkmail.shaping.planning import SECONDS_A_MESSAGE
from bulkmail.zones import zone

BERLIN = zone("Europe/Berlin")
MONDAY = datetime(2026, 12, 7, 8, tzinfo=UTC).timestamp()
ALWAYS = Schedule(UTC)
OFFICE = Schedule(BERLIN, hours=parse_hours("09:00-18:00"), days=parse_days("mon-fri"))


def demand(name: str, recipients: int, rate: str = "100/s", connections: int = 10_000, **more) -> Demand:
    limits = replace(DEFAULT_LIMITS, rate=parse_rate(rate), connections=connections, connection_rate=parse_rate("99/s"))
    return Demand(name, recipients, limits, **more)


def test_each_destination_at_its_own_pace():
    flow = plan_flow([demand("a", 1000, "10/s"), demand("b", 1000, "100/s")], {}, ALWAYS, MONDAY)
    a, b = flow.legs
    assert (a.pace, a.binds, a.begins) == (10.0, "rate", MONDAY)
    assert a.ends == pytest.approx(MONDAY + 100)
    assert b.ends == pytest.approx(MONDAY + 10)
    assert flow.ends == a.ends
    assert flow.binds == "a: rate"
    assert (flow.recipients, flow.left) == (2000, 0)


def test_few_connections_bind_before_the_rate():
    few = demand("google", 1000, connections=5)
    assert few.pace == (5 / SECONDS_A_MESSAGE, "connections")
    assert demand("many", 10, connections=5, sites=7).pace == (7 * 5 / SECONDS_A_MESSAGE, "connections")
    short = Demand("apple", 10, replace(few.limits, messages_per_connection=5, connection_rate=parse_rate("60/m")))
    assert short.pace == (5.0, "connection_rate")
    assert demand("slowed", 10, "100/s", factor=0.1).pace == (10.0, "rate")


def test_what_is_shared_is_divided_evenly_and_what_one_cannot_use_goes_to_the_others():
    slow, fast = demand("slow", 100, "1/s"), demand("fast", 900, "100/s")
    flow = plan_flow([slow, fast], {"composing": 10.0}, ALWAYS, MONDAY)
    assert flow.legs[0].binds == "rate"
    assert flow.legs[1].binds == "composing"
    assert flow.legs[1].ends == pytest.approx(MONDAY + 100)
    assert flow.binds in ("composing", "slow: rate")


def test_the_rate_of_the_campaign():
    flow = plan_flow([demand("a", 3600)], {}, replace(ALWAYS, rate=parse_rate("3600/h")), MONDAY)
    assert flow.ends == pytest.approx(MONDAY + 3600)
    assert flow.binds == "schedule.rate"


def test_nothing_flows_while_the_schedule_is_closed():
    flow = plan_flow([demand("a", 12 * 3600, "1/s")], {}, OFFICE, MONDAY - 3600)
    assert flow.begins == MONDAY
    assert flow.ends == pytest.approx(MONDAY + 86400 + 3 * 3600)
    assert flow.sending == pytest.approx(12 * 3600)


def test_a_day_has_its_messages():
    flow = plan_flow([demand("a", 250)], {}, replace(OFFICE, per_day=100), MONDAY, sent_today=50)
    assert flow.binds == "schedule.per_day"
    assert flow.ends == pytest.approx(MONDAY + 2 * 86400 + 1.0)


def test_what_is_not_through_in_time_is_left():
    flow = plan_flow([demand("a", 1000, "1/s")], {}, replace(OFFICE, not_after=MONDAY + 600), MONDAY)
    assert (flow.ends, flow.left, flow.legs[0].left) == (None, 400, 400)


def test_nothing_to_send():
    flow = plan_flow([], {"composing": 1.0}, ALWAYS, MONDAY)
    assert (flow.begins, flow.ends, flow.recipients, flow.binds) == (None, None, 0, "")
    assert plan_flow([demand("a", 0)], {}, ALWAYS, MONDAY).ends == MONDAY


def test_more_than_a_year_has_no_end():
    flow = plan_flow([demand("a", 1_000_000)], {}, replace(ALWAYS, per_day=100), MONDAY)
    assert flow.ends is None
    assert flow.left > 900_000


SCHEDULES = st.builds(
    Schedule,
    st.sampled_from([BERLIN, zone("America/New_York")]),
    hours=st.sampled_from([parse_hours("09:00-18:00"), parse_hours("22:00-06:00"), parse_hours("00:00-24:00")]),
    days=st.sampled_from([parse_days("mon-fri"), parse_days("sat"), parse_days("mon-sun")]),
    rate=st.none() | st.sampled_from([parse_rate("1/s"), parse_rate("5000/h")]),
    per_day=st.none() | st.integers(1000, 9000),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 5000), st.integers(1, 50)), min_size=1, max_size=4), SCHEDULES)
def test_no_limit_is_exceeded_and_all_is_sent(given_demands, schedule):
    demands = [demand(str(n), count, f"{rate}/s") for n, (count, rate) in enumerate(given_demands)]
    flow = plan_flow(demands, {"composing": 60.0}, schedule, MONDAY)
    assert flow.left == 0
    assert flow.begins is not None
    assert flow.ends is not None
    total, taken = flow.recipients, flow.ends - flow.begins
    open_seconds = taken - schedule.closed_between(flow.begins, flow.ends)
    assert open_seconds >= flow.sending - 1
    assert flow.sending * min(60.0, 1e9 if schedule.rate is None else 1 / schedule.rate.interval) >= total - 1
    for leg in flow.legs:
        assert leg.begins is not None
        assert leg.ends is not None
        assert (leg.ends - leg.begins) * leg.pace >= leg.demand.recipients - 1
        assert schedule.at(leg.begins).open
    if schedule.per_day is not None:
        assert taken >= (total / schedule.per_day - 2) * 86400 - 3600


@given(st.lists(st.integers(0, 500), min_size=1, max_size=6), st.integers(1, 4000), st.integers(1, 600), st.booleans())
def test_no_day_has_more_than_new_sources_may_send(days, first, second, shared):
    """From Monday 08:00 UTC on: what is left at midnight goes on then, and behind the last day there is no limit."""
    flow = plan_flow(
        [demand("a", first, budget=("x",)), demand("b", second, budget=("x",) if shared else ())],
        {},
        ALWAYS,
        MONDAY,
        daily={("x",): days},
    )
    ends = flow.ends
    assert ends is not None
    counted, last = first + second * shared, max(leg.ends for leg in flow.legs if leg.demand.budget)
    day = int(last // 86400 - MONDAY // 86400)
    assert sum(days[: day + 1]) >= counted - 1e-3 or day >= len(days)
    assert day == 0 or sum(days[:day]) < counted + 1e-3
    if counted > days[0] and len(days) > 1:
        assert "warm-up" in {leg.binds for leg in flow.legs}
    assert flow.left == 0


def test_each_source_is_sent_from_within_the_limits():
    limits = replace(DEFAULT_LIMITS, rate=parse_rate("2/s"))
    assert Demand("a", 10, limits, sources=3).pace == (6.0, "rate")
    assert Demand("small ones", 10, limits, sites=5, sources=3).pace == (30.0, "rate")
