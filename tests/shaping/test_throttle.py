from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bulkmail.shaping import Throttle


def test_a_signal_halves_and_ten_at_once_are_one():
    throttle = Throttle()
    assert throttle.signal(100.0)
    assert not any(throttle.signal(100.0 + n / 10) for n in range(10))
    assert throttle.factor == 0.5
    assert throttle.signal(110.0)
    assert throttle.factor == 0.25


def test_success_adds_a_tenth_a_step():
    throttle = Throttle(0.5)
    throttle.signal(0.0)
    assert not throttle.success(29.9)
    assert throttle.success(30.0)
    assert not throttle.success(30.1)
    assert throttle.factor == 0.25 * 1.1


def test_a_deaf_signal_still_holds_the_growth_back():
    throttle = Throttle()
    throttle.signal(0.0)
    throttle.signal(5.0)
    assert not throttle.success(34.0)
    assert throttle.success(35.0)


def test_it_stops_at_the_floor_and_at_all_of_it():
    throttle = Throttle(floor=0.25)
    for n in range(10):
        throttle.signal(n * 10.0)
    assert throttle.factor == 0.25
    assert not throttle.signal(1000.0)
    now = 2000.0
    while throttle.factor < 1.0:
        now += 30.0
        assert throttle.success(now)
    assert throttle.factor == 1.0
    assert not throttle.success(now + 30.0)


@given(st.lists(st.tuples(st.floats(0, 100), st.booleans()), max_size=100), st.floats(0.001, 5))
def test_it_stays_between_the_floor_and_one(events, start):
    throttle, now = Throttle(start), 0.0
    for pause, good in events:
        now += pause
        before = throttle.factor
        changed = throttle.success(now) if good else throttle.signal(now)
        assert changed == (throttle.factor != before)
        assert 1 / 1024 <= throttle.factor <= 1.0


def test_repr():
    assert repr(Throttle(0.5)) == "<Throttle 0.5>"
