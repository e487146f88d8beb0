from __future__ import annotations

from types import SimpleNamespace

import pytest
from twisted.internet.defer import Deferred

from bulkmail.delivery.lifecycle import importing as importing_module
from bulkmail.delivery.lifecycle import list_reading as module
from bulkmail.delivery.lifecycle.list_reading import ListReading
from bulkmail.mail import Refused
from tests.delivery.lifecycle.test_importing import FakeIngest, row

PREPARED = SimpleNamespace(
    campaign=SimpleNamespace(name="spring", recipient_paths=[SimpleNamespace(plain="/c/recipients.csv")])
)


@pytest.fixture
def reading(world, monkeypatch):
    """Give a world, its campaign, the process that reads, and what reads its lists."""
    one = world()
    run = one.campaign({}, run=False)
    run.import_done, run.input_rows = False, 0
    worker = FakeIngest(one.clock, [row(n) for n in range(1, 301)])
    monkeypatch.setattr(importing_module, "Worker", SimpleNamespace(start=lambda *_, **__: worker))
    monkeypatch.setattr(module, "reading_job", lambda *given: {"given": given})
    worker.stored = []
    lists = ListReading(
        reactor=one.clock,
        spool=one.spool,
        wall=one.wall,
        suppress=["all.csv"],
        scratch="/scratch",
        stored=worker.stored.append,
    )
    return one, run, worker, lists


def opened(run):
    return SimpleNamespace(run=run, row=SimpleNamespace(input_rows=0), reading=None)


def outcome(one, coroutine):
    found = []
    Deferred.fromCoroutine(coroutine).addBoth(found.append)
    one.until(lambda: found)
    return found[0]


def test_lists_are_opened_and_read_to_their_end(reading):
    one, run, worker, lists = reading
    importing = outcome(one, lists.open(PREPARED, opened(run)))
    lists.begin(run, importing)
    outcome(one, lists.ended(run))
    assert run.input_rows == 300
    assert run.import_done
    assert worker.closed
    assert worker.stored.count(run) >= 3, "after each batch, and at the end"
    lists.forget(run)
    lists.stop(run)  # which has ended: nothing to stop


def test_a_list_that_is_refused_leaves_no_process(reading):
    one, run, worker, lists = reading
    worker.fails["open"] = ("refused", [("r.csv", 2, 0, "the part already read has changed")])
    failure = outcome(one, lists.open(PREPARED, opened(run)))
    assert failure.check(Refused)
    assert worker.closed


@pytest.mark.parametrize("stop", [lambda lists, run: lists.stop(run), lambda lists, _: lists.stop_all()])
def test_reading_stops_after_the_batch_at_hand(reading, stop):
    one, run, _, lists = reading
    importing = outcome(one, lists.open(PREPARED, opened(run)))
    lists.begin(run, importing)
    stop(lists, run)
    outcome(one, lists.ended(run))
    assert run.input_rows == 100
    assert not run.import_done


def test_the_operators_lists_are_those_of_the_last_settings(reading):
    one, run, _, lists = reading
    lists.apply(["other.csv"])
    importing = outcome(one, lists.open(PREPARED, opened(run)))
    assert importing._job["given"][3:] == (["other.csv"], "/scratch")
    importing.close()


def test_a_campaign_that_is_not_finished_has_no_changed_lists(reading):
    one, _, _, lists = reading
    assert outcome(one, lists.changed(PREPARED)) is False
