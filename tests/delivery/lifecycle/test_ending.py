from __future__ import annotations

from types import SimpleNamespace

import pytest
from twisted.internet.defer import Deferred

from bulkmail.delivery.lifecycle.ending import Ending
from bulkmail.delivery.lifecycle.progress import Progress
from bulkmail.exit_status import DONE, STOPPED
from bulkmail.mail import OwnFault


class Scene:
    def __init__(self, one):
        self.one = one
        self.run = one.campaign({"a.example": 3})
        self.writes, self.reports, self.torn, self.told = True, [], [], []
        self.ending = Ending(
            spool=one.spool,
            clocks=one.clocks,
            feeder=one.feeder,
            compose=SimpleNamespace(tear_down=lambda key, _: self.torn.append(key)),
            lists=None,
            at_rest=None,
            reporting=SimpleNamespace(finish=self.finish, changed=lambda _: None),
            progress=Progress(one.pause, one.feeder, one.clocks),
            ended=lambda run, state: self.told.append((run.name, state, len(self.reports))),
        )

    async def finish(self, run, state, exit_status, _):
        self.reports.append((run.name, state, exit_status, self.one.store.campaign(run.name).state))
        return self.writes

    def ask(self, work):
        got = []
        Deferred.fromCoroutine(work).addBoth(got.append)
        self.one.until(lambda: got, 30)
        return got[0]


@pytest.fixture
def scene(world):
    return Scene(world())


def test_first_the_state_then_the_report_then_the_status(scene):
    ended = []
    scene.ending.of(scene.run).addCallback(ended.append)
    scene.ask(scene.ending._close(scene.run, "finished", DONE))
    assert ended == [0]
    assert scene.reports == [("spring", "finished", 0, "finished")]
    assert scene.torn == [scene.run.id]
    assert scene.told == [("spring", "finished", 1)]
    assert scene.one.feeder.runs == {}
    assert scene.one.store.has_whole_report(scene.run.id)
    scene.ask(scene.ending.all())


def test_a_report_that_could_not_be_written_asks_for_another_start(scene):
    scene.writes = False
    assert scene.ask(scene.ending.report(scene.run, "finished", 0, 5.0, DONE)) == STOPPED
    assert not scene.one.store.has_whole_report(scene.run.id)


def test_of_a_campaign_that_was_stopped_no_report_is_the_last(scene):
    assert scene.ask(scene.ending.report(scene.run, "stopped", 3, 5.0, STOPPED)) == STOPPED
    assert not scene.one.store.has_whole_report(scene.run.id)


def test_a_state_that_cannot_be_written_does_not_keep_it_from_ending(scene):
    ended = []
    scene.ending.of(scene.run).addCallback(ended.append)
    scene.one.disk.fault = OwnFault("the disk is full")
    scene.ask(scene.ending._close(scene.run, "finished", DONE))
    assert ended == [0]
    assert scene.reports == [("spring", "finished", 0, "running")]
    assert not scene.one.store.has_whole_report(scene.run.id)


def test_all_outcomes_are_waited_for_and_while_stopping_not_beyond_a_fault(scene):
    one = scene.one
    one.farm.obliging()
    one.start()
    one.until(lambda: scene.run.complete, 10)
    one.disk.fault = OwnFault("the disk is full")
    got = []
    Deferred.fromCoroutine(scene.ending.written()).addBoth(got.append)
    one.run(20.0)
    assert not got
    one.feeder.stop()
    one.run(1.0)
    assert got


def test_a_campaign_ends_once_with_its_last_row_and_not_where_another_machine_has_it(scene):
    one, run, ended = scene.one, scene.run, []
    scene.ending.of(run).addCallback(ended.append)
    scene.ending.changed(run)
    assert not run.over
    one.farm.obliging()
    one.start()
    one.until(lambda: run.complete, 10)
    run.helped = True
    scene.ending.changed(run)
    assert not run.over
    run.helped = False
    scene.ending.changed(run)
    scene.ending.changed(run)
    one.until(lambda: ended, 10)
    assert scene.reports == [("spring", "finished", 0, "finished")]


def test_a_campaign_that_is_stopped_goes_on_at_the_next_start(scene):
    ended = []
    scene.ending.of(scene.run).addCallback(ended.append)
    scene.ask(scene.ending.stop(scene.run))
    assert ended == [STOPPED]
    assert scene.run.over
    assert scene.one.store.campaign("spring").state == "stopped"
