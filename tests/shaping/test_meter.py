from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bulkmail.mail import Rate, parse_rate
from bulkmail.shaping import Meter

# whole seconds and binary fractions, so that the sums are exact and the law is tested without a tolerance
RATES = st.builds(
    lambda interval, burst: Rate(1, interval, burst),
    st.sampled_from([0.125, 0.25, 1.0, 2.0, 60.0]),
    st.integers(1, 8),
)
PAUSES = st.lists(st.sampled_from([0.0, 0.0, 0.125, 0.5, 1.0, 3.0, 100.0]), min_size=1, max_size=60)


@given(RATES, PAUSES, st.booleans())
def test_no_window_holds_more_than_burst_and_pace(rate, pauses, empty):
    now, meter, booked = 1000.0, Meter(rate, 1000.0, empty=empty), []
    for pause in pauses:
        now += pause
        expected = meter.peek(now)
        at = meter.reserve(now)
        assert at == expected >= now
        booked.append(at)
    assert booked == sorted(booked)
    for first in range(len(booked)):
        for last in range(first, len(booked)):
            window = booked[last] - booked[first]
            assert last - first + 1 <= rate.burst + window / rate.interval


def test_a_burst_then_an_even_pace():
    meter = Meter(parse_rate("10/s,burst=3"), 0.0)
    assert [round(meter.reserve(0.0), 6) for _ in range(6)] == [0.0, 0.0, 0.0, 0.1, 0.2, 0.3]


def test_an_empty_burst_starts_one_interval_late():
    meter = Meter(parse_rate("10/s,burst=3"), 0.0, empty=True)
    assert [round(meter.reserve(0.0), 6) for _ in range(3)] == [0.1, 0.2, 0.3]


def test_part_of_the_rate_stretches_interval_and_burst():
    meter = Meter(parse_rate("4/s,burst=4"), 0.0)
    meter.scale(0.5)
    assert meter.factor == 0.5
    assert [meter.reserve(10.0) for _ in range(4)] == [10.0, 10.0, 10.5, 11.0]
    meter.scale(1.0)
    assert meter.reserve(20.0) == 20.0


def test_the_burst_never_falls_under_one():
    meter = Meter(parse_rate("1/s"), 0.0)
    meter.scale(0.25)
    assert [meter.reserve(0.0) for _ in range(3)] == [0.0, 4.0, 8.0]


def test_repr_tells_the_next_slot():
    meter = Meter(parse_rate("1/s"), 5.0)
    meter.reserve(5.0)
    assert repr(meter) == "<Meter 1/s,burst=1, next slot from 6.000>"
    meter.scale(0.5)
    assert repr(meter) == "<Meter 1/s,burst=1 at 0.5, next slot from 6.000>"


def test_another_rate_adds_nothing_to_what_is_left_of_the_burst():
    meter = Meter(Rate(4, 1.0, 4), 0.0)
    assert [meter.reserve(0.0) for _ in range(3)] == [0.0, 0.0, 0.0]
    meter.become(Rate(8, 1.0, 8), 0.0)
    assert [meter.reserve(0.0) for _ in range(3)] == [0.0, 0.125, 0.25]
    full = Meter(Rate(8, 1.0, 8), 0.0)
    full.become(Rate(4, 1.0, 2), 10.0)
    assert [full.reserve(10.0) for _ in range(3)] == [10.0, 10.0, 10.25]


def test_at_another_rate_booked_slots_keep_their_times_and_the_next_comes_behind_them():
    meter = Meter(Rate(4, 1.0, 1), 0.0)
    assert [meter.reserve(0.0) for _ in range(5)] == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert meter.booked_until == 1.0
    meter.become(Rate(1, 1.0, 1), 0.25)
    assert meter.peek(0.25) == 2.0
    meter.become(Rate(10, 1.0, 5), 0.5)
    assert meter.peek(0.5) == 1.1


def test_another_rate_keeps_the_receivers_part_of_it():
    meter = Meter(Rate(4, 1.0, 4), 0.0, empty=True)
    meter.scale(0.5)
    meter.become(Rate(2, 1.0, 2), 0.0)
    assert meter.factor == 0.5
    assert [meter.reserve(0.0) for _ in range(2)] == [1.0, 2.0]
