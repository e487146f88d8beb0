from __future__ import annotations

import io
import os
import signal
import time
from types import SimpleNamespace

import pytest
from twisted.application.service import Application
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import ILogObserver, Logger

from bulkmail import service as module
from bulkmail.logs import ServiceLog
from bulkmail.mail import OwnFault, Problem, Refused, WrongState
from bulkmail.order import Order
from bulkmail.service import Bulkmail
from bulkmail.settings import Public, Settings


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


class FakeLate:
    """What takes what comes back."""

    def __init__(self):
        self.times = 0

    async def written(self):
        self.times += 1


class FakeLife:
    """What the service asks of a `Incarnation`: the stop takes a while, and nothing may be closed before it is over."""

    def __init__(self, scene, trouble=None, opens=True):
        self.scene, self.trouble, self.opens = scene, trouble, opens
        self.over, self.ended, self.stopping, self.applied = False, Deferred(), False, []
        self.late = FakeLate()

    async def open(self):
        self.scene.events.append("open")
        if self.trouble is not None and self.opens:
            raise self.trouble

    async def work(self):
        self.scene.events.append("work")
        if self.trouble is not None:
            raise self.trouble
        return await self.ended

    async def stop(self):
        if not self.stopping:
            self.stopping = True
            self.scene.events.append("stopping")
            self.scene.reactor.callLater(2.0, self._stopped)

    def _stopped(self):
        self.scene.events.append("stopped")
        if not self.ended.called:
            self.ended.callback(3)

    def apply(self, settings):
        self.applied.append(settings)
        return not self.stopping

    def declared_over(self):
        self.over = True
        self.stopping = True
        self.ended.callback(3)

    def hurry(self):
        self.scene.events.append("hurry")

    async def close(self):
        self.scene.events.append("closed")


PREPARED = SimpleNamespace(campaign=SimpleNamespace(folder="/c"), input_bytes=0)


class Scene:
    def __init__(self, monkeypatch, *, lives=({},), log=None, **order):
        self.reactor = FakeReactor()
        self.events, self.exits = [], []
        monkeypatch.setattr(module.atexit, "register", self.exits.append)
        self.signals = {}
        monkeypatch.setattr(module.signal, "signal", self.signals.__setitem__)
        seconds = self.reactor.seconds
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=seconds, time=seconds))
        self.order = Order(Settings(), **{"prepared": PREPARED, **order})
        self.service = Bulkmail(self.reactor, self.order, log)
        self.lives = [FakeLife(self, **what) for what in lives]
        left = list(self.lives)
        monkeypatch.setattr(self.service, "_begin", lambda: left.pop(0))
        self.service.startService()
        self.turn()

    def turn(self, seconds=0.1):
        self.reactor.pump([0.05] * round(seconds * 20))


@pytest.fixture
def scene(monkeypatch):
    monkeypatch.setattr(module.signal, "getsignal", lambda _: signal.SIG_DFL)  # not what the suite was started with
    return lambda **options: Scene(monkeypatch, **options)


def test_nothing_is_opened_before_the_service_starts():
    """twistd forks after it made the service."""
    reactor = FakeReactor()
    service = Bulkmail(reactor, Order(Settings(), prepared=PREPARED))
    assert reactor.getDelayedCalls() == []
    assert (service._incarnation, service._done, service.exit_status) == (None, None, 1)


def test_ports_are_taken_while_the_process_is_privileged_and_never_for_a_rehearsal(monkeypatch):
    bound = []
    monkeypatch.setattr(module.Listening, "bind", lambda _, settings: bound.append(settings))
    order = Order(Settings(), prepared=PREPARED)
    Bulkmail(FakeReactor(), order).privilegedStartService()
    assert bound == [order.settings]
    Bulkmail(FakeReactor(), Order(Settings(), prepared=PREPARED, rehearse=True)).privilegedStartService()
    assert len(bound) == 1


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
    one.lives[0].ended.callback(0)
    one.turn()
    assert one.events == ["open", "work", "closed"]
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
    err = io.StringIO()
    monkeypatch.setattr(module.sys, "__stderr__", err)
    one = scene(lives=[{"trouble": trouble}])
    assert one.events == ["open", "closed"]
    assert (one.service.exit_status, one.reactor.stopped) == (status, 1)
    assert err.getvalue() == said


def test_signals_are_ours_once_the_reactor_runs(scene):
    ours = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1}
    assert set(scene(foreground=True).signals) == ours
    assert set(scene(foreground=False).signals) == ours


def test_a_hangup_that_is_ignored_stays_so(scene, monkeypatch):
    """As nohup has it."""
    monkeypatch.setattr(module.signal, "getsignal", lambda _: signal.SIG_IGN)
    assert signal.SIGHUP not in scene(foreground=True).signals


RELOADS = {"daemon": (False, {}, True), "systemd": (True, {"INVOCATION_ID": "1"}, True), "shell": (True, {}, False)}


@pytest.mark.parametrize(("foreground", "environment", "reloads"), RELOADS.values(), ids=RELOADS)
def test_a_hangup_reloads_where_it_is_no_terminal_that_went_away(scene, monkeypatch, foreground, environment, reloads):
    monkeypatch.setattr(module.os, "environ", environment)
    monkeypatch.setattr(module.os, "open", no_terminal)
    new = Settings.model_validate({"hostname": "new.example"})
    one = scene(lives=[{}, {}], foreground=foreground, again=lambda: new)
    one.signals[signal.SIGHUP](signal.SIGHUP, None)
    one.turn(3)
    if reloads:
        assert one.events == ["open", "work", "stopping", "stopped", "closed", "open", "work"]
        assert one.service.settings == new
        assert one.reactor.stopped == 0
    else:
        assert one.events == ["open", "work", "stopping", "stopped", "closed"]
        assert (one.service.exit_status, one.reactor.stopped) == (3, 1)


def no_terminal(_path, _flags):
    raise OSError(6, "No such device or address")


def test_a_shell_below_a_service_has_a_terminal(monkeypatch):
    """Terminal emulators are started by systemd, and the shells in them inherit its variables."""
    monkeypatch.setattr(module.os, "environ", {"INVOCATION_ID": "1"})
    opened = os.open
    monkeypatch.setattr(module.os, "open", lambda _, flags: opened(os.devnull, flags))
    assert not module._supervised()


def test_settings_that_are_wrong_are_not_reloaded(scene):
    def again():
        raise Refused([Problem("bulkmail.yaml", 3, 1, "no")])

    one = scene(lives=[{}, {}], foreground=False, again=again)
    before = one.service.settings
    one.signals[signal.SIGHUP](signal.SIGHUP, None)
    one.turn(3)
    assert one.events == ["open", "work"]
    assert one.service.settings is before


def test_what_the_parts_can_take_is_taken_without_a_pause(scene):
    log = SimpleNamespace(configure=lambda *given: logged.append(given))
    logged = []
    new = Settings.model_validate({"retry": {"schedule": ["1m"]}, "log": {"level": "debug"}, "spool": "/elsewhere"})
    one = scene(again=lambda: new, log=log)
    before = one.service.settings
    found = one.service.reload()
    one.turn(3)
    assert (found.live, found.anew, found.restart) == (("retry.schedule", "log.level"), (), ("spool",))
    assert one.events == ["open", "work"]
    (applied,) = one.lives[0].applied
    assert applied is one.service.settings
    assert (applied.retry, applied.spool) == (new.retry, before.spool), "the spool stays as it was"
    assert one.service.reload().live == ()
    assert logged[-1] == ("text", "debug")


def test_what_cannot_be_reloaded_now(scene):
    with pytest.raises(WrongState, match="a rehearsal reads its settings once"):
        scene().service.reload()
    new = Settings.model_validate({"hostname": "new.example"})
    one = scene(lives=[{}, {}], again=lambda: new)
    one.service.reload()
    with pytest.raises(WrongState, match="what was changed before is being taken"):
        one.service.reload()
    one.turn(3)
    assert one.service.reload().sentences == ["nothing has changed"]
    one.signals[signal.SIGTERM](signal.SIGTERM, None)
    one.turn(0.1)
    with pytest.raises(WrongState, match="the service stops"):
        one.service.reload()


def test_a_campaign_that_is_wrong_with_the_new_settings_leaves_everything_as_it_is(scene):
    def prepare(settings):
        raise Refused([Problem("campaign.yaml", 3, 1, f"no, {settings.hostname}")])

    new = Settings.model_validate({"hostname": "new.example"})
    one = scene(again=lambda: new, prepare=prepare)
    with pytest.raises(Refused, match=r"campaign\.yaml:3:1: no, new\.example"):
        one.service.reload()
    one.turn(3)
    assert one.events == ["open", "work"]
    assert one.service.settings.hostname is None


@pytest.mark.parametrize("trouble", [OwnFault("the port is taken"), Refused([Problem("x", 1, 1, "no")])], ids=str)
def test_settings_with_which_nothing_can_be_opened_give_way_to_those_from_before(scene, trouble):
    new = Settings.model_validate({"hostname": "new.example"})
    one = scene(lives=[{}, {"trouble": trouble}, {}], again=lambda: new)
    one.service.reload()
    one.turn(4)
    assert one.events == ["open", "work", "stopping", "stopped", "closed", "open", "closed", "open", "work"]
    assert one.service.settings.hostname is None
    assert one.reactor.stopped == 0


def test_while_the_parts_are_being_opened_all_is_taken_with_the_next_ones(scene):
    new = Settings.model_validate({"stop_within": "7s"})
    one = scene(lives=[{}, {}], again=lambda: new)
    one.lives[0].apply = lambda _: False
    one.service.reload()
    one.turn(3)
    assert one.events == ["open", "work", "stopping", "stopped", "closed", "open", "work"]
    assert one.service.settings.stop_within == 7.0


def test_a_stop_while_it_reloads_is_a_stop(scene):
    new = Settings.model_validate({"hostname": "new.example"})
    one = scene(lives=[{}, {}], foreground=False, again=lambda: new)
    one.signals[signal.SIGHUP](signal.SIGHUP, None)
    one.turn(1)
    one.signals[signal.SIGTERM](signal.SIGTERM, None)
    one.turn(3)
    assert one.events[-1] == "closed"
    assert (one.events.count("open"), one.service.exit_status, one.reactor.stopped) == (1, 3, 1)


def test_the_log_is_handed_to_twistd_unless_it_was_told_of_another():
    log = ServiceLog("-", "text", "info")
    for given in (log, None):
        application = Application("bulkmail")
        Bulkmail(FakeReactor(), Order(Settings(), prepared=PREPARED), given).setServiceParent(application)
        assert application.getComponent(ILogObserver, None) is given


@pytest.mark.parametrize(("path", "told"), [("-", 0), ("mail.log", 1)])
def test_a_refusal_is_told_once(scene, monkeypatch, tmp_path, path, told):
    """On stderr; in a log that is a file as well."""
    events = []
    monkeypatch.setattr(module.sys, "__stderr__", io.StringIO())
    monkeypatch.setattr(module, "_log", Logger("bulkmail", observer=events.append))
    one = Scene(monkeypatch, lives=[{"trouble": OwnFault("the disk is full")}], log=ServiceLog(path, "text", "info"))
    assert module.sys.__stderr__.getvalue() == "bulkmail: the disk is full\n"
    assert sum("the disk is full" in event.get("text", "") for event in events) == told
    assert one.service.exit_status == 1


def test_a_signal_stops_gently_and_a_second_one_at_once(scene):
    one = scene()
    one.signals[signal.SIGTERM](signal.SIGTERM, None)
    one.turn(0.2)
    assert one.events == ["open", "work", "stopping"]
    one.signals[signal.SIGTERM](signal.SIGTERM, None)
    one.turn(0.2)
    assert one.events[-1] == "hurry"
    one.turn(3)
    assert one.events == ["open", "work", "stopping", "hurry", "stopped", "closed"]
    assert (one.service.exit_status, one.reactor.stopped) == (3, 1)


def test_a_machine_that_others_have_declared_gone_begins_anew_when_the_old_life_is_closed(scene):
    one = scene(lives=[{}, {}, {}])
    one.lives[0].declared_over()
    one.turn(1)
    assert one.events == ["open", "work", "closed", "open", "work"]
    one.lives[1].declared_over()
    one.turn(1)
    one.lives[2].ended.callback(0)
    one.turn(1)
    assert one.events == ["open", "work", "closed"] * 3
    assert (one.service.exit_status, one.reactor.stopped) == (0, 1)


def test_a_campaign_that_was_finished_at_the_last_moment_is_finished(scene):
    one = scene()
    one.lives[0].over = True
    one.lives[0].ended.callback(0)
    one.turn()
    assert (one.events, one.service.exit_status) == (["open", "work", "closed"], 0)


def test_who_is_stopped_while_a_life_ends_begins_no_other(scene):
    one = scene()
    one.signals[signal.SIGTERM](signal.SIGTERM, None)
    one.turn(0.1)
    one.lives[0].declared_over()
    one.turn(3)
    assert one.events[:4] == ["open", "work", "stopping", "closed"]
    assert (one.service.exit_status, one.reactor.stopped) == (3, 1)


def test_a_spool_that_a_new_life_cannot_open_is_tried_again_until_it_can_or_somebody_stops_us(scene):
    gone = OwnFault("the database is gone")
    one = scene(lives=[{}, {"trouble": gone}, {"trouble": Refused([Problem("db", 0, 0, "no")])}, {}])
    one.lives[0].declared_over()
    one.turn(4)
    assert one.events == ["open", "work", "closed", "open", "closed"]
    one.turn(2)
    assert one.events[5:] == ["open", "closed"]
    one.turn(6)
    assert one.events[7:] == ["open", "work"]
    assert one.reactor.stopped == 0
    other = scene(lives=[{}, {"trouble": gone}])
    other.lives[0].declared_over()
    other.turn(1)
    other.signals[signal.SIGTERM](signal.SIGTERM, None)
    other.turn(3)
    assert (other.service.exit_status, other.reactor.stopped) == (3, 1)


def test_what_another_machine_has_taken_meanwhile_is_left_to_it(scene, monkeypatch):
    err = io.StringIO()
    monkeypatch.setattr(module.sys, "__stderr__", err)
    taken = Refused([Problem("campaign.yaml", 1, 1, "'spring' is being sent from machine two")])
    one = scene(lives=[{}, {"trouble": taken, "opens": False}])
    one.lives[0].declared_over()
    one.turn(1)
    assert (one.service.exit_status, one.reactor.stopped) == (3, 1)
    assert err.getvalue() == "campaign.yaml:1:1: 'spring' is being sent from machine two\n"
    assert one.events == ["open", "work", "closed"] * 2


def test_what_a_fenced_life_may_not_write_any_more_is_no_refusal(scene):
    one = scene(lives=[{"trouble": OwnFault("others have taken over"), "opens": False}, {}])
    assert one.service.exit_status == 1, "a fault of a life that is nobody else's"
    first = {"trouble": OwnFault("others have taken over"), "opens": False}
    other = scene(lives=[{}, first, {}])
    other.lives[1].over = True
    other.lives[0].declared_over()
    other.turn(1)
    assert other.events == ["open", "work", "closed", "open", "work", "closed", "open", "work"]


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
    one.lives[0].ended.callback(0)
    one.turn()
    (leave,) = one.exits
    leave()
    assert statuses == [0]


def test_the_page_is_served_while_there_is_somebody_to_tell(scene, monkeypatch):
    class FakePage:
        def __init__(self, reactor, settings, returns):
            self.events = one.events

        def open(self):
            self.events.append("page opens")

        async def close(self):
            self.events.append("page closes")

    monkeypatch.setattr("bulkmail.public.PublicServer", FakePage)
    public = Public(url="https://mail.example.com")
    one = scene()
    one.service.settings = Settings(public=public)
    life = FakeLife(one)
    one.service._serve_pages(life)
    assert one.events[-1] == "page opens"
    one.lives[0].ended.callback(0)
    one.turn()
    assert one.events.index("page closes") < one.events.index("closed")


def test_a_rehearsal_ends_when_all_has_come_back_and_its_report_tells_of_it(scene):
    class World:
        def __init__(self):
            self.rested = Deferred()

        async def rest(self):
            one.events.append("rest")
            await self.rested

        async def stop(self):
            one.events.append("world stops")

    one = scene()
    one.service._world = world = World()
    one.lives[0].ended.callback(0)
    one.turn()
    assert one.events[-1] == "rest"
    assert one.lives[0].late.times == 0
    world.rested.callback(None)
    one.turn()
    assert one.lives[0].late.times == 1
    assert one.events[-2:] == ["closed", "world stops"]
