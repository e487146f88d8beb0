from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.mail import parse_rate
from bulkmail.shaping import DEFAULT_LIMITS, WHOLE, Gate, Part

LIMITS = replace(
    DEFAULT_LIMITS, connections=4, rate=parse_rate("4/s,burst=2"), connection_rate=parse_rate("2/s,burst=1")
)


def test_connections_open_gradually_and_only_so_many():
    gate = Gate(LIMITS, 0.0)
    assert gate.may_open(0.0) == 0.0
    gate.opened(0.0)
    assert gate.may_open(0.0) == 0.5
    for now in (0.5, 1.0, 1.5):
        gate.opened(now)
    assert gate.may_open(9.0) is None
    gate.closed()
    assert gate.may_open(9.0) == 9.0
    assert gate.open == 3


def test_messages_are_booked_and_given_back():
    gate = Gate(LIMITS, 0.0)
    assert [gate.reserve(0.0) for _ in range(3)] == [0.0, 0.0, 0.25]
    assert gate.give_back()
    assert gate.peek(0.0) == 0.25
    assert not gate.give_back()


def test_taken_over_it_starts_without_a_burst():
    gate = Gate(LIMITS, 0.0, empty=True)
    assert gate.reserve(0.0) == 0.25
    assert gate.may_open(0.0) == 0.5


def test_a_rate_signal_slows_messages_and_narrows():
    gate = Gate(LIMITS, 0.0)
    assert gate.slow_down(0.0, "rate")
    assert not gate.slow_down(1.0, "rate")
    assert gate.connections == 2
    assert gate.pace == (0.5, 0.5)
    assert [gate.reserve(0.0) for _ in range(3)] == [0.0, 0.5, 1.0]


def test_a_connections_signal_only_narrows():
    gate = Gate(LIMITS, 0.0)
    for n in range(4):
        gate.opened(n)
    assert gate.surplus == 0
    assert gate.slow_down(0.0, "connections")
    assert gate.pace == (1.0, 0.5)
    assert gate.may_open(10.0) is None
    assert gate.surplus == 2


@pytest.mark.parametrize("signal", ["", "greylist"])
def test_other_signals_change_nothing(signal):
    gate = Gate(LIMITS, 0.0)
    assert not gate.slow_down(0.0, signal)
    assert gate.pace == (1.0, 1.0)


def test_it_never_narrows_under_one_connection():
    gate = Gate(LIMITS, 0.0)
    for n in range(20):
        gate.slow_down(n * 10.0, "rate")
    assert gate.connections == 1
    single = Gate(replace(LIMITS, connections=1), 0.0)
    assert not single.slow_down(0.0, "connections")


def test_success_creeps_back_to_the_limits():
    gate = Gate(LIMITS, 0.0)
    assert not gate.speed_up(0.0)
    gate.slow_down(0.0, "rate")
    assert not gate.speed_up(1.0)
    assert gate.speed_up(30.0)
    assert gate.pace == (0.55, 0.55)
    for n in range(2, 20):
        gate.speed_up(n * 30.0)
    assert gate.pace == (1.0, 1.0)
    assert gate.connections == 4


def test_what_worked_before_is_where_it_starts():
    gate = Gate(LIMITS, 0.0, pace=(0.25, 0.5))
    assert gate.connections == 2
    assert [gate.reserve(0.0) for _ in range(2)] == [0.0, 1.0]


@given(st.lists(st.sampled_from(["open", "close", "slow", "wait"]), max_size=60))
def test_the_count_of_connections_is_never_exceeded(steps):
    gate, now, opened = Gate(LIMITS, 0.0), 0.0, []
    for step in steps:
        now += 0.25
        at = gate.may_open(now)
        assert (at is None) == (gate.open >= gate.connections)
        if step == "open" and at is not None and at <= now:
            gate.opened(now)
            opened.append(now)
            assert gate.open <= gate.connections
        elif step == "close" and gate.open:
            gate.closed()
        elif step == "slow":
            gate.slow_down(now, "connections")
        else:
            now += 1
    assert all(later - earlier >= 0.5 for earlier, later in pairwise(opened))


def test_closing_what_was_not_opened_is_a_bug():
    with pytest.raises(AssertionError):
        Gate(LIMITS, 0.0).closed()


def test_repr_tells_the_counts():
    gate = Gate(LIMITS, 0.0)
    gate.opened(0.0)
    assert repr(gate) == "<Gate 1 of 4 connections open, messages <Meter 4/s,burst=2, next slot from -0.250>>"


def test_with_a_smaller_part_it_is_within_it_when_connections_have_closed_and_booked_slots_are_over():
    gate = Gate(LIMITS, 0.0)
    for n in range(4):
        gate.opened(n)
    assert [gate.reserve(0.0) for _ in range(5)] == [0.0, 0.0, 0.25, 0.5, 0.75]
    gate.become(Part(frozenset({2}), 2), 0.25)
    assert (gate.connections, gate.surplus) == (2, 2)
    assert gate.peek(0.25) == 1.25
    assert not gate.within(0.75)
    gate.closed()
    gate.closed()
    assert not gate.within(0.5)
    assert gate.within(0.75)
    assert gate.may_open(9.0) is None
    gate.become(WHOLE, 0.75)
    assert gate.connections == 4


def test_what_a_receiver_lets_us_use_means_the_same_to_whoever_has_another_part():
    gate = Gate(LIMITS, 0.0, part=Part(frozenset({1}), 4))
    assert gate.connections == 1
    gate.slow_down(0.0, "rate")
    gate.slow_down(20.0, "rate")
    assert gate.pace == (0.25, 0.25)
    whole = Gate(LIMITS, 0.0, pace=gate.pace)
    assert whole.connections == 1
    whole.become(Part(frozenset({1, 2}), 4), 0.0)
    assert whole.pace == (0.25, 0.25)
    assert [whole.reserve(10.0) for _ in range(3)] == [10.0, 12.0, 14.0]


def test_a_pace_can_be_forgotten():
    gate = Gate(LIMITS, 0.0, pace=(0.25, 0.25))
    assert gate.connections == 1
    gate.forget_pace()
    assert (gate.pace, gate.connections) == ((1.0, 1.0), 4)
    slow, whole = gate.reserve(0.0), Gate(LIMITS, 0.0)
    whole.reserve(0.0)
    assert slow <= whole.reserve(0.0)
