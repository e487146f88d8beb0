from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from bulkmail.delivery.clocks import Clocks
from bulkmail.delivery.queueing import queue_scan as module
from bulkmail.delivery.queueing.queue_scan import QueueScan
from bulkmail.mail import OwnFault

WALL = 1_700_000_000.0


class Shelf:
    """A spool of queues only. ``new``: queue ids with new rows; ``due``: id -> when. Each answer takes ``delay``.

    Queues up to 1000 are those of campaign 1, the others of campaign 2.
    """

    def __init__(self, clock):
        self.clock, self.new, self.due = clock, set(), {}
        self.delay, self.fault, self.calls = 0.001, None, []

    def _later(self, name, answer):
        """The answer is made when the question arrives, as in the writer's thread, and read later."""
        self.calls.append((self.clock.seconds(), name))
        done, found = Deferred(), answer()
        if self.fault is not None:
            self.clock.callLater(self.delay, done.errback, self.fault)
        else:
            self.clock.callLater(self.delay, done.callback, found)
        return done

    def backlog(self, after, limit, campaign):
        def rows():
            mine = [queue for queue in sorted(self.new) if queue > after and campaign_of(queue) == campaign]
            return [(queue, campaign, f"d{queue}") for queue in mine][:limit]

        return self._later("backlog", rows)

    def due_queues(self, now, limit, after, campaign):
        def rows():
            mine = {queue: at for queue, at in self.due.items() if campaign_of(queue) == campaign}
            found = sorted((at, queue) for queue, at in mine.items() if at <= now and (at, queue) > after)
            return [(queue, campaign, f"d{queue}", at) for at, queue in found][:limit]

        return self._later("due", rows)

    def next_due(self, campaign):
        mine = [at for queue, at in self.due.items() if campaign_of(queue) == campaign]
        return self._later("next", lambda: min(mine, default=None))


def campaign_of(queue):
    return 1 if queue <= 1000 else 2


class Scouting:
    """A scout, and a feeder that opens what it is told of and takes its rows ``patience`` later."""

    def __init__(self, room=10_000, takes=True):
        self.clock = Clock()
        self.shelf = Shelf(self.clock)
        self.open, self.found, self.faults = set(), [], []
        self.clocks = Clocks(self.clock, lambda: WALL + self.clock.seconds())
        self.pause = SimpleNamespace(paused=False, own_fault=self.own_fault)
        self.room, self.takes, self.patience = room, takes, 0.01
        self.run = SimpleNamespace(id=1, next_try_at=None, withheld=False)
        self.scout = QueueScan(
            spool=self.shelf,
            clocks=self.clocks,
            pause=self.pause,
            runs={1: self.run},
            found=self.opened,
            room=lambda _: len(self.open) < self.room,
        )

    def own_fault(self, text):
        self.faults.append(text)
        self.pause.paused = True

    def resume(self):
        self.pause.paused = False
        self.scout.rescan()

    def opened(self, queue, campaign, domain):
        assert domain == f"d{queue}"
        if queue not in self.open:
            self.open.add(queue)
            self.found.append(queue)
            if self.takes:
                self.clock.callLater(self.patience, self.take, queue)

    def take(self, queue):
        self.shelf.new.discard(queue)
        if self.shelf.due.get(queue, WALL * 2) <= self.clocks.wall():
            del self.shelf.due[queue]
        self.open.discard(queue)
        self.scout.room_again()

    def run_for(self, seconds):
        until = self.clock.seconds() + seconds
        for _ in range(100_000):
            calls = [call.getTime() for call in self.clock.getDelayedCalls()]
            if not calls or min(calls) > until:
                break
            self.clock.advance(max(0.0, min(calls) - self.clock.seconds()))
        else:
            pytest.fail("it never comes to rest")
        self.clock.advance(max(0.0, until - self.clock.seconds()))


def test_it_finds_new_queues_and_those_that_are_due(monkeypatch):
    monkeypatch.setattr(module, "_PAGE", 3)
    scene = Scouting()
    scene.shelf.new = set(range(1, 9))
    scene.shelf.due = {20: WALL - 5, 21: WALL - 1, 22: WALL + 30, 23: WALL - 9, 24: WALL - 9}
    scene.scout.rescan()
    assert not scene.scout.done
    scene.run_for(1)
    assert scene.found == [23, 24, 20, 21, 1, 2, 3, 4, 5, 6, 7, 8]
    assert scene.scout.done
    scene.run_for(28)
    assert 22 not in scene.found
    scene.run_for(1.5)
    assert scene.found[-1] == 22


def test_pages_of_each_campaign_are_read_in_turn_and_one_is_looked_at_again_alone(monkeypatch):
    monkeypatch.setattr(module, "_PAGE", 2)
    scene = Scouting(takes=False)
    scene.scout._runs[2] = SimpleNamespace(id=2, next_try_at=None, withheld=False)
    scene.shelf.new = {1, 2, 3, 4, 5, 1001, 1002, 1003}
    scene.shelf.due = {20: WALL, 21: WALL, 22: WALL, 1020: WALL}
    scene.scout.rescan()
    scene.run_for(0.5)
    assert scene.found == [20, 21, 1020, 22, 1, 2, 1001, 1002, 3, 4, 1003, 5]
    assert scene.scout.done
    scene.shelf.new |= {6, 1004}
    scene.scout.rescan(scene.scout._runs[2])
    assert not scene.scout.done
    scene.run_for(0.5)
    assert scene.found[12:] == [1004]
    scene.scout.rescan()
    scene.run_for(0.5)
    assert scene.found[13:] == [6]


def test_a_campaign_without_room_keeps_no_other_waiting(monkeypatch):
    monkeypatch.setattr(module, "_PAGE", 2)
    scene = Scouting(takes=False)
    scene.scout._runs[2] = SimpleNamespace(id=2, next_try_at=None, withheld=False)
    scene.scout._room = lambda run: run.id == 2 or len(scene.found) < 2
    scene.shelf.new = {1, 2, 3, 4, 5, 1001, 1002, 1003}
    scene.scout.rescan()
    scene.run_for(1)
    assert scene.found == [1, 2, 1001, 1002, 1003]
    assert not scene.scout.done
    del scene.scout._runs[1]
    scene.scout.room_again()
    scene.run_for(1)
    assert scene.scout.done


def test_it_lets_others_have_their_turn_while_it_tells_of_many():
    scene = Scouting(takes=False)
    scene.shelf.new = set(range(1, 451))
    told, opened = [], scene.scout._found

    def turn():
        told.append(len(scene.found))
        if len(scene.found) < 450:
            scene.clock.callLater(0, turn)

    def opened_beside_others(*queue):
        if not scene.found:
            scene.clock.callLater(0, turn)
        opened(*queue)

    scene.scout._found = opened_beside_others
    scene.scout.rescan()
    scene.run_for(1)
    assert scene.found == list(range(1, 451))
    assert told == list(range(25, 451, 25))


def test_a_scout_that_is_stopped_tells_of_no_more():
    scene = Scouting(takes=False)
    scene.shelf.new = set(range(1, 451))
    opened = scene.scout._found

    def opened_until_stopped(*queue):
        opened(*queue)
        if len(scene.found) == 150:
            scene.scout.stop()

    scene.scout._found = opened_until_stopped
    scene.scout.rescan()
    scene.run_for(1)
    assert len(scene.found) == 150


def test_it_says_when_the_next_try_is():
    scene = Scouting()
    scene.shelf.due = {1: WALL + 50, 2: WALL + 40}
    scene.scout.rescan()
    scene.run_for(1)
    assert scene.run.next_try_at == WALL + 40
    scene.run_for(41)
    assert scene.run.next_try_at == WALL + 50


def test_rows_that_come_behind_the_page_being_read_are_found():
    """The page was read before they were stored, and it is the last one: without the count they would wait for ever."""
    scene = Scouting()
    scene.shelf.new = {5, 6}
    scene.scout.rescan()
    scene.clock.advance(0)
    while scene.shelf.calls[-1][1] != "backlog":
        scene.clock.advance(scene.shelf.delay)
    scene.shelf.new.add(1)
    scene.scout.rescan()
    scene.run_for(1)
    assert sorted(scene.found) == [1, 5, 6]


def test_a_wish_while_it_looks_ahead_is_kept():
    scene = Scouting()
    scene.scout.rescan()
    scene.clock.advance(0)
    while scene.shelf.calls[-1][1] != "next":
        scene.clock.advance(scene.shelf.delay)
    scene.shelf.new.add(1)
    scene.scout.rescan()
    scene.run_for(1)
    assert scene.found == [1]


def test_no_more_are_opened_than_there_is_room_for(monkeypatch):
    monkeypatch.setattr(module, "_PAGE", 2)
    scene = Scouting(room=4, takes=False)
    scene.shelf.new = set(range(1, 20))
    scene.shelf.due = {queue: WALL - queue for queue in range(30, 40)}
    scene.scout.rescan()
    scene.run_for(0.9)
    assert len(scene.open) == 4
    assert scene.found == [39, 38, 37, 36]
    scene.takes = True
    for queue in list(scene.open):
        scene.take(queue)
    scene.run_for(60)
    assert sorted(scene.found) == sorted([*range(1, 20), *range(30, 40)])


def test_rows_that_nobody_can_take_just_now_are_not_asked_for_many_times_a_second():
    scene = Scouting(takes=False)
    scene.shelf.due = {1: WALL - 5}
    scene.scout.rescan()
    scene.run_for(1)
    before = len(scene.shelf.calls)
    scene.run_for(60)
    assert len(scene.shelf.calls) - before <= 60 * 3


def test_many_retries_in_one_second_are_looked_for_together():
    scene = Scouting()
    scene.shelf.due = {queue: WALL + 10 + queue / 1000 for queue in range(1, 1001)}
    scene.scout.rescan()
    scene.run_for(9)
    before = len(scene.shelf.calls)
    scene.run_for(5)
    assert len(scene.found) == 1000
    assert len(scene.shelf.calls) - before < 60


def test_a_fault_is_told_and_the_end_of_the_pause_looks_at_everything():
    scene = Scouting()
    scene.shelf.new = {1}
    scene.shelf.fault = OwnFault("disk full")
    scene.scout.rescan()
    scene.run_for(1)
    assert scene.faults == ["disk full"]
    assert (scene.found, scene.scout.done) == ([], False)
    scene.shelf.fault = None
    scene.scout.room_again()
    scene.run_for(5)
    assert scene.found == []
    scene.resume()
    scene.run_for(1)
    assert scene.found == [1]


def test_stopped_it_looks_no_more():
    scene = Scouting()
    scene.shelf.new = {1}
    scene.scout.rescan()
    scene.scout.stop()
    scene.scout.due_at(WALL)
    scene.scout.rescan()
    scene.run_for(5)
    assert scene.found == []


EVENTS = st.lists(
    st.tuples(
        st.floats(0, 3).map(lambda x: round(x, 3)),
        st.sampled_from(["new", "due", "pause", "resume"]),
        st.integers(1, 12),
        st.floats(0, 3).map(lambda x: round(x, 2)),
    ),
    max_size=25,
)


@given(EVENTS, st.integers(1, 4), st.sampled_from([0.0, 0.001, 0.2]))
def test_whatever_comes_whenever_is_found_in_the_end(events, room, delay):
    scene = Scouting(room=room)
    scene.shelf.delay = delay
    was = module._PAGE
    module._PAGE = 2
    try:

        def happens(kind, queue, wait):
            if kind == "new":
                scene.shelf.new.add(queue)
                scene.scout.rescan()
            elif kind == "due":
                scene.shelf.due[queue] = scene.clocks.wall() + wait
                scene.scout.due_at(scene.shelf.due[queue])
            elif kind == "pause":
                scene.pause.paused = True
            else:
                scene.resume()

        for at, kind, queue, wait in events:
            scene.clock.callLater(at, happens, kind, queue, wait)
        scene.clock.callLater(4.0, scene.resume)
        scene.run_for(60)
    finally:
        module._PAGE = was
    assert scene.shelf.new == set()
    assert scene.shelf.due == {}
    assert scene.scout.done
