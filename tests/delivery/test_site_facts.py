from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred

from bulkmail.delivery.site_facts import SiteFactSync
from bulkmail.mail import OwnFault
from bulkmail.shaping import FactKind, learn
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
        self.remembering = SiteFactSync(reactor=self.one.clock, spool=self.one.spool, wall=self.one.wall)
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
    scene.memory.learn("a", learn(FactKind.RATE, scene.now, 0.5))
    scene.look(1)
    assert scene.stored == {("a", "rate"): 0.5}
    scene.again()
    scene.done(scene.remembering.load())
    assert scene.memory.known("a", FactKind.RATE, scene.now) == learn(FactKind.RATE, scene.now, 0.5)
    scene.memory.forget("a", FactKind.RATE)
    scene.done(scene.remembering.close())
    assert scene.stored == {}


def test_written_in_batches_and_not_when_nothing_is_new(scene):
    for n in range(12):
        scene.memory.learn(f"site{n}", learn(FactKind.TLS, scene.now))
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
    scene.memory.learn("a", learn(FactKind.TLS, scene.now))
    scene.one.disk.fault = FULL
    scene.look(50)
    assert len(scene.writes) == 1
    assert not scene.one.pause.paused
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
    scene.memory.learn("a", learn(FactKind.TLS, scene.now))
    scene.one.disk.fault = FULL
    assert scene.done(scene.remembering.close()).result is None


def test_what_is_learnt_while_a_write_is_under_way_is_written_at_the_end(scene):
    scene.one.disk.delay = 0.5
    scene.memory.learn("a", learn(FactKind.TLS, scene.now))
    scene.remembering.look()
    scene.memory.learn("b", learn(FactKind.TLS, scene.now))
    scene.remembering.look()
    assert len(scene.writes) == 1
    scene.done(scene.remembering.close())
    assert scene.stored.keys() == {("a", "tls"), ("b", "tls")}


class Leases:
    """What the spool answers of the others' lessons."""

    def __init__(self, one):
        self.one, self.asked = one, []

    def site_facts(self, sites, now):
        self.asked.append(sorted(sites))
        return self.one.disk.call(lambda: [fact for fact in self.one.store.site_facts(now) if fact.site in sites])


def test_what_others_have_learnt_is_asked_for_together(scene):
    scene.one.spool.leases = leases = Leases(scene.one)
    now = scene.now
    scene.one.store.remember([SiteFact("a", "rate", 0.5, now, now + 9), SiteFact("b", "rate", 0.25, now, now + 9)])
    news = [scene.remembering.news_of(["a", "192.0.2.1"]), scene.remembering.news_of(["a"])]
    assert not leases.asked
    scene.one.run(1.0)
    assert [one.called for one in news] == [True, True]
    assert leases.asked == [["192.0.2.1", "a"]]
    assert scene.memory.known("a", FactKind.RATE, now).value == 0.5
    assert scene.memory.known("b", FactKind.RATE, now) is None
    scene.one.disk.fault = FULL
    news = scene.remembering.news_of(["b"])
    scene.one.run(1.0)
    assert news.called, "it goes on without"
    assert scene.memory.known("b", FactKind.RATE, now) is None


def test_what_somebody_has_forgotten_is_forgotten_here_too(scene):
    for site in "ab":
        scene.memory.learn(site, learn(FactKind.RATE, scene.now, 0.5))
    scene.done(scene.remembering.close())
    scene.one.store.remember([], [("a", "rate")])
    scene.one.disk.fault = FULL
    scene.done(scene.remembering.renew())
    assert scene.memory.known("a", FactKind.RATE, scene.now) is not None
    scene.one.disk.fault = None
    scene.done(scene.remembering.renew())
    assert scene.memory.known("a", FactKind.RATE, scene.now) is None
    assert scene.memory.known("b", FactKind.RATE, scene.now).value == 0.5
    scene.done(scene.remembering.close())
    assert scene.stored == {("b", "rate"): 0.5}


def test_the_pace_that_complaints_brought_about_is_remembered_for_a_week(world):
    one, now = world(), 0.0
    limiter = one.limiters.of_site("provider big", "", now).limiter
    limiter.slow_down(now, "rate")
    one.feeder.tidy()
    again = world(facts=one.facts)
    assert again.limiters.of_site("provider big", "", now).limiter.factors == (0.9, 1.0)
    assert again.limiters.of_site("site", "", now).limiter.factors == (1.0, 1.0)
    later = world(facts=one.facts)
    later.clock.advance(7 * 86400.0)
    assert later.limiters.of_site("provider big", "", now).limiter.factors == (1.0, 1.0)


def test_a_pace_that_is_whole_again_is_not_remembered(world):
    one = world()
    limiter = one.limiters.of_site("site", "", 0.0).limiter
    limiter.refuse_connection(0.0, limiter.limits.connections - 1)
    one.feeder.tidy()
    assert [kind for _, kind in one.facts.take_changes()] == [FactKind.CONCURRENCY]
    while limiter.factors < (1.0, 1.0):
        one.clock.advance(30.0)
        while limiter.open < limiter.connections:
            limiter.opened(one.clocks.now())
        limiter.speed_up(one.clocks.now())
    one.feeder.tidy()
    assert set(one.facts.take_changes().values()) == {None}
