from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from twisted.internet.defer import Deferred, fail, succeed
from twisted.logger import globalLogPublisher
from twisted.python.failure import Failure

from bulkmail.delivery.lifecycle import importing as module
from bulkmail.delivery.lifecycle.importing import Importing
from bulkmail.mail import OwnFault, Refused
from bulkmail.workers import WorkerDiedError, WorkerLateError


def row(n, verdict="ok"):
    return (
        n,
        0,
        n,
        f"u{n}@a.example",
        "a.example" if verdict in ("ok", "held") else "",
        json.dumps([f"u{n}"]),
        verdict,
        "",
    )


class FakeIngest:
    """The process: ``rows`` in batches of the size asked for, then what became of the held ones."""

    def __init__(self, clock, rows, held=()):
        self.clock, self.rows, self.held = clock, list(rows), list(held)
        self.at, self.asked, self.closed, self.fails = 0, [], False, {}
        self.pending, self.made = [], []

    def ask(self, job, deadline):
        assert deadline is None
        self.asked.append(job[0])
        done = Deferred()
        self.pending.append(done)
        self.made.append(done)
        self.clock.callLater(0.01, self._answer, job, done)
        return done

    def _answer(self, job, done):
        self.pending.remove(done)
        failure = self.fails.get(job[0])
        if self.closed:
            done.errback(WorkerDiedError("ended"))
        elif failure is not None:
            done.errback(failure) if isinstance(failure, Exception) else done.callback(failure)
        elif job[0] == "open":
            done.callback(("opened", [["email"]], [("r.csv", 1, 0, "a byte order mark was left out")]))
        elif job[0] == "next":
            batch = self.rows[self.at : self.at + job[1]]
            self.at += len(batch)
            told = [("r.csv", 1, 7, "2 of 3 rows say no"), ("r.csv", 1, 9, "known")]
            done.callback(("rows", batch, {"at": self.at, "told": told}, self.at == len(self.rows)))
        else:
            batch, self.held = self.held[: job[1]], self.held[job[1] :]
            done.callback(("settled", batch, not self.held, {"at": self.at}))

    def close(self):
        self.closed = True


class Scene:
    def __init__(self, world, monkeypatch, rows, held=()):
        self.one = world()
        self.run = self.one.campaign({}, run=False)
        self.run.import_done = False
        self.run.input_rows = 0
        self.worker = FakeIngest(self.one.clock, rows, held)
        monkeypatch.setattr(module, "Worker", SimpleNamespace(start=lambda *_, **__: self.worker))
        self.stored = []
        self.importing = Importing(
            reactor=self.one.clock,
            spool=self.one.spool,
            run=self.run,
            job={"files": ["r.csv"]},
            wall=self.one.wall,
            stored=lambda run: self.stored.append((run.input_rows, run.import_done)),
        )

    def result(self, coroutine, seconds=30.0):
        got = []
        Deferred.fromCoroutine(coroutine).addBoth(got.append)
        self.one.run(seconds)
        assert got, "it has not ended"
        if isinstance(got[0], Failure):
            got[0].raiseException()
        return got[0]

    def statuses(self):
        return self.one.statuses(self.run)


@pytest.fixture
def scene(world, monkeypatch):
    return lambda rows, held=(): Scene(world, monkeypatch, rows, held)


def test_what_the_operator_should_know_is_passed_on(scene):
    one = scene([])
    (notice,) = one.result(one.importing.open())
    assert str(notice) == "r.csv:1: a byte order mark was left out"


def test_what_all_rows_say_is_told_once_in_place_of_what_the_first_said(scene):
    one = scene([row(n) for n in range(1, 4)])
    one.run.notices[:] = ["r.csv:1:7: 1 of the first 2 rows say no", "r.csv:1:9: known", "r.csv:2: other"]
    events = []
    globalLogPublisher.addObserver(events.append)
    try:
        one.result(one.importing.import_all())
    finally:
        globalLogPublisher.removeObserver(events.append)
    assert one.run.notices == ["r.csv:1:9: known", "r.csv:2: other", "r.csv:1:7: 2 of 3 rows say no"]
    assert [event["notice"] for event in events if "notice" in event] == ["r.csv:1:7: 2 of 3 rows say no"]


def test_rows_are_stored_batch_by_batch_and_the_first_is_small(scene):
    one = scene([row(n) for n in range(1, 12_001)])
    one.result(one.importing.import_all())
    assert one.run.input_rows == 12_000
    assert one.run.import_done
    assert one.stored == [(100, False), (5100, False), (10_100, False), (12_000, False), (12_000, True)]
    assert one.statuses() == {"pending": 12_000}
    assert one.one.store.campaigns()[0].import_done
    assert one.worker.closed


def test_rows_that_are_not_sent_are_counted_at_once(scene):
    verdicts = ["ok", "invalid", "duplicate", "suppressed", "suppressed", "bad-row"]
    one = scene([row(n, verdict) for n, verdict in enumerate(verdicts, 1)])
    one.result(one.importing.import_all())
    counted = {"pending": 1, "invalid": 2, "duplicate": 1, "suppressed": 2}
    assert {status: count for status, count in one.run.by_status.items() if count} == counted
    assert one.statuses() == counted
    assert one.run.by_category == {"invalid-address": 1, "bad-row": 1}


def test_rows_held_back_are_decided_at_the_end(scene):
    rows = [row(n, "held" if n in (2, 3) else "ok") for n in range(1, 5)]
    one = scene(rows, [(2, True, "the same as row 1"), (3, False, "")])
    one.result(one.importing.import_all())
    assert one.statuses() == {"pending": 3, "duplicate": 1}
    assert one.run.by_status["duplicate"] == 1
    assert one.run.import_done


def test_a_list_without_rows_is_a_campaign_of_none(scene):
    one = scene([])
    one.result(one.importing.import_all())
    assert one.run.complete


def test_the_next_batch_is_read_while_the_last_is_stored_and_no_further(scene):
    one = scene([row(n) for n in range(1, 20_001)])
    one.one.disk.delay = 5.0
    done = Deferred.fromCoroutine(one.importing.import_all())
    one.one.run(4.0)
    assert one.worker.asked == ["next", "next"]
    assert one.worker.pending == []
    one.one.disk.delay = 0.0
    one.one.run(60)
    assert done.called


def test_a_file_that_is_not_what_it_was_is_refused(scene):
    one = scene([row(1)])
    one.worker.fails["next"] = ("refused", [("r.csv", 3, 0, "the part already read has changed")])
    with pytest.raises(Refused, match=r"r\.csv:3: the part already read has changed"):
        one.result(one.importing.import_all())
    assert one.worker.closed
    assert not one.run.import_done


@pytest.mark.parametrize("verb", ["next", "settle"])
def test_a_process_that_dies_is_told(scene, verb):
    one = scene([row(1)])
    one.worker.fails[verb] = WorkerDiedError("ended: signal 9")
    with pytest.raises(WorkerDiedError):
        one.result(one.importing.import_all())
    assert not one.run.import_done


def test_a_full_scratch_disk_is_a_fault_of_ours(scene):
    one = scene([])
    one.worker.fails["open"] = ("own-fault", "no room left")
    with pytest.raises(OwnFault, match="no room left"):
        one.result(one.importing.open())


def test_a_full_disk_makes_the_import_wait_and_loses_nothing(scene):
    one = scene([row(n) for n in range(1, 301)])
    one.one.disk.fault = OwnFault("the disk is full")
    done = Deferred.fromCoroutine(one.importing.import_all())
    one.one.run(22)
    assert not done.called
    assert one.run.input_rows == 0
    one.one.disk.fault = None
    one.one.run(30)
    assert done.called
    assert one.statuses() == {"pending": 300}


def test_stopped_it_ends_behind_the_batch_at_hand(scene):
    one = scene([row(n) for n in range(1, 20_001)])
    done = Deferred.fromCoroutine(one.importing.import_all())
    one.one.run(0.015)
    one.importing.stop()
    one.one.run(5)
    assert done.called
    assert not one.run.import_done
    stored = one.one.store.campaigns()[0].input_rows
    assert stored == one.run.input_rows
    assert [batch.result for batch in one.worker.made if batch.called and batch.result is not None] == []
    assert stored < 20_000
    assert one.worker.closed


def test_stopped_while_the_disk_is_full_it_ends(scene):
    one = scene([row(n) for n in range(1, 301)])
    one.one.disk.fault = OwnFault("the disk is full")
    got = []
    Deferred.fromCoroutine(one.importing.import_all()).addBoth(got.append)
    one.one.run(2)
    one.importing.stop()
    one.one.run(8)
    assert got[0].check(OwnFault)


def test_what_changed_since_a_campaign_was_finished_is_asked_of_a_process(monkeypatch):
    closed, asked = [], []

    class Process:
        def ask(self, job, deadline):
            asked.append((job, deadline))
            return fail(answers.pop()) if isinstance(answers[-1], Exception) else succeed(answers.pop())

        def close(self):
            closed.append(1)
            return succeed(None)

    monkeypatch.setattr(module.Worker, "start", lambda *_, **__: Process())
    for answer, names in ((("changed", ["a.csv"]), ["a.csv"]), (WorkerDiedError("x"), []), (WorkerLateError("x"), [])):
        answers = [answer]
        found = []
        Deferred.fromCoroutine(module.changed_lists(None, ["/c/a.csv"], {})).addBoth(found.append)
        assert found == [names]
    assert asked[0] == (("changed", ["/c/a.csv"], {}), 60.0)
    assert len(closed) == 3
