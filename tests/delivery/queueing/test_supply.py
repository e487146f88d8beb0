from __future__ import annotations

from collections import defaultdict
from types import SimpleNamespace

import pytest

from bulkmail.delivery.queueing.queues import Queue
from bulkmail.delivery.queueing.supply import LARGEST_TARGET, Supply
from bulkmail.delivery.run import Run

RUN = Run(1, "spring", "/c", {}, "retry", 0.0)
LARGE = Run(2, "large", "/d", {"priority": "high"}, "retry", 0.0)


class Lane(SimpleNamespace):
    closed = suspended = starved = False

    def __init__(self):
        self.backlog, self.held_of = self, defaultdict(int)

    @property
    def held(self):
        return sum(self.held_of.values())

    def forget_others(self, runs):
        for run in [run for run, held in self.held_of.items() if not held and run not in runs]:
            del self.held_of[run]


class Scene:
    def __init__(self, queues=1):
        self.lane = Lane()
        self.wanted, self.suspended, self.holds = [], [], []
        self.supply = Supply(
            lambda _: self.lane,
            hold=lambda *given: self.holds.append(given),
            wanted=lambda *given: self.wanted.append(given),
            suspended=self.suspended.append,
        )
        self.queues = [Queue(n, RUN, f"d{n}.example") for n in range(queues)]
        for queue in self.queues:
            self.supply.add(queue)


def test_messages_are_asked_for_once_half_of_the_target_is_missing():
    scene = Scene()
    for held in (8, 4, 3):
        scene.lane.held_of[RUN] = held
        scene.supply.below_target()
    assert (scene.wanted, scene.supply.wanted(RUN)) == ([(scene.supply, RUN)], 5)


def test_a_campaign_that_comes_to_a_full_lane_gets_its_share_at_once():
    scene = Scene()
    scene.supply.target = 1024
    scene.lane.held_of[RUN] = 1024
    scene.supply.below_target()
    assert scene.wanted == []
    queue = Queue(9, LARGE, "d0.example")
    scene.supply.add(queue)
    scene.supply.below_target()
    assert scene.wanted == [(scene.supply, LARGE)]
    assert (scene.supply.wanted(RUN), scene.supply.wanted(LARGE)) == (0, 768), "3 and 9"
    assert scene.supply.next_claims(LARGE, 768) == [(queue, 768)]
    scene.lane.held_of[LARGE] = 768
    scene.lane.held_of[RUN] = 200
    assert (scene.supply.wanted(RUN), scene.supply.wanted(LARGE)) == (56, 0)
    scene.supply.discard(queue)
    assert (scene.supply.wanted(RUN), scene.supply.wanted(LARGE)) == (824, 0)
    assert scene.supply.next_claims(LARGE, 768) == []


@pytest.mark.parametrize("why", ["closed", "suspended"])
def test_a_lane_that_sends_nothing_wants_nothing(why):
    scene = Scene()
    setattr(scene.lane, why, True)
    assert scene.supply.wanted(RUN) == 0
    assert Scene(queues=0).supply.wanted(RUN) == 0
    if why == "closed":
        scene.supply.below_target()
        assert scene.wanted == []


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
    scene.supply.hold(-1, RUN)
    scene.supply.suspended()
    assert (scene.holds, scene.suspended) == ([(-1, RUN)], [scene.supply])
    assert (bool(scene.supply), len(scene.supply), list(scene.supply)) == (True, 1, scene.queues)
    scene.supply.clear()
    assert (bool(scene.supply), len(scene.supply), scene.supply.wanted(RUN)) == (False, 0, 0)
