"""The parts of a process as they are wired, over a world in memory: what reaches whom."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from twisted.internet.defer import Deferred

from bulkmail.delivery.clocks import WallClock
from bulkmail.delivery.lifecycle.sending import sending_of
from bulkmail.delivery.site_facts import SiteFactSync
from bulkmail.mail import WrongState
from bulkmail.settings import Settings


class Scene:
    def __init__(self, one, *, rehearsal=False):
        self.one = one
        self.changed, self.planned, self.pulses = [], [], []
        self.machine = 0.0  # seconds by which the machine's clock was set
        one.connector.rehearsal = rehearsal
        one.pool.tear_down = lambda *_: None
        steady = one.clock.seconds
        self.sync = SiteFactSync(reactor=one.clock, spool=one.spool, wall=one.wall)
        self.sending = sending_of(
            one.parts,
            Settings(),
            sync=self.sync,
            checking=SimpleNamespace(prepare=None),
            planning=SimpleNamespace(look=self.planned.append),
            pulse=SimpleNamespace(look=lambda: self.pulses.append(steady())),
            wall=WallClock(lambda: one.wall() + self.machine, steady),
            changed=self.changed.append,
            once=False,
            come_back=None,
        )

    def ask(self, work):
        got = []
        Deferred.fromCoroutine(work).addBoth(got.append)
        self.one.until(lambda: got, 30)
        return got[0]


@pytest.fixture
def scene(world):
    return Scene(world())


def test_each_second_the_parts_look_and_a_clock_that_was_set_is_heard_of(scene):
    run = scene.one.campaign({"a.example": 3})
    set_by = []
    scene.one.pause.clock_was_set = set_by.append
    scene.sending.start()
    scene.one.run(2.5)
    assert scene.pulses == [1.0, 2.0]
    assert scene.planned == [run, run], "until it has a plan"
    run.plan = object()
    scene.machine = 3600.0
    scene.one.run(2.0)
    assert set_by == [3600.0]
    assert scene.planned == [run, run]


def test_rows_that_were_stored_are_reported_and_planned(scene):
    run = scene.one.campaign({"a.example": 3})
    scene.sending.lists._stored(run)
    assert (scene.changed, scene.planned) == ([run], [run])


def test_a_campaign_that_pauses_itself_is_read_no_further(scene):
    run = scene.one.campaign({"a.example": 3})
    stopped = []
    scene.sending.lists._imports[run.id] = SimpleNamespace(stop=lambda: stopped.append("reading"))
    scene.one.feeder.withholding.pause(run, "its template does not come to an end", [])
    assert stopped == ["reading"]


def test_other_settings_are_for_those_who_use_them(scene):
    scene.sending.apply(Settings(stop_within="7s").model_copy(update={"suppress": ("/lists/all.csv",)}))
    assert scene.sending.stopping.within == 7.0
    assert scene.sending.lists._suppress == scene.sending.at_rest._suppress == ["/lists/all.csv"]


def test_it_is_closed_to_the_last_even_where_something_fails(scene):
    scene.sending.start()
    told = []

    async def failing():
        told.append("facts")
        raise WrongState("no")

    async def closing():
        told.append("late")

    scene.sending.closing.push_async_callback(failing)
    scene.sending.closing.push_async_callback(closing)
    assert scene.ask(scene.sending.close()).check(WrongState)
    assert told == ["late", "facts"]
    scene.one.run(5.0)
    assert scene.pulses == [], "nothing looks any more"


def test_a_rehearsal_reports_elsewhere_and_takes_no_changes(world):
    one = Scene(world(), rehearsal=True)
    assert one.sending.campaigns.accepting._check is None
    assert one.sending.ending._reporting.folder == "rehearsal"
