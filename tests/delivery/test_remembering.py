from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred

from bulkmail.delivery.remembering import Remembering
from bulkmail.mail import OwnFault
from bulkmail.shaping import Habit, learn
from bulkmail.spool import SiteFact

FULL = OwnFault("the spool cannot be used (database or disk is full)")


class Scene:
    def __init__(self, one):
        self.one = one
        self.now = one.wall()
        self.writes = []
        remember = one.spool.remember

        def counted(facts, forgotten):
            self.writes.append(len(facts) + len(forgotten))
            return remember(facts, forgotten)

        one.spool.remember = counted
        self.again()

    def again(self):
        """What another process finds."""
        self.remembering = Remembering(reactor=self.one.clock, spool=self.one.spool, wall=self.one.wall)
        self.memory = self.remembering.memory

    def done(self, task):
        finished = Deferred.fromCoroutine(task)
        self.one.run(1.0)
        assert finished.called
        return finished

    def look(self, seconds):
        for _ in range(seconds):
            self.remembering.look()
            self.one.run(1.0)

    @property
    def stored(self):
        return {(fact.site, fact.fact): fact.value for fact in self.one.store.site_facts(self.now)}


@pytest.fixture
def scene(world):
    return Scene(world())


def test_what_was_learnt_is_written_and_found_by_the_next(scene):
    scene.memory.learn("a", learn(Habit.RATE, scene.now, 0.5))
    scene.look(1)
    assert scene.stored == {("a", "rate"): 0.5}
    scene.again()
    scene.done(scene.remembering.load())
    assert scene.memory.known("a", Habit.RATE, scene.now) == learn(Habit.RATE, scene.now, 0.5)
    scene.memory.forget("a", Habit.RATE)
    scene.done(scene.remembering.close())
    assert scene.stored == {}


def test_written_in_batches_and_not_when_nothing_is_new(scene):
    for n in range(12):
        scene.memory.learn(f"site{n}", learn(Habit.TLS, scene.now))
        scene.look(1)
    scene.look(20)
    assert sum(scene.writes) == 12
    assert len(scene.writes) == 4


def test_what_another_version_learnt_or_has_expired_is_left_out(scene):
    now = scene.now
    scene.one.store.remember([SiteFact("a", "colour", 1.0, now, now + 9), SiteFact("b", "tls", 0.0, now - 9, now - 1)])
    scene.done(scene.remembering.load())
    assert len(scene.memory) == 0
    assert scene.stored == {("a", "colour"): 1.0}


def test_a_disk_that_is_full_stops_nothing_and_is_tried_again_after_a_minute(scene):
    scene.memory.learn("a", learn(Habit.TLS, scene.now))
    scene.one.disk.fault = FULL
    scene.look(50)
    assert len(scene.writes) == 1
    assert not scene.one.street.paused
    scene.one.disk.fault = None
    scene.look(5)
    assert scene.stored == {}
    scene.look(10)
    assert scene.stored == {("a", "tls"): 0.0}


def test_a_start_goes_on_without_what_cannot_be_read(scene):
    scene.one.disk.fault = FULL
    assert scene.done(scene.remembering.load()).result is None
    assert len(scene.memory) == 0


def test_an_end_goes_on_without_what_cannot_be_written(scene):
    scene.memory.learn("a", learn(Habit.TLS, scene.now))
    scene.one.disk.fault = FULL
    assert scene.done(scene.remembering.close()).result is None


def test_what_is_learnt_while_a_write_is_under_way_is_written_at_the_end(scene):
    scene.one.disk.delay = 0.5
    scene.memory.learn("a", learn(Habit.TLS, scene.now))
    scene.remembering.look()
    scene.memory.learn("b", learn(Habit.TLS, scene.now))
    scene.remembering.look()
    assert len(scene.writes) == 1
    scene.done(scene.remembering.close())
    assert scene.stored.keys() == {("a", "tls"), ("b", "tls")}
