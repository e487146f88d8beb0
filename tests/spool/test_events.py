"""The stream of events: on every store the same, numbered over the whole spool, as true as the outcomes."""

from __future__ import annotations

import os

import pytest

from bulkmail.mail import OwnFault
from bulkmail.spool import CancelRequest, EventBounds, Hold, Reader, open_reader
from bulkmail.spool.maintenance import hold_campaign
from bulkmail.spool.opening import open_all
from tests.retrying import RetryPlan

KEPT = EventBounds(1e6, 100_000)


def noted(kit, store):
    """Return (event, row's number, category) of all events, in order."""
    rows = kit.asked(store, "SELECT event, recipient_id, category FROM event ORDER BY seq")
    return [(event, identity & (1 << 40) - 1, category) for event, identity, category in rows]


def claimed(store, at=1500.0, most=10):
    queues = [queue for queue, _, _ in store.backlog(0, most)]
    return [row for rows in store.claim([(queue, most) for queue in queues], at).values() for row in rows]


def test_none_are_noted_unless_it_is_asked_for(store, kit):
    kit.campaign(store, rows=[kit.row(1), kit.row(2, verdict="suppressed")])
    store.settle([kit.outcome(row) for row in claimed(store)])
    assert noted(kit, store) == []


def test_all_that_becomes_of_rows_and_campaigns_is_noted_once(store, kit):
    store.remember_events(KEPT)
    rows = [kit.row(1), kit.row(2), kit.row(3), kit.row(4, verdict="suppressed"), kit.row(5, verdict="duplicate")]
    identity = kit.campaign(store, rows=[*rows, kit.row(6, "b.example"), kit.row(7, verdict="held")])
    store.settle_held(identity, [(7, True, "row 1")], 1400.0)
    one, two, three, *rest = claimed(store)
    settlements = [
        kit.outcome(one, at=1603.0, provider="google", site="mx.example.com"),
        kit.outcome(two, "bounced", at=1602.0),
        kit.outcome(three, "deferred", at=1601.0),
    ]
    store.settle(settlements)
    store.settle(settlements)  # twice is once
    store.release(rest, 2000.0)
    store.hold(Hold(identity, "paused", "wait", 1700.0, "google", "ann"))
    store.lift(identity, "paused", "google", 1701.0)
    store.request_cancel(CancelRequest(identity, "wrong", "ann", 1702.0))
    store.cancel_rows(identity, 10, 1703.0)
    store.set_state(identity, "cancelled", 1704.0)
    store.set_state(identity, "cancelled", 1705.0)
    assert noted(kit, store) == [
        ("suppressed", 4, ""),
        ("duplicate", 5, ""),
        ("campaign_started", 0, ""),
        ("duplicate", 7, ""),
        ("deferred", 3, ""),
        ("bounced", 2, ""),
        ("delivered", 1, ""),
        ("campaign_held", 0, "paused"),
        ("campaign_released", 0, "paused"),
        ("cancelled", 3, ""),
        ("cancelled", 6, ""),
        ("campaign_cancelled", 0, ""),
    ]
    at = [row[0] for row in kit.asked(store, "SELECT at FROM event ORDER BY seq")]
    assert at[3:9] == [1400.0, 1601.0, 1602.0, 1603.0, 1700.0, 1701.0]
    assert at == sorted(at)


def test_a_number_never_comes_back_and_the_oldest_go(store, kit):
    store.remember_events(EventBounds(50.0, 1000))
    kit.campaign(store, rows=[kit.row(n) for n in range(1, 5)])
    for at, row in zip((2000.0, 2040.0, 2049.0, 2100.0), claimed(store), strict=True):
        store.settle([kit.outcome(row, at=at)])
    assert kit.asked(store, "SELECT at FROM event") == [(2100.0,)], "50 s before the newest they are too old"
    store.remember_events(EventBounds(1e9, 2))
    identity = kit.campaign(store, "other", rows=[kit.row(n) for n in range(1, 5)])
    for row in claimed(store):
        store.settle([kit.outcome(row, at=3000.0)])
    store.cancel_rows(identity, 10, 3001.0)
    numbers = [row[0] for row in kit.asked(store, "SELECT seq FROM event ORDER BY seq")]
    assert numbers == [9, 10], "the newest two of ten"


def test_what_cannot_be_stored_is_no_event(life, kit):
    life.store.remember_events(KEPT)
    kit.campaign(life.store, rows=[kit.row(1)])
    [row] = claimed(life.store)
    kit.fill_disk(life.store)
    big = kit.outcome(row, note="x" * 200_000)
    with pytest.raises(OwnFault, match=kit.FULL):
        life.store.settle([big])
    kit.free_disk(life.store)
    assert [event for event, *_ in noted(kit, life.store)] == ["campaign_started"]
    life.store.settle([big])
    assert [event for event, *_ in noted(kit, life.store)] == ["campaign_started", "delivered"]


def test_a_reply_that_only_the_journal_has_is_an_event_of_the_next_start(life, kit):
    life.store.remember_events(KEPT)
    kit.campaign(life.store, rows=[kit.row(1), kit.row(2)])
    one, two = claimed(life.store)
    for row in (one, two):
        life.journal.dot(row.id, 1)
    life.journal.reply(one.id, 1, kit.outcome(one, site="mx.example.com").packed())
    life.store.recall_events()
    before = life.start
    life.start = lambda: None
    life.die()
    life.start = before
    life.store = life.open()
    life.store.remember_events(KEPT)
    from bulkmail.spool import read_journal

    journalled = read_journal(os.path.join(life.directory, "journal"))
    life.store.recover(journalled, life.boot, RetryPlan(unknown_after=900.0), life.now)
    events = [event[:2] for event in noted(kit, life.store)]
    assert sorted(events[1:]) == [("deferred", 2), ("delivered", 1)]
    assert ("mx.example.com",) in kit.asked(life.store, "SELECT site FROM event")
    life.journal = type(life.journal).open(os.path.join(life.directory, "journal"))


def test_several_machines_number_in_the_order_of_their_commits(pg_dsn, kit):
    one = kit.open_postgres(pg_dsn, "machine-1")
    two = kit.open_postgres(pg_dsn, "machine-2")
    one.remember_events(KEPT)
    two.recall_events()
    assert two.events == KEPT
    first = kit.campaign(one, "one", rows=[kit.row(n) for n in range(1, 4)])
    second = kit.campaign(two, "two", rows=[kit.row(n) for n in range(1, 4)])
    for machine, identity in ((one, first), (two, second)):
        queue = next(queue for queue, of, _ in machine.backlog(0, 10) if of == identity)
        for row in machine.claim([(queue, 3)], 1500.0)[queue]:
            machine.settle([kit.outcome(row)])
    reader = open_reader(pg_dsn)
    events = reader.events(0, 100)
    assert [one.seq for one in events] == list(range(1, len(events) + 1))
    assert sum(one.event == "delivered" for one in events) == 6
    assert reader.event_span() == (1, len(events))
    assert [one.seq for one in reader.events(3, 2)] == [4, 5]
    reader.close()
    one.close()
    two.close()


def test_commands_on_a_spool_without_a_service_note_events_as_it_did(tmp_path, kit):
    spool = str(tmp_path / "spool")
    store, journal, lock, _ = open_all(spool, "boot", RetryPlan(), 1.0, events=KEPT)
    kit.campaign(store, rows=[kit.row(1)])
    store.close(), journal.close(), lock.release()
    hold_campaign(spool, "spring", now=5000.0, reason="look at it", who="ann")
    reader = Reader(spool)
    assert [one.event for one in reader.events(0, 10)] == ["campaign_started", "campaign_held"]
    assert reader.events(0, 10)[-1].note == "paused by ann: look at it"
    reader.close()


def test_a_reader_of_an_older_spool_finds_none(tmp_path, kit, monkeypatch):
    spool = str(tmp_path / "spool")
    store, journal, lock, _ = open_all(spool, "boot", RetryPlan(), 1.0, events=KEPT)
    kit.campaign(store, rows=[kit.row(1)])
    store.close(), journal.close(), lock.release()
    monkeypatch.setattr(Reader, "_knows_events", 999)
    reader = Reader(spool)
    assert (reader.events(0, 10), reader.event_span()) == ([], (None, 0))
    reader.close()
