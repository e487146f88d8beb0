"""One life of the process: what it does when it is asked to, and when others have declared it over."""

from __future__ import annotations

import time
from random import Random
from types import SimpleNamespace

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock

from bulkmail import incarnation as module
from bulkmail.delivery import WallClock
from bulkmail.incarnation import Incarnation
from bulkmail.mail import OwnFault
from bulkmail.order import Order
from bulkmail.settings import Settings


class FakeSending:
    """What an incarnation asks of `Sending`: the stop takes a while, and nothing may be closed before it is over."""

    joining = None

    def __init__(self, reactor, events):
        self.reactor, self.events, self.ended = reactor, events, Deferred()
        self.campaigns = self.stopping = self  # all in one
        self.stops = None
        self.hurried = False

    def hurry(self):
        self.hurried = True

    async def send(self, prepared, *, accept_changes, before):
        self.events.append("send")
        return await self.ended

    async def stop(self):
        if self.stops is None:
            self.stops = Deferred()
            self.events.append("stopping")
            self.reactor.callLater(2.0, self._stopped)
        await self.stopping_over()

    def _stopped(self):
        self.events.append("stopped")
        if not self.ended.called:
            self.ended.callback(3)
        waiting, self.stops = self.stops, True
        waiting.callback(None)

    async def stopping_over(self):
        while self.stops is not True:
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

    async def told(self):
        self.events.append("told")


PREPARED = SimpleNamespace(campaign=SimpleNamespace(folder="/c", name="spring"), input_bytes=0)


def begun(reactor, settings=None, **more):
    wall = WallClock(time.time, reactor.seconds)
    settings = settings or Settings()
    return Incarnation(reactor, settings, Order(settings, **more), wall=wall, rng=Random(1))


class Scene:
    """A life whose parts are the test's; `work` is under way."""

    def __init__(self, **more):
        self.reactor, self.events, self.statuses = Clock(), [], []
        self.life = begun(self.reactor, **more)
        self.life._sending = self.sending = FakeSending(self.reactor, self.events)
        self.life._pause.own_fault = self.events.append
        if more.get("watch"):
            self.life._watching = FakeWatching(self.events)

    def work(self):
        Deferred.fromCoroutine(self.life.work()).addBoth(self.statuses.append)

    def turn(self, seconds=0.1):
        self.reactor.pump([0.05] * round(seconds * 20))


def test_the_end_of_the_campaign_is_its_end():
    one = Scene(prepared=PREPARED)
    one.work()
    one.sending.ended.callback(0)
    assert (one.events, one.statuses) == (["send"], [0])


def test_it_stops_gently_or_at_once():
    one = Scene(prepared=PREPARED)
    one.work()
    Deferred.fromCoroutine(one.life.stop())
    one.turn(0.2)
    assert one.events == ["send", "stopping"]
    one.life.hurry()
    assert one.sending.hurried
    one.turn(3)
    assert (one.events, one.statuses) == (["send", "stopping", "stopped"], [3])
    Deferred.fromCoroutine(one.life.close())
    assert one.events[-1] == "closed"


def test_nothing_is_over_under_a_watched_campaign_that_is_still_being_stopped():
    one = Scene(watch="/campaigns")
    one.work()
    Deferred.fromCoroutine(one.life.stop())
    one.turn(0.2)
    assert (one.events, one.statuses) == (["watch", "stopping"], [])
    one.turn(3)
    assert (one.events, one.statuses) == (["watch", "stopping", "stopped", "told"], [3])


def test_one_more_machine_helps_until_it_is_told_to_stop(monkeypatch):
    helped = []
    monkeypatch.setattr(FakeSending, "joining", SimpleNamespace(begin=helped.append))
    one = Scene()
    one.work()
    one.turn(5)
    assert (one.events, helped, one.statuses) == ([], [""], [])
    Deferred.fromCoroutine(one.life.stop())
    one.turn(3)
    assert (one.events, one.statuses) == (["stopping", "stopped"], [3])


def test_a_life_that_others_have_declared_over_stops_and_says_so():
    one = Scene()
    one.work()
    assert not one.life.over
    one.life._declared_over()
    one.turn(3)
    assert (one.life.over, one.statuses) == (True, [3])
    one = Scene()
    one.life._declared_over()  # while it was being opened
    one.work()
    assert one.statuses == [3]


def test_faults_of_the_spool_pause_the_sending():
    one = Scene()
    one.life._spool_fault(OwnFault("disk full"))
    one.life._spool_fault(None)
    assert one.events == ["disk full"]


def test_with_a_relay_all_roads_lead_to_it(monkeypatch):
    settings = Settings.model_validate({"relay": {"host": "192.0.2.1", "port": 2525}})
    life = begun(Clock(), settings)
    got = []
    Deferred.fromCoroutine(life._open_router({}, None)).addBoth(got.append)
    Deferred.fromCoroutine(got[0].route("a.example")).addBoth(got.append)
    assert got[1].hosts[0].addresses == ("192.0.2.1",)
    assert repr(life._relays["relay"]) == "<Smarthost through 192.0.2.1:2525>"
    Deferred.fromCoroutine(life.close()).addBoth(got.append)
    assert got[2] is None


def test_processes_that_were_started_are_ended_where_the_scratch_folder_cannot_be_made(monkeypatch, tmp_path):
    """Those that compose begin before there are campaigns."""
    (tmp_path / "scratch").write_text("a file in the way")
    told = []

    class FakePool:
        def __init__(self, *_):
            pass

        def start(self):
            told.append("compose begins")

        async def close(self):
            told.append("compose ends")

    monkeypatch.setattr(module, "Pool", FakePool)
    life = begun(Clock(), Settings.model_validate({"spool": str(tmp_path)}))

    async def opened(*_, **__):
        return SimpleNamespace(site_facts=lambda _: succeed([]), leases=None)

    monkeypatch.setattr(life, "_open_resolver", lambda: succeed(None))
    monkeypatch.setattr(module, "open_own_spool", opened)
    monkeypatch.setattr(life, "_open_router", opened)
    got = []
    Deferred.fromCoroutine(life.open()).addBoth(got.append)
    assert got[0].check(FileExistsError)
    assert told == ["compose begins"]
    life._spool = None
    Deferred.fromCoroutine(life.close()).addBoth(got.append)
    assert told == ["compose begins", "compose ends"]
