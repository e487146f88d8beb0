from __future__ import annotations

from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st

from bulkmail.delivery.queueing.supply import FIRST_TARGET, TURN, Supply
from bulkmail.delivery.queueing.wanting import Wanting
from bulkmail.delivery.run import Run

RUN, OTHER = (
    Run(n, f"c{n}", f"/{n}", {"priority": priority}, "retry", 0.0) for n, priority in ((1, "low"), (2, "high"))
)


class Scene:
    def __init__(self, lanes):
        self.now, self.scarce = 0.0, True
        self.wanting = Wanting(lambda: self.now, lambda: self.scarce)
        self.supplies = [
            Supply(lambda _: SimpleNamespace(), hold=print, wanted=print, suspended=print) for _ in range(lanes)
        ]
        for supply in self.supplies:
            self.wanting.add(supply, RUN)

    def next(self):
        return self.supplies.index(self.wanting.in_order()[RUN][-1])

    def feed(self, messages=FIRST_TARGET, *, again=True):
        """Feed the next one; it wants more at once. Return which one it was."""
        fed = self.next()
        self.wanting.fed(self.supplies[fed], RUN, messages)
        if again:
            self.wanting.add(self.supplies[fed], RUN)
        return fed


def test_a_lane_keeps_its_turn_and_is_the_last_then():
    scene = Scene(3)
    each = TURN // FIRST_TARGET
    assert [scene.feed() for _ in range(4 * each)] == [0] * each + [1] * each + [2] * each + [0] * each


def test_while_there_are_connections_enough_lanes_are_fed_in_a_circle():
    scene = Scene(3)
    scene.scarce = False
    assert [scene.feed() for _ in range(7)] == [0, 1, 2, 0, 1, 2, 0]


def test_a_turn_ends_by_the_clock_too():
    scene = Scene(2)
    assert (scene.feed(again=False), scene.next()) == (0, 1)
    scene.now = 21.0
    scene.wanting.add(scene.supplies[0], RUN)
    assert scene.next() == 1


def test_a_lane_that_is_fed_or_leaves_wants_nothing():
    scene = Scene(2)
    first, second = scene.supplies
    scene.wanting.add(first, OTHER)
    assert scene.wanting.weights == RUN.weight + OTHER.weight
    scene.wanting.fed(first, RUN, 8)
    assert first not in scene.wanting.of(RUN)
    assert second in scene.wanting.of(RUN)
    assert first in scene.wanting.of(OTHER)
    scene.wanting.discard(second)
    assert scene.wanting.in_order() == {OTHER: [first]}
    assert (RUN in scene.wanting.in_order(), first in scene.wanting.of(RUN)) == (False, False)
    scene.wanting.clear()
    assert not scene.wanting


@given(
    st.integers(1, 6),
    st.lists(st.tuples(st.integers(1, 70), st.floats(0, 9), st.booleans(), st.booleans()), min_size=1, max_size=60),
)
def test_each_lane_that_wants_messages_is_fed_before_another_one_has_two_turns(lanes, course):
    scene = Scene(lanes)
    had = {}  # what each lane had while this one waited
    for messages, passes, scene.scarce, again in course:
        scene.now += passes
        fed = scene.feed(messages, again=again)
        for waiting in scene.supplies:
            if waiting in scene.wanting.of(RUN) and waiting is not scene.supplies[fed]:
                key = scene.supplies.index(waiting), fed
                had[key] = had.get(key, 0) + messages
                assert had[key] - messages < 2 * TURN
        had = {key: count for key, count in had.items() if key[0] != fed}
        if not again:
            scene.wanting.add(scene.supplies[fed], RUN)
