from __future__ import annotations

from types import SimpleNamespace

import pytest

from bulkmail.delivery.queueing.queues import Queue
from bulkmail.delivery.queueing.supply import LARGEST_TARGET, Supply
from bulkmail.delivery.run import Run

RUN = Run(1, "spring", "/c", {}, "retry", 0.0)


class Scene:
    def __init__(self, queues=1):
        self.lane = SimpleNamespace(closed=False, suspended=False, held=0, starved=False)
        self.lane.backlog = self.lane
        self.wanted, self.suspended, self.holds = [], [], []
        self.supply = Supply(
            lambda _: self.lane,
            hold=self.holds.append,
            wanted=self.wanted.append,
            suspended=self.suspended.append,
        )
        self.queues = [Queue(n, RUN, f"d{n}.example") for n in range(queues)]
        for queue in self.queues:
            self.supply.queues.add(queue)


def test_messages_are_asked_for_once_half_of_the_target_is_missing():
    scene = Scene()
    for held in (8, 4, 3):
        scene.lane.held = held
        scene.supply.below_target()
    assert (scene.wanted, scene.supply.wanted) == ([scene.supply], 5)


@pytest.mark.parametrize("why", ["closed", "suspended"])
def test_a_lane_that_sends_nothing_wants_nothing(why):
    scene = Scene()
    setattr(scene.lane, why, True)
    assert scene.supply.wanted == 0
    assert Scene(queues=0).supply.wanted == 0


def test_deep_queues_are_claimed_from_one_by_one_and_small_ones_several_at_once():
    scene = Scene(queues=10)
    assert scene.supply.next_queues(8) == [(scene.queues[0], 8)]
    for _ in range(3):
        scene.supply.spread(emptied=True)
    assert [limit for _, limit in scene.supply.next_queues(8)] == [2, 2, 2, 2]
    scene.supply.spread(emptied=False)
    assert [limit for _, limit in scene.supply.next_queues(8)] == [2, 2, 2, 2]
    scene.supply.spread(emptied=False)
    assert [limit for _, limit in scene.supply.next_queues(8)] == [4, 4]


def test_a_queue_whose_claim_is_under_way_is_left_out():
    scene = Scene(queues=3)
    scene.queues[0].claiming = scene.queues[2].claiming = True
    assert scene.supply.next_queues(8) == [(scene.queues[1], 8)]
    scene.queues[1].claiming = True
    assert scene.supply.next_queues(8) == []


def test_the_target_doubles_while_the_lane_runs_dry_during_claims():
    scene = Scene()
    targets = []
    for starved in (True, False, True):
        scene.lane.starved = starved
        scene.supply.claims = 2
        scene.supply.claim_ended()
        targets.append(scene.supply.target)
        scene.supply.claim_ended()
        targets.append(scene.supply.target)
    assert targets == [8, 16, 16, 16, 16, 32], "looked at with the last claim of a round"
    scene.lane.starved = True
    for _ in range(20):
        scene.supply.claims = 1
        scene.supply.claim_ended()
    assert scene.supply.target == LARGEST_TARGET


def test_what_the_lane_tells_goes_on():
    scene = Scene()
    scene.supply.hold(-1)
    scene.supply.suspended()
    assert (scene.holds, scene.suspended) == ([-1], [scene.supply])
