from __future__ import annotations

import os
import signal
import time
from types import SimpleNamespace

import pytest
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock

from bulkmail import service as module
from bulkmail.mail import OwnFault, Problem, Refused
from bulkmail.service import Bulkmail, Order
from bulkmail.settings import Settings
from bulkmail.workers import WorkerDiedError


class FakeReactor(Clock):
    """A clock that runs, and notes how it was stopped."""

    def __init__(self):
        super().__init__()
        self.running, self.stopped = True, 0

    def callWhenRunning(self, function, *args):
        self.callLater(0, function, *args)

    def callFromThread(self, function, *args):
        self.callLater(0, function, *args)

    def stop(self):
        self.running = False
        self.stopped += 1


class FakeSending:
    """What the service asks of `Sending`: the stop takes a while, and nothing may be closed before it is over."""

    joining = None

    def __init__(self, reactor, events):
        self.reactor, self.events, self.ended = reactor, events, Deferred()
        self.stopping = None

    async def send(self, prepared, *, accept_changes):
        self.events.append("send")
        return await self.ended

    async def stop(self):
        if self.stopping is None:
            self.stopping = Deferred()
            self.events.append("stopping")
            self.reactor.callLater(2.0, self._stopped)
        await self.stopping_over()

    def _stopped(self):
        self.events.append("stopped")
        if not self.ended.called:
            self.ended.callback(3)
        waiting, self.stopping = self.stopping, True
        waiting.callback(None)

    async def stopping_over(self):
        while self.stopping is not True:
            waited = Deferred()
            self.reactor.callLater(0.01, waited.callback, None)
            await waited

    async def close(self):
        self.events.append("closed")


class FakeWatching:
    def __init__(self, events):
        self.events, self.over = events, Deferred()

    async def watch(self):
        self.events.append("watch")
        await self.over

    def stop(self):
        if not self.over.called:
            self.over.callback(None)


PREPARED = SimpleNamespace(campaign=SimpleNamespace(folder="/c"), input_bytes=0)


class Scene:
    def __init__(self, monkeypatch, *, trouble=None, **order):
        self.reactor = FakeReactor()
        self.events, self.exits = [], []
        monkeypatch.setattr(module.atexit, "register", self.exits.append)
        self.signals = {}
        monkeypatch.setattr(module.signal, "signal", self.signals.__setitem__)
        seconds = self.reactor.seconds
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=seconds, time=seconds))
        self.order = Order(Settings(), **{"prepared": PREPARED, **order})
        self.service = Bulkmail(self.reactor, self.order)
        self.street = SimpleNamespace(hurry=False, own_fault=self.events.append)

        async def opened():
            if trouble is not None:
                raise trouble
            self.service._sending = FakeSending(self.reactor, self.events)
            self.service._street = self.street
            if self.order.watch:
                self.service._watching = FakeWatching(self.events)

        monkeypatch.setattr(self.service, "_open", opened)
        self.service.startService()
        self.turn()

    def turn(self, seconds=0.1):
        self.reactor.pump([0.05] * round(seconds * 20))


@pytest.fixture
def scene(monkeypatch):
    return lambda **options: Scene(monkeypatch, **options)


def test_nothing_is_opened_before_the_service_starts():
    """twistd forks after it made the service."""
    reactor = FakeReactor()
    service = Bulkmail(reactor, Order(Settings(), prepared=PREPARED))
    assert reactor.getDelayedCalls() == []
    assert (service._spool, service._done, service.exit_status) == (None, None, 1)


def test_timers_follow_a_clock_that_nobody_sets(monkeypatch):
    monkeypatch.setattr(module.atexit, "register", lambda _: None)
    reactor = FakeReactor()
    service = Bulkmail(reactor, Order(Settings(), prepared=PREPARED))

    async def opened():
        raise OwnFault("enough")

    monkeypatch.setattr(service, "_open", opened)
    service.startService()
    assert reactor.seconds is time.monotonic


def test_the_end_of_the_campaign_is_the_end_of_the_process(scene):
    one = scene()
    one.service._sending.ended.callback(0)
    one.turn()
    assert one.events == ["send", "closed"]
    assert (one.reactor.stopped, one.service.exit_status) == (1, 0)


@pytest.mark.parametrize(
    ("trouble", "status", "said"),
    [
        (Refused([Problem("campaign.yaml", 3, 1, "no")]), 1, "campaign.yaml:3:1: no\n"),
        (OwnFault("the spool is in use"), 1, "bulkmail: the spool is in use\n"),
        (ZeroDivisionError("a bug"), 3, ""),
    ],
    ids=["refused", "own fault", "bug"],
)
def test_what_goes_wrong_ends_with_its_status_and_never_a_traceback(scene, trouble, status, said, monkeypatch):
    import io

    err = io.StringIO()
    monkeypatch.setattr(module.sys, "__stderr__", err)
    one = scene(trouble=trouble)
    assert (one.service.exit_status, one.reactor.stopped) == (status, 1)
    assert err.getvalue() == said


def test_signals_are_ours_once_the_reactor_runs(scene):
    assert set(scene(foreground=True).signals) == {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
    assert set(scene(foreground=False).signals) == {signal.SIGTERM, signal.SIGINT}


def test_a_signal_stops_gently_and_a_second_one_at_once(scene):
    one = scene()
    one.signals[signal.SIGTERM](signal.SIGTERM, None)
    one.turn(0.2)
    assert one.events == ["send", "stopping"]
    assert not one.street.hurry
    one.signals[signal.SIGTERM](signal.SIGTERM, None)
    one.turn(0.2)
    assert one.street.hurry
    one.turn(3)
    assert one.events == ["send", "stopping", "stopped", "closed"]
    assert (one.service.exit_status, one.reactor.stopped) == (3, 1)


def test_nothing_is_closed_under_a_watched_campaign_that_is_still_being_stopped(scene):
    one = scene(watch="/campaigns", prepared=None)
    assert one.events == ["watch"]
    one.signals[signal.SIGTERM](signal.SIGTERM, None)
    one.turn(3)
    assert one.events == ["watch", "stopping", "stopped", "closed"]
    assert one.service.exit_status == 3


def test_one_more_machine_helps_until_it_is_told_to_stop(scene, monkeypatch):
    helped = []
    monkeypatch.setattr(FakeSending, "joining", SimpleNamespace(begin=helped.append))
    one = scene(prepared=None)
    one.turn(5)
    assert (one.events, helped, one.reactor.stopped) == ([], [""], 0)
    one.signals[signal.SIGTERM](signal.SIGTERM, None)
    one.turn(3)
    assert one.events == ["stopping", "stopped", "closed"]
    assert (one.service.exit_status, one.reactor.stopped) == (3, 1)


def test_a_machine_that_others_have_declared_gone_stops(scene):
    one = scene(prepared=None)
    one.service._life_over()
    one.turn(3)
    assert one.events == ["stopping", "stopped", "closed"]
    assert one.service.exit_status == 3


def test_the_reactor_waits_for_us_whoever_stops_it(scene):
    one = scene()
    done = one.service.stopService()
    one.turn(0.5)
    assert not done.called
    one.turn(3)
    assert done.called
    assert one.events[-1] == "closed"


def test_the_exit_hook_gives_the_status(scene, monkeypatch):
    one = scene()
    statuses = []
    monkeypatch.setattr(module.os, "_exit", statuses.append)
    one.service._sending.ended.callback(0)
    one.turn()
    (leave,) = one.exits
    leave()
    assert statuses == [0]


def test_faults_of_the_spool_pause_the_street(scene):
    one = scene()
    one.service._spool_fault(OwnFault("disk full"))
    one.service._spool_fault(None)
    assert one.events == ["send", "disk full"]


def test_a_resolver_that_dies_is_replaced_and_never_in_a_tight_circle(monkeypatch):
    started = []

    class FakeWorker:
        def __init__(self, ended):
            self.ended, self.jobs = ended, []

        def ask(self, job, deadline):
            self.jobs.append(job)
            done = Deferred()
            if job[0] == "route":
                done.errback(WorkerDiedError("ended"))
            return done

    def start(reactor, name, ended):
        started.append(FakeWorker(ended))
        return started[-1]

    monkeypatch.setattr(module, "Worker", SimpleNamespace(start=start))
    reactor = FakeReactor()
    service = Bulkmail(reactor, Order(Settings()))
    service._spool = SimpleNamespace()
    got = []
    Deferred.fromCoroutine(service._open_resolver(1.0)).addBoth(got.append)
    (ask,) = got
    assert started[0].jobs[0][0] == "configure"
    Deferred.fromCoroutine(ask(("route", "a.example"))).addBoth(got.append)
    assert got[1] == ("own-fault", "the resolver process: ended")
    started[0].ended(started[0])
    assert len(started) == 1
    reactor.advance(1.0)
    assert len(started) == 2
    service._stop_asked = 1
    started[1].ended(started[1])
    reactor.advance(1.0)
    assert len(started) == 2


# small things


def test_with_a_relay_all_roads_lead_to_it(monkeypatch):
    settings = Settings.model_validate({"relay": {"host": "192.0.2.1", "port": 2525}})
    service = Bulkmail(FakeReactor(), Order(settings))
    monkeypatch.setattr(service, "_open_resolver", lambda _speed: succeed(None))
    got = []
    Deferred.fromCoroutine(service._open_router(1.0, {})).addBoth(got.append)
    Deferred.fromCoroutine(got[0].route("a.example")).addBoth(got.append)
    assert got[1].hosts[0].addresses == ("192.0.2.1",)
    assert repr(service._relaying) == "<Relaying through 192.0.2.1:2525>"
    Deferred.fromCoroutine(service._close()).addBoth(got.append)
    assert got[2] is None


def test_compose_processes(monkeypatch):
    settings = Settings()
    service = Bulkmail(FakeReactor(), Order(settings))
    assert service._processes() == len(os.sched_getaffinity(0))
    compose = settings.compose.model_copy(update={"processes": 3})
    service = Bulkmail(FakeReactor(), Order(settings.model_copy(update={"compose": compose})))
    assert service._processes() == 3
