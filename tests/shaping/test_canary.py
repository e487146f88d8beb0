from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from bulkmail.shaping import GREYLISTED, Canary

WAIT = 60.0
MANY = 1 << 20


def test_nothing_more_is_taken_until_nine_tenths_are_answered_and_half_are_final():
    canary = Canary(10, wait=WAIT)
    assert canary.available(0.0) == 10
    canary.take(10)
    assert canary.available(0.0) == 0
    assert canary.next_at(0.0) is None  # answers are waited for
    assert [canary.answered(final=n < 5) for n in range(8)] == [False] * 8
    assert canary.available(0.0) == 0
    assert canary.answered(final=False)
    assert canary.passed
    assert canary.available(0.0) > MANY
    assert not canary.answered(final=False)  # the last one changes nothing any more


def test_what_had_no_attempt_is_given_back():
    canary = Canary(10, wait=WAIT)
    canary.take(8)
    canary.give_back(5)
    assert canary.available(0.0) == 7
    assert canary.under_way == 3


def test_a_receiver_that_greylists_gets_the_slots_once_more():
    canary = Canary(10, wait=WAIT)
    canary.take(10)
    assert [canary.answered(final=False) for _ in range(10)].count(True) == 1
    assert canary.available(100.0) == 0
    assert canary.next_at(100.0) == 100.0 + WAIT
    assert canary.available(159.9) == 0
    assert canary.available(160.0) == 10
    canary.take(10)
    assert [canary.answered(final=True) for _ in range(10)].count(True) == 1
    assert canary.passed


def test_a_receiver_that_always_defers_holds_it_for_three_rounds():
    canary, now, taken = Canary(10, wait=WAIT), 0.0, 0
    while not canary.passed:
        count = canary.available(now)
        if canary.passed:
            break
        canary.take(count)
        taken += count
        for _ in range(count):
            canary.answered(final=False)
        now += WAIT / 2
    assert taken == 30
    assert now <= 5 * WAIT


def test_a_start_goes_on_where_the_last_process_was():
    assert Canary(10, final=10).passed
    assert Canary(10, final=5, deferred=4).passed
    assert Canary(10, final=4).available(0.0) == 6
    waiting = Canary(10, final=1, deferred=9)
    assert waiting.available(5.0) == 0
    assert waiting.next_at(5.0) == 5.0 + GREYLISTED
    assert "round 1" in repr(waiting)
    assert "passed" in repr(Canary(1, final=1))


@given(
    first=st.integers(1, 30),
    steps=st.lists(st.tuples(st.sampled_from(["take", "back", "final", "deferred", "wait"]), st.integers(1, 40))),
)
@settings(max_examples=100)
def test_before_it_is_passed_no_more_are_tried_or_under_way_than_the_rounds_have_slots(first, steps):
    canary, now, answered, rounds = Canary(first, wait=WAIT), 0.0, 0, 1
    for what, count in steps:
        for _ in range(count):
            if what == "take" and canary.available(now):
                canary.take(1)
            elif what == "back" and canary.under_way:
                canary.give_back(1)
            elif what in ("final", "deferred") and canary.under_way:
                canary.answered(final=what == "final")
                answered += 1
            elif what == "wait":
                before = canary.available(now)
                now += WAIT
                rounds += not before and canary.available(now) == first
            if canary.passed:
                return
        assert answered + canary.under_way <= rounds * first
        assert rounds <= 3
