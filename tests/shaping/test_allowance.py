from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.mail import Rate, parse_rate
from bulkmail.shaping import Allowance

STEPS = st.lists(
    st.tuples(st.sampled_from([0.0, 0.125, 0.5, 1.0, 4.0]), st.sampled_from(["take", "sent", "back"])), max_size=80
)


@given(st.integers(1, 5), STEPS)
def test_no_window_has_more_messages_than_burst_and_pace(burst, steps):
    now, rate = 1000.0, Rate(1, 0.5, burst)
    allowance, taken = Allowance(rate, None, 1000.0), []
    for wait, what in steps:
        now += wait
        if what == "take":
            for _ in range(allowance.available(now)):
                allowance.take(1, now)
                taken.append(now)
        elif what == "sent" and allowance.under_way:
            allowance.settled(sent=True)
        elif what == "back" and allowance.under_way and taken:
            allowance.give_back(1)
            taken.pop()
    for first in range(len(taken)):
        for last in range(first, len(taken)):
            assert last - first + 1 <= rate.burst + (taken[last] - taken[first]) / rate.interval + 1


@given(st.integers(0, 10), st.integers(0, 12), STEPS)
def test_a_day_never_has_more_than_its_messages(per_day, sent, steps):
    allowance = Allowance(None, per_day, 0.0)
    allowance.day(sent, 1.0, 0.0)
    for _, what in steps:
        if what == "take" and (room := allowance.available(1.0)):
            allowance.take(room, 1.0)
        elif what == "sent" and allowance.under_way:
            allowance.settled(sent=True)
        elif what == "back" and allowance.under_way:
            allowance.give_back(1)
        assert allowance.sent_today + allowance.under_way <= max(per_day, sent)
        assert allowance.spent is (allowance.sent_today + allowance.under_way >= per_day)


def test_it_starts_without_a_burst_and_gathers_a_tenth_of_a_second():
    allowance = Allowance(parse_rate("100/s,burst=100"), None, 0.0)
    assert allowance.available(0.0) == 0
    assert allowance.next_at(0.0) == pytest.approx(0.1)
    assert allowance.available(0.101) == 10
    assert allowance.available(60.0) == 100
    allowance.take(100, 60.0)
    assert allowance.available(60.0) == 0
    allowance.give_back(2)
    allowance.settled(sent=False)
    assert allowance.available(60.0) == 3
    allowance.take(50, None)
    assert allowance.available(60.0) == 3
    slow = Allowance(parse_rate("3600/h"), None, 0.0)
    assert slow.next_at(0.0) == 1.0


def test_without_limits_all_may_be_taken():
    allowance = Allowance(None, None, 0.0)
    assert allowance.available(0.0) > 1_000_000
    assert allowance.next_at(5.0) == 5.0
    assert not allowance.spent


def test_a_new_day_counts_what_is_still_under_way():
    allowance = Allowance(None, 10, 0.0)
    allowance.take(10, 0.0)
    assert allowance.spent
    assert allowance.next_at(0.0) is None
    for _ in range(7):
        allowance.settled(sent=True)
    allowance.day(0, 1.0, 100.0)
    assert allowance.available(100.0) == 7


def test_machines_divide_rate_and_day():
    allowance = Allowance(parse_rate("100/s,burst=100"), 1000, 0.0)
    allowance.day(400, 0.5, 0.0)
    assert allowance.available(10.0) == 50
    allowance.take(50, 10.0)
    assert allowance.available(11.0) == 50
    assert allowance.next_at(10.0) == pytest.approx(10.1)
    for second in range(11, 60):
        allowance.take(min(50, allowance.available(second)), second)
    assert allowance.under_way == 300
    assert allowance.spent
