from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bulkmail.shaping import Pace


def test_a_signal_halves_and_ten_at_once_are_one():
    pace = Pace()
    assert pace.signal(100.0)
    assert not any(pace.signal(100.0 + n / 10) for n in range(10))
    assert pace.factor == 0.5
    assert pace.signal(110.0)
    assert pace.factor == 0.25


def test_success_adds_a_tenth_a_step():
    pace = Pace(0.5)
    pace.signal(0.0)
    assert not pace.success(29.9)
    assert pace.success(30.0)
    assert not pace.success(30.1)
    assert pace.factor == 0.25 * 1.1


def test_a_deaf_signal_still_holds_the_growth_back():
    pace = Pace()
    pace.signal(0.0)
    pace.signal(5.0)
    assert not pace.success(34.0)
    assert pace.success(35.0)


def test_it_stops_at_the_floor_and_at_all_of_it():
    pace = Pace(floor=0.25)
    for n in range(10):
        pace.signal(n * 10.0)
    assert pace.factor == 0.25
    assert not pace.signal(1000.0)
    now = 2000.0
    while pace.factor < 1.0:
        now += 30.0
        assert pace.success(now)
    assert pace.factor == 1.0
    assert not pace.success(now + 30.0)


@given(st.lists(st.tuples(st.floats(0, 100), st.booleans()), max_size=100), st.floats(0.001, 5))
def test_it_stays_between_the_floor_and_one(events, start):
    pace, now = Pace(start), 0.0
    for pause, good in events:
        now += pause
        before = pace.factor
        changed = pace.success(now) if good else pace.signal(now)
        assert changed == (pace.factor != before)
        assert 1 / 1024 <= pace.factor <= 1.0


def test_repr():
    assert repr(Pace(0.5)) == "<Pace 0.5>"
