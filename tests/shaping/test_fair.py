from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.shaping import WEIGHTS, Turns, room_for, share_of


@dataclass(eq=False)
class Campaign:
    weight: int


WEIGHT = st.sampled_from(sorted(WEIGHTS.values()))
FLOWS = st.lists(WEIGHT.map(Campaign), min_size=2, max_size=6)
COST = st.floats(0.1, 16.0)


def test_each_priority_is_three_times_the_one_below_it():
    assert WEIGHTS == {"low": 1, "normal": 3, "high": 9, "transactional": 27}


@given(FLOWS)
def test_shares_are_as_the_weights_within_a_tenth(flows):
    turns, served = Turns(), dict.fromkeys(flows, 0)
    rounds = 20 * sum(flow.weight for flow in flows)
    for _ in range(rounds):
        flow = turns.next(flows)
        turns.use(flow)
        served[flow] += 1
    weights = sum(flow.weight for flow in flows)
    for flow in flows:
        assert served[flow] == pytest.approx(rounds * flow.weight / weights, rel=0.1)


@given(FLOWS, st.data())
def test_with_any_costs_nobody_is_ahead_by_more_than_a_turn_of_each(flows, data):
    """The bound of start-time fair queueing, at every moment; costs are known after the turn has begun."""
    turns, used = Turns(), dict.fromkeys(flows, 0.0)
    for _ in range(60):
        flow = turns.next(flows)
        cost = data.draw(COST)
        turns.use(flow, cost)
        used[flow] += cost
        for one in flows:
            for other in flows:
                ahead = used[one] / one.weight - used[other] / other.weight
                assert ahead <= 16.0 / one.weight + 16.0 / other.weight + 1e-6


@given(FLOWS, st.integers(0, 500), WEIGHT)
def test_a_flow_that_comes_later_waits_for_one_turn_of_each_other_and_has_saved_nothing_up(flows, before, weight):
    turns = Turns()
    for _ in range(before):
        turns.use(turns.next(flows))
    late = Campaign(weight)
    order = []
    for _ in range(200):
        order.append(turns.next([*flows, late]))
        turns.use(order[-1])
    first = order.index(late)
    # in the time that a turn of the heaviest takes, each other one has at most what its weight allows, and one more
    assert first <= sum(1 + flow.weight // min(one.weight for one in flows) for flow in flows)
    weights = sum(flow.weight for flow in flows) + weight
    assert order.count(late) <= 200 * weight / weights + 2 + len(flows)


@given(st.lists(st.lists(st.integers(0, 5), min_size=1, unique=True), max_size=60))
def test_whoever_waits_is_served_and_nobody_else(rounds):
    flows = [Campaign(weight) for weight in (1, 3, 9, 27, 3, 1)]
    turns, reached = Turns(), 0.0
    for waiting in rounds:
        flow = turns.next(flows[n] for n in waiting)
        assert flow in [flows[n] for n in waiting]
        turns.use(flow)
        assert turns.reached >= reached
        reached = turns.reached


def test_without_a_flow_none_is_next():
    with pytest.raises(ValueError, match="empty"):
        Turns().next([])


def test_flows_that_are_gone_are_forgotten():
    turns = Turns()
    for _ in range(1000):
        flow = Campaign(1)
        turns.next([flow])
        turns.use(flow)
        turns.reached += 2
    assert len(turns._ends) <= 64


@given(st.integers(2000, 30_000), st.integers(1, 8))
def test_there_is_room_for_one_more_flow_whatever_the_others_hold(whole, flows):
    """Each gives back a little, and takes what it may, in turn."""
    held = [0] * flows
    for _ in range(100):
        for n in range(flows):
            held[n] -= held[n] // 5
            room = room_for(held[n], whole - sum(held))
            assert 0 <= room <= whole - sum(held)
            held[n] += room
    free = whole - sum(held)
    assert room_for(0, free) >= whole // 80, "a new one begins at once"
    assert max(held) - min(held) <= 0.1 * whole, "nobody stays ahead for having come first"
    assert sum(held) >= whole * 0.8, "little is left unused"


def test_one_alone_may_hold_the_only_place():
    assert [room_for(0, free) for free in (0, 1, 2, 8)] == [0, 1, 2, 7]
    assert [room_for(held, 8 - held) for held in range(9)] == [7, 6, 5, 4, 3, 2, 1, 0, 0]


def test_a_share_is_by_weight_and_never_less_than_the_least():
    assert [share_of(weight, 40, 1024, 4) for weight in (1, 3, 9, 27)] == [25, 76, 230, 691]
    assert share_of(1, 28, 8, 4) == 4
