from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from bulkmail.delivery.lifecycle import reporting as module
from bulkmail.delivery.lifecycle.reporting import Reporting
from bulkmail.delivery.run import Run
from bulkmail.mail import OwnFault, Standing, situation
from bulkmail.report import ATTEMPT_COLUMNS, Place
from bulkmail.workers import WorkerDiedError, WorkerFailedError


class FakePool:
    """One report process. ``down``: it has died and is being replaced."""

    def __init__(self, clock, name, size, further):
        assert (size, further) == (1, ("PG",))
        self.clock, self.jobs, self.setups = clock, [], {}
        self.down, self.takes, self.position, self.fails = False, 0.1, (10, 1), {}
        self.started = self.closed = False

    def start(self):
        self.started = True

    def set_up(self, key, job):
        self.setups[key] = job
        self.jobs.append(job[0])

    keep = lambda self, key, job: self.setups.__setitem__(key, job)  # noqa: E731

    def tear_down(self, key, job):
        del self.setups[key]
        self.jobs.append(job[0])

    def ask(self, job, deadline):
        assert deadline is None
        self.jobs.append(job)
        done = Deferred()
        self.clock.callLater(self.takes, self._answer, job, done)
        return done

    def _answer(self, job, done):
        if self.down:
            done.errback(WorkerDiedError("the report process ended"))
        elif job[0] in self.fails:
            done.errback(self.fails[job[0]])
        else:
            counted = {"by_domain": {"a.example": {"delivered": 1}}, "by_variant": {"b": {"delivered": 1}}}
            counted |= {"best_minute": (60.0, 1), "best_hour": (0.0, 1)}
            done.callback({"attempts": self.position, "live": None, "refresh": counted}[job[0]])

    async def close(self):
        self.closed = True

    def verbs(self):
        return [job if isinstance(job, str) else job[0] for job in self.jobs]


class Scene:
    def __init__(self, monkeypatch):
        self.clock = Clock()
        monkeypatch.setattr(module, "Pool", FakePool)
        self.saved, self.faults = [], []
        self.fault = ""
        saved = self.saved

        class Spool:
            async def save_report_position(self, campaign, position):
                saved.append((campaign, position))

        self.reporting = Reporting(
            reactor=self.clock,
            spool=Spool(),
            spool_path="/spool",
            wall=lambda: 1000.0 + self.clock.seconds(),
            fault=self.faults.append,
            situation=self.situation,
            rehearsal=False,
        )
        self.quick, self.slow = self.reporting._quick, self.reporting._slow
        content = {"subject": "hi", "from": "s@me.example", "key": b"k" * 32}
        self.run = Run(1, "spring", "/c", content, "retry", 1000.0, input_rows=5)

        self.reporting.open(self.run, Place("/c", "report", (1, 2)), [("r.csv", ["email"])], "me.example", None)

    def situation(self, _run, state, ended_at):
        return situation(Standing(state=state, alive=True, fault=self.fault, ended_at=ended_at), 1000.0)

    def seconds(self, count):
        for _ in range(count):
            self.reporting.look()
            self.clock.pump([0.05] * 20)

    def finish(self, seconds=30):
        done = Deferred.fromCoroutine(self.reporting.finish(self.run, "finished", 0, 2000.0))
        self.clock.pump([0.05] * seconds * 20)
        assert done.called
        return done.result


@pytest.fixture
def scene(monkeypatch):
    return Scene(monkeypatch)


def test_no_process_begins_before_there_is_something_to_write(scene):
    assert not scene.quick.started
    assert not scene.slow.started
    scene.seconds(1)
    assert scene.quick.started
    assert scene.slow.started


def test_both_processes_know_the_campaign(scene):
    job = (
        "open",
        1,
        "/spool",
        ("/c", "report", (1, 2)),
        [("r.csv", ["email"])],
        b"k" * 32,
        "me.example",
        False,
        ("hi", {}),
        (0, 0),
    )
    assert scene.quick.setups == scene.slow.setups == {1: job}


def test_what_changed_is_written_each_second(scene):
    scene.seconds(3)
    assert scene.quick.verbs() == ["open", "attempts", "live"]
    scene.reporting.changed(scene.run)
    scene.seconds(3)
    assert scene.quick.verbs() == ["open", "attempts", "live", "attempts", "live"]


def test_the_position_in_attempts_csv_is_kept_for_a_restart_of_either(scene):
    scene.seconds(1)
    assert scene.saved == [(1, [10, 1])]
    assert scene.quick.setups[1][-1] == (10, 1)
    scene.reporting.changed(scene.run)
    scene.seconds(1)
    assert scene.saved == [(1, [10, 1])], "it has not moved"


def test_the_long_report_is_written_when_it_is_stale_and_not_all_the_time(scene):
    for _ in range(20):
        scene.reporting.changed(scene.run)
        scene.seconds(1)
    assert 3 <= scene.slow.verbs().count("refresh") <= 6


def test_a_report_that_is_another_machines_by_now_is_closed_as_it_is(scene):
    scene.reporting.changed(scene.run)
    scene.reporting.look()
    done = Deferred.fromCoroutine(scene.reporting.leave(scene.run))
    assert not done.called, "it is being written"
    scene.clock.pump([0.05] * 20)
    assert done.called
    assert (scene.quick.verbs().count("live"), scene.quick.setups, scene.slow.setups) == (1, {}, {})


def test_one_that_takes_long_is_not_asked_for_twice_at_once(scene):
    scene.slow.takes = 10.0
    for _ in range(9):
        scene.reporting.changed(scene.run)
        scene.seconds(1)
    assert scene.slow.verbs().count("refresh") == 1


def test_a_dead_process_is_told_of_and_its_writing_done_again(scene):
    scene.quick.down = scene.slow.down = True
    scene.seconds(4)
    assert scene.faults
    assert "the report process ended" in scene.faults[0]
    assert scene.saved == []
    scene.quick.down = scene.slow.down = False
    scene.seconds(10)
    assert scene.saved == [(1, [10, 1])]
    assert scene.reporting._reports[1].counted["by_domain"] == {"a.example": {"delivered": 1}}
    assert scene.reporting._reports[1].counted["by_variant"] == {"b": {"delivered": 1}}


def test_the_last_line_of_a_traceback_is_what_people_read(scene):
    scene.quick.fails["live"] = WorkerFailedError("Traceback ...\n  File x\nOwnFault: the disk is full\n")
    scene.seconds(1)
    assert scene.faults == ["the report of spring cannot be written: OwnFault: the disk is full"]


def test_the_end_writes_everything_once_more_and_lets_go(scene):
    scene.seconds(2)
    scene.finish()
    live = [job for job in scene.quick.jobs if job[0] == "live"][-1]
    assert live[3] is True, "synced"
    facts = live[2]
    assert (facts["state"], facts["exit_status"], facts["ended_at"]) == ("finished", 0, 2000.0)
    assert scene.quick.verbs()[-1] == scene.slow.verbs()[-1] == "close"
    assert scene.quick.setups == scene.slow.setups == {}
    scene.reporting.changed(scene.run)
    scene.finish()


def test_summary_json_says_that_it_has_ended_when_all_other_files_are_final(scene):
    scene.slow.takes = 5.0
    done = Deferred.fromCoroutine(scene.reporting.finish(scene.run, "finished", 0, 2000.0))
    scene.seconds(14)
    live = [job[2] for job in scene.quick.jobs if job[0] == "live"]
    assert done.called
    assert [(facts["state"], facts["report_whole"]) for facts in live[:-1]] == [("running", False)] * (len(live) - 1)
    assert len(live) > 1
    assert (live[-1]["state"], live[-1]["report_whole"]) == ("finished", True)
    refreshed = [job[2] for job in scene.slow.jobs if job[0] == "refresh"]
    assert {facts["state"] for facts in refreshed} == {"finished"}


def test_the_end_waits_for_what_is_being_written(scene):
    scene.quick.takes = scene.slow.takes = 3.0
    scene.reporting.look()
    scene.finish()
    assert scene.slow.verbs() == ["open", "refresh", "refresh", "close"]


@pytest.mark.parametrize("beat", [0.05, 0.25, 0.45])
def test_the_files_are_closed_behind_all_writing_that_began_while_it_ended(scene, beat):
    """The slow process writes the last report, and looks go on; each write of theirs takes a while."""
    scene.slow.takes, scene.quick.takes = 1.0, 0.4
    scene.reporting.look()
    scene.clock.advance(beat)
    done = Deferred.fromCoroutine(scene.reporting.finish(scene.run, "finished", 0, 2000.0))
    asked, over = [], []
    ask, down = scene.quick.ask, scene.quick.tear_down
    scene.quick.ask = lambda *job: asked.append(job) or ask(*job).addBoth(lambda answer: over.append(job) or answer)
    unfinished = []
    scene.quick.tear_down = lambda *job: unfinished.append(len(asked) - len(over)) or down(*job)
    while not done.called:
        scene.reporting.changed(scene.run)
        scene.reporting.look()
        scene.clock.advance(beat)
    scene.clock.pump([0.05] * 40)
    assert unfinished == [0]
    assert asked[-1][0][0] == "live"
    assert asked[-1][0][2]["state"] == "finished"


def test_the_last_report_is_written_although_a_process_died_just_then(scene):
    scene.slow.down = scene.quick.down = True
    scene.clock.callLater(1.0, setattr, scene.slow, "down", False)
    scene.clock.callLater(1.0, setattr, scene.quick, "down", False)
    assert scene.finish() is True
    assert scene.slow.verbs().count("refresh") == 2
    assert not scene.reporting._reports


def test_a_report_that_cannot_be_written_does_not_keep_the_campaign_from_ending(scene):
    scene.slow.down = True
    assert scene.finish(60) is False
    assert scene.faults
    live = [job[2] for job in scene.quick.jobs if job[0] == "live"]
    assert [(facts["state"], facts["report_whole"]) for facts in live] == [
        ("running", False), ("running", False), ("finished", False),
    ]  # fmt: skip
    assert scene.reporting._reports == {}


def test_the_rate_is_what_was_delivered_between_two_looks(scene):
    report = scene.reporting._reports[1]
    report.measure(1.0)
    scene.run.delivered = 50
    report.measure(3.0)
    assert report.rate == 25.0


def test_closing_ends_both_processes(scene):
    Deferred.fromCoroutine(scene.reporting.close())
    assert scene.quick.closed
    assert scene.slow.closed


@pytest.mark.loopback
class Counting(TestCase):
    """A real process of the report's counts what an earlier report tells."""

    timeout = 300

    def reporting(self):
        told = SimpleNamespace(folder=tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, told.folder)
        told.reporting = Reporting(reactor=reactor, spool=None, spool_path="", wall=float, fault=print, rehearsal=False)
        told.file = Path(told.folder) / "report" / "attempts.csv"
        told.file.parent.mkdir()
        told.place = Place(told.folder, "report")
        return told

    def test_a_rehearsal_reports_elsewhere_and_always_anew(self):
        campaign = SimpleNamespace(folder="/c", opened=SimpleNamespace(id=(1, 2)))
        for rehearsal, folder in ((False, "/c/report"), (True, "/c/rehearsal")):
            one = Reporting(reactor=reactor, spool=None, spool_path="", wall=float, fault=print, rehearsal=rehearsal)
            report = one.report_of(campaign)
            assert report.place.path == folder
            assert report.beyond == (None if rehearsal else one.beyond)

    async def test_attempts_behind_a_position(self):
        one = self.reporting()
        one.file.write_bytes((",".join(ATTEMPT_COLUMNS) + "\r\none,\r\ntwo,\r\n").encode())
        assert await one.reporting.beyond(one.place, (0, 0)) == 2

    async def test_a_file_without_end_is_counted_no_longer_than_the_deadline(self):
        one = self.reporting()
        one.file.write_bytes((",".join(ATTEMPT_COLUMNS) + "\r\n").encode())
        with one.file.open("r+b") as file:
            file.truncate(1 << 43)  # a hole, as large as the file system lets it be
        self.patch(module, "_COUNT_WITHIN", 1.0)
        error = await self.assertFailure(Deferred.fromCoroutine(one.reporting.beyond(one.place, (0, 0))), OwnFault)
        assert "attempts.csv: its attempts could not be counted" in str(error)
