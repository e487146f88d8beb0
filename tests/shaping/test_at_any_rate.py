from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulkmail.shaping.at_any_rate import ComplaintsAtAnyRate

LONGEST = 60.0


def taking(rate, seconds=20.0, start=0.0):
    """One that was sent to at this rate for so long, without a complaint."""
    known = ComplaintsAtAnyRate()
    for n in range(int(rate * seconds) + 1):
        known.accepted(start + n / rate, 1, LONGEST)
    return known


def test_what_is_taken_is_measured_over_ten_seconds_and_thirty_messages():
    assert taking(50).taken == 50.0
    assert taking(50, seconds=9).taken == 0.0
    assert taking(0.5, seconds=58).taken == 0.0
    assert taking(0.5, seconds=62).taken == 0.5


def test_a_time_without_messages_is_not_counted():
    known = taking(50, seconds=9)
    for n in range(501):
        known.accepted(1000.0 + n / 50, 1, LONGEST)
    assert known.taken == 50.0


def test_the_third_complaint_in_a_row_that_is_out_of_place_is_borne():
    known = taking(40)
    assert [known.refused(30.0 + n, rate) for n, rate in enumerate((29, 31, 29, 20, 10))] == [False] * 4 + [True]
    assert known.borne


def test_five_among_fewer_than_sixty_are_a_limit_and_tell_what_it_takes():
    known = taking(40)
    told = [known.refused(30.0 + n, 20) for n in range(3)]
    for n in range(4):
        for m in range(5):
            known.accepted(40.0 + n + m / 10, 1, LONGEST)
        told.append(known.refused(40.5 + n, 20))
    assert told == [False, False, True, True, True, True, False]
    assert not known.borne
    assert known.taken == pytest.approx(20 / 11.5)


def test_after_a_limit_one_complaint_out_of_place_is_enough():
    known = taking(40)
    told = [known.refused(30.0 + n / 1000, 20) for n in range(7)]
    assert told == [False, False, True, True, True, True, False]
    known.taken = 40.0
    assert known.refused(60.0, 20)


SEGMENTS = st.lists(st.tuples(st.floats(0.02, 3.0), st.floats(0.1, 30.0)), min_size=1, max_size=12)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from([0.5, 5.0, 37.0]), SEGMENTS)
def test_at_a_limit_that_stays_as_it_is_nothing_is_borne(limit, segments):
    """A bucket as deep as one second, sent to at any rates one after the other, each until it complains."""
    known, due, now = ComplaintsAtAnyRate(), 0.0, 0.0
    for part, seconds in segments:
        rate, end = part * limit, now + seconds
        while now < end:
            due = max(due, now)
            if due - now > 1.0:
                assert not known.refused(now, rate)
                now += 1.0 / limit + 1.0  # the rest after a cut
                break
            due += 1.0 / limit
            known.accepted(now, 1, LONGEST)
            now += 1.0 / rate
    assert not known.borne


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 30), st.floats(0.1, 50.0)), max_size=60))
def test_no_five_among_fewer_than_sixty_are_all_borne_and_none_before_three_are_out_of_place(events):
    known, now, answered, borne, odd, ever = taking(40), 30.0, 0, [], 0, False
    for accepted, rate in events:
        for _ in range(accepted):
            now += 0.02
            known.accepted(now, 1, LONGEST)
        now += 0.02
        answered += accepted + 1
        odd = odd + 1 if rate < 0.75 * known.taken else 0
        if known.refused(now, rate):
            assert ever or odd >= 3
            ever = True
            borne.append(answered)
        else:
            borne.clear()
        assert len(borne) < 5 or borne[-1] - borne[-5] >= 60


def test_repr():
    assert repr(taking(40)) == "<ComplaintsAtAnyRate not borne, 40/s taken>"
