from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.mail import parse_rate
from bulkmail.shaping import DEFAULT_LIMITS, WHOLE, Limiter, Part, Ruled

LIMITS = replace(
    DEFAULT_LIMITS, connections=4, rate=parse_rate("4/s,burst=2"), connection_rate=parse_rate("2/s,burst=1")
)


def test_connections_open_gradually_and_only_so_many():
    limiter = Limiter(LIMITS, 0.0)
    assert limiter.may_open(0.0) == 0.0
    limiter.opened(0.0)
    assert limiter.may_open(0.0) == 0.5
    for now in (0.5, 1.0, 1.5):
        limiter.opened(now)
    assert limiter.may_open(9.0) is None
    limiter.closed()
    assert limiter.may_open(9.0) == 9.0
    assert limiter.open == 3


def test_messages_are_booked():
    limiter = Limiter(LIMITS, 0.0)
    assert [limiter.reserve(0.0) for _ in range(3)] == [0.0, 0.0, 0.25]
    assert limiter.peek(0.0) == 0.5


def test_taken_over_it_starts_without_a_burst():
    limiter = Limiter(LIMITS, 0.0, empty=True)
    assert limiter.reserve(0.0) == 0.25
    assert limiter.may_open(0.0) == 0.5


def test_a_rate_signal_slows_messages_after_a_rest():
    limiter = Limiter(LIMITS, 0.0)
    assert limiter.slow_down(5.0, "rate")
    assert not limiter.slow_down(6.0, "rate", sent=4.9)
    assert limiter.connections == 4
    assert (limiter.pace, limiter.factors) == (0.5, (0.9, 1.0))
    assert [limiter.reserve(5.0) for _ in range(3)] == [6.0, 6.5, 7.0]


def test_slots_that_were_booked_before_a_complaint_are_void():
    limiter = Limiter(LIMITS, 0.0)
    booked = [limiter.reserve(0.0) for _ in range(9)]
    assert (booked[-1], limiter.voided) == (1.75, 0)
    limiter.slow_down(0.0, "rate")
    assert limiter.voided == 1
    assert limiter.reserve(0.0) == 1.0


def test_a_connection_that_is_refused_says_how_many_there_may_be():
    limiter = Limiter(LIMITS, 0.0)
    for n in range(4):
        limiter.opened(n)
    assert limiter.surplus == 0
    assert limiter.refuse_connection(0.0, 2)
    assert limiter.factors == (1.0, 0.5)
    assert limiter.may_open(10.0) is None
    assert limiter.surplus == 2
    assert not limiter.refuse_connection(0.0, 3)


@pytest.mark.parametrize("signal", ["", "greylist", "connections"])
def test_other_signals_change_nothing(signal):
    limiter = Limiter(LIMITS, 0.0)
    assert not limiter.slow_down(0.0, signal)
    assert limiter.factors == (1.0, 1.0)


def test_it_never_narrows_under_one_connection():
    limiter = Limiter(LIMITS, 0.0)
    limiter.refuse_connection(0.0, 0)
    assert limiter.connections == 1
    single = Limiter(replace(LIMITS, connections=1), 0.0)
    assert not single.refuse_connection(0.0, 0)


def test_success_creeps_back_to_the_limits():
    limiter = Limiter(LIMITS, 0.0)
    assert not limiter.speed_up(0.0)
    limiter.slow_down(0.0, "rate")
    limiter.refuse_connection(0.0, 2)
    limiter.opened(0.0)
    limiter.opened(0.0)
    assert limiter.speed_up(1.0), "it takes messages again"
    for n in range(4, 600):
        limiter.speed_up(n / 2)
        if limiter.open < limiter.connections:
            limiter.opened(n / 2)
    assert (limiter.pace, limiter.factors) == (1.0, (1.0, 1.0))
    assert limiter.connections == 4


def test_connections_that_are_not_used_are_no_reason_to_try_more():
    limiter = Limiter(LIMITS, 0.0)
    limiter.refuse_connection(0.0, 2)
    limiter.opened(0.0)
    assert not limiter.speed_up(500.0)
    assert limiter.connections == 2


def test_what_worked_before_is_where_it_starts():
    limiter = Limiter(LIMITS, 0.0, factors=(0.25, 0.5))
    assert limiter.connections == 2
    assert [limiter.reserve(0.0) for _ in range(2)] == [0.0, 1.0]


@given(st.lists(st.sampled_from(["open", "close", "slow", "wait"]), max_size=60))
def test_the_count_of_connections_is_never_exceeded(steps):
    limiter, now, opened = Limiter(LIMITS, 0.0), 0.0, []
    for step in steps:
        now += 0.25
        at = limiter.may_open(now)
        assert (at is None) == (limiter.open >= limiter.connections)
        if step == "open" and at is not None and at <= now:
            limiter.opened(now)
            opened.append(now)
            assert limiter.open <= limiter.connections
        elif step == "close" and limiter.open:
            limiter.closed()
        elif step == "slow":
            limiter.refuse_connection(now, limiter.open)
        else:
            now += 1
    assert all(later - earlier >= 0.5 for earlier, later in pairwise(opened))


def test_closing_what_was_not_opened_is_a_bug():
    with pytest.raises(AssertionError):
        Limiter(LIMITS, 0.0).closed()


def test_repr_tells_the_counts():
    limiter = Limiter(LIMITS, 0.0)
    limiter.opened(0.0)
    assert repr(limiter) == "<Limiter 1 of 4 connections open, messages <Meter 4/s,burst=2, next slot from -0.250>>"


def test_with_a_smaller_part_it_is_within_it_when_connections_have_closed_and_booked_slots_are_over():
    limiter = Limiter(LIMITS, 0.0)
    for n in range(4):
        limiter.opened(n)
    assert [limiter.reserve(0.0) for _ in range(5)] == [0.0, 0.0, 0.25, 0.5, 0.75]
    limiter.become(Part(frozenset({2}), 2), 0.25)
    assert (limiter.connections, limiter.surplus) == (2, 2)
    assert limiter.peek(0.25) == 1.25
    assert not limiter.within(0.75)
    limiter.closed()
    limiter.closed()
    assert not limiter.within(0.5)
    assert limiter.within(0.75)
    assert limiter.may_open(9.0) is None
    limiter.become(WHOLE, 0.75)
    assert limiter.connections == 4


def test_what_a_receiver_lets_us_use_means_the_same_to_whoever_has_another_part():
    limiter = Limiter(LIMITS, 0.0, part=Part(frozenset({1}), 4))
    assert limiter.connections == 1
    limiter.slow_down(0.0, "rate")
    assert limiter.factors == (0.9, 1.0)
    whole = Limiter(LIMITS, 0.0, factors=(0.25, 0.25))
    assert whole.connections == 1
    whole.become(Part(frozenset({1, 2}), 4), 0.0)
    assert whole.factors == (0.25, 0.25)
    assert [whole.reserve(10.0) for _ in range(3)] == [10.0, 12.0, 14.0]


def test_a_pace_can_be_forgotten():
    limiter = Limiter(LIMITS, 0.0, factors=(0.25, 0.25))
    assert limiter.connections == 1
    limiter.reset_factors()
    assert (limiter.factors, limiter.connections) == ((1.0, 1.0), 4)
    slow, whole = limiter.reserve(0.0), Limiter(LIMITS, 0.0)
    whole.reserve(0.0)
    assert slow <= whole.reserve(0.0)


def test_other_limits_are_used_from_now_on_without_a_burst():
    limiter = Limiter(replace(LIMITS, rate=parse_rate("2/d")), 0.0)
    limiter.reserve(0.0)
    assert limiter.reserve(1.0) > 40_000
    limiter.use(replace(LIMITS, connections=2), 10.0)
    assert limiter.voided == 1
    assert limiter.connections == 2
    assert [limiter.reserve(10.0) for _ in range(4)] == pytest.approx([10.25, 10.5, 10.75, 11.0])
    limiter.use(replace(LIMITS, connections=3), 11.0)
    assert limiter.voided == 1, "the rate is the same"
    assert limiter.connections == 3


def test_what_a_receiver_lets_us_use_is_kept_with_other_limits():
    limiter = Limiter(replace(LIMITS, rate=parse_rate("100/s"), connections=10), 0.0, factors=(0.3, 0.4))
    limiter.use(replace(LIMITS, rate=parse_rate("50/s"), connections=8), 5.0)
    assert limiter.factors == pytest.approx((0.6, 0.5))
    limiter.use(replace(LIMITS, rate=parse_rate("20/s"), connections=4), 6.0)
    assert limiter.factors == pytest.approx((1.0, 1.0))


def test_caps_are_lifted_and_a_rest_goes_on():
    limiter = Limiter(LIMITS, 0.0)
    limiter.rule(Ruled(rest=60.0, pace=(0.5, 600.0), connections=(1, 600.0)), 0.0)
    assert (limiter.capped, limiter.pace, limiter.connections) == (True, 0.5, 1)
    limiter.lift_caps()
    assert (limiter.capped, limiter.pace, limiter.connections) == (False, 1.0, 4)
    assert limiter.may_open(10.0) == 60.0
    assert limiter.peek(10.0) > 59.0


def test_a_rest_is_ended_and_caps_stay():
    limiter = Limiter(LIMITS, 0.0)
    limiter.rule(Ruled(rest=60.0, pace=(0.5, 600.0), connections=(1, 600.0)), 0.0)
    limiter.end_rest(10.0)
    assert limiter.may_open(10.0) == limiter.peek(10.0) == 10.0
    assert (limiter.capped, limiter.pace, limiter.connections) == (True, 0.5, 1)
    before = limiter.voided
    limiter.end_rest(11.0)
    assert limiter.voided == before, "there is none to end"


def test_the_rest_behind_a_complaint_is_not_ended_with_the_one_of_a_rule():
    limiter = Limiter(LIMITS, 0.0)
    limiter.slow_down(5.0, "rate")
    complained = limiter.peek(5.0)
    limiter.rest(60.0)
    limiter.end_rest(5.0)
    assert complained > 5.0
    assert limiter.peek(5.0) == complained


@given(st.floats(0.0, 1.0), st.lists(st.floats(0.0, 10.0), max_size=20), st.booleans())
def test_what_was_on_its_way_at_a_complaint_changes_nothing_more(capped, echoes, ruled):
    limiter = Limiter(LIMITS, 0.0)
    if ruled:
        limiter.cap_rate(capped, 10.0, 700.0)
    assert limiter.slow_down(10.0, "rate", sent=10.0) is not ruled, "a rule acts instead of the throttle"
    after = limiter.pace, limiter.factors, limiter.peek(10.0)
    for sent in echoes:
        assert limiter.rate_throttle.echoes(sent)
        assert not limiter.slow_down(10.0 + sent, "rate", sent=sent)
    assert (limiter.pace, limiter.factors, limiter.peek(10.0)) == after
    assert not limiter.rate_throttle.echoes(10.1)


def test_slower_is_counted_from_the_rate_that_was_found_not_from_that_of_single_messages():
    limiter = Limiter(LIMITS, 0.0)
    for now in (10.0, 20.0, 30.0):
        assert limiter.rate_throttle.asks is not (now == 10.0)
        limiter.slow_down(now, "rate")
    assert (limiter.pace, limiter.rate_throttle.found) == (0.5 / 16, 0.5)
