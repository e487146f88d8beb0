from __future__ import annotations

from collections import Counter, deque
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.delivery.lane.in_turn import InTurn
from bulkmail.delivery.message import Message
from bulkmail.delivery.run import Run

RUNS = [Run(n, f"c{n}", "/c", {"priority": p}, "retry", 0.0) for n, p in enumerate(("normal", "low", "normal", "high"))]


def message(run, number=0):
    return Message(SimpleNamespace(id=number), "a.example", run, SimpleNamespace())


class Scene:
    def __init__(self):
        self.ready = deque()
        self.order = InTurn(self.ready)

    def add(self, run, count):
        for number in range(count):
            self.order.add(message(RUNS[run], number))

    def take(self, count):
        return [self.ready.popleft().run.id for _ in range(count)]


def test_one_campaign_alone_is_in_order_and_nothing_is_counted():
    scene = Scene()
    scene.add(0, 50)
    assert [one.claimed.id for one in scene.ready] == list(range(50))
    assert {one.turn for one in scene.ready} == {0.0}


def test_a_campaign_that_comes_later_is_next_and_has_its_share_from_there():
    scene = Scene()
    scene.add(0, 1000)
    scene.take(300)
    scene.add(2, 40)
    assert scene.take(8) == [0, 2, 0, 2, 0, 2, 0, 2]
    assert scene.take(200).count(2) == 36


@pytest.mark.parametrize(("other", "share"), [(1, 0.25), (2, 0.5), (3, 0.75)])
def test_shares_are_by_weight(other, share):
    scene = Scene()
    scene.add(0, 600)
    scene.add(other, 600)
    taken = []
    for _ in range(300):
        taken += scene.take(1)
        scene.add(taken[-1], 1)
    assert Counter(taken)[other] == pytest.approx(300 * share, abs=2)


def test_what_comes_back_is_next_and_changes_no_turns():
    scene = Scene()
    scene.add(0, 3)
    back = message(RUNS[1])
    scene.ready.appendleft(back)
    scene.add(2, 3)
    assert scene.ready[0] is back
    assert sorted(scene.take(7)) == [0, 0, 0, 1, 2, 2, 2]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 9), st.integers(0, 9)), max_size=40))
def test_whatever_comes_and_goes_each_campaign_keeps_its_order_and_nothing_is_lost(steps):
    scene, number, added, taken = Scene(), 0, Counter(), []
    for run, count, leave in steps:
        for _ in range(count):
            number += 1
            scene.order.add(message(RUNS[run], number))
            added[run] += 1
        taken += [scene.ready.popleft() for _ in range(min(leave, len(scene.ready)))]
    taken += scene.ready
    assert Counter(one.run.id for one in taken) == added
    for run in RUNS:
        mine = [one.claimed.id for one in taken if one.run is run]
        assert mine == sorted(mine)
