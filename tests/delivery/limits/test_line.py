from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.delivery.limits.line import Line


class Campaign:
    def __init__(self, weight=3):
        self.weight = weight


def test_those_of_one_campaign_are_served_as_they_came_and_each_once():
    line, campaign = Line(), Campaign()
    for waiter in ("a", "b", "a", "c"):
        line.add(waiter, campaign)
    assert (len(line), "a" in line, "d" in line) == (3, True, False)
    assert [line.pop() for _ in range(3)] == ["a", "b", "c"]
    assert not line
    with pytest.raises(StopIteration):
        line.pop()


def test_one_lane_is_not_behind_thousands_of_another_campaign():
    line, large, small = Line(), Campaign(), Campaign()
    for n in range(5000):
        line.add(n, large)
    assert [line.pop() for _ in range(3)] == [0, 1, 2]
    line.add("small", small)
    assert "small" in [line.pop() for _ in range(2)]
    assert [line.pop() for _ in range(3)] == [4, 5, 6]


def test_campaigns_are_served_by_weight():
    line, served, low, high = Line(), Counter(), Campaign(1), Campaign(9)
    for n in range(400):
        line.add(("low", n), low)
        line.add(("high", n), high)
    for _ in range(200):
        served[line.pop()[0]] += 1
    assert served["low"] == pytest.approx(20, abs=1)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 20), st.booleans()), max_size=60))
def test_whoever_waits_comes_out_once(steps):
    campaigns = [None, Campaign(1), Campaign(3), Campaign(27)]
    line, waiting = Line(), set()
    for campaign, waiter, take in steps:
        if take and waiting:
            waiting.remove(line.pop())
        elif not take:
            line.add(waiter, campaigns[campaign])
            waiting.add(waiter)
        assert len(line) == len(waiting)
        assert all(one in line for one in waiting)
    assert {line.pop() for _ in range(len(line))} == waiting
