from __future__ import annotations

import pytest

from bulkmail.mail import OwnFault
from bulkmail.shaping import RetryPlan
from bulkmail.spool import Journalled, Recovered, SqliteStore, recipient_id


def test_new_rows_come_in_input_order_and_once(store, kit):
    identity = kit.campaign(store, rows=[kit.row(n, "a.example" if n % 2 else "b.example") for n in range(1, 8)])
    (a, _, name_a), (b, _, name_b) = store.backlog(0, 10)
    assert (name_a, name_b) == ("a.example", "b.example")
    got = store.claim([(a, 3), (b, 10)], 5.0)
    assert [claimed.number for claimed in got[a]] == [1, 3, 5]
    assert [claimed.number for claimed in got[b]] == [2, 4, 6]
    first = got[a][0]
    assert first[:6] == (recipient_id(identity, 1), identity, a, "user1@a.example", '["user1@a.example", "N1"]', 0)
    assert first[6:] == (0, 0.0, 5.0, "pending", "", "", 0)
    assert store.backlog(0, 10) == [(a, identity, "a.example")]
    kit.check_laws(store)
    assert [claimed.number for claimed in store.claim([(a, 10), (b, 10)], 6.0)[a]] == [7]
    assert store.claim([(a, 10), (b, 10)], 7.0) == {a: [], b: []}
    assert store.backlog(0, 10) == []
    assert store.claimed == 7


def test_rows_that_are_far_apart_come_in_input_order(tmp_path, kit):
    store = SqliteStore(str(tmp_path / "spool.sqlite3"))
    store.recover(Journalled(found=True), "boot", RetryPlan(), 1000.0)
    before = kit.campaign(store, "before", rows=[kit.row(1)])
    identity = kit.campaign(store, rows=[kit.row(n) for n in (1, 2, 3)])
    [(_, _, _), (queue, _, _)] = store.backlog(0, 10)
    far = [262_143, 262_144, 262_145, 1_000_000, 9_999_999]
    for n in far:  # as if the rows of other domains lay between them
        values = (recipient_id(identity, n), queue, 0, n, f"u{n}@example.com", "[]")
        store.database.connection.execute("INSERT INTO recipient VALUES (?, ?, ?, ?, ?, ?)", values)
    got = [[claimed.number for claimed in store.claim([(queue, 3)], 5.0)[queue]] for _ in range(4)]
    assert got == [[1, 2, 3], [262_143, 262_144, 262_145], [1_000_000, 9_999_999], []]
    assert [campaign for _, campaign, _ in store.backlog(0, 10)] == [before]
    store.close()
    store = SqliteStore(str(tmp_path / "spool.sqlite3"))
    assert store.recover(Journalled(found=True), "boot", RetryPlan(), 1000.0) == Recovered(0, 0, 8)
    store.close()


def test_one_queue_asked_twice_in_one_go(store, kit):
    kit.campaign(store, rows=[kit.row(n) for n in range(1, 6)])
    [(queue, _, _)] = store.backlog(0, 10)
    got = store.claim([(queue, 2), (queue, 2), (queue, 0)], 5.0)
    assert [claimed.number for claimed in got[queue]] == [1, 2, 3, 4]
    kit.check_laws(store)


def test_rows_that_are_due_come_first_oldest_first(store, kit):
    kit.campaign(store, rows=[kit.row(n) for n in range(1, 7)])
    [(queue, _, _)] = store.backlog(0, 10)
    rows = store.claim([(queue, 4)], 5.0)[queue]
    store.settle(
        [kit.outcome(row, "deferred", next_at=at) for row, at in zip(rows, (300.0, 100.0, 200.0, 900.0), strict=True)]
    )
    assert store.next_due() == 100.0
    assert store.due_queues(99.0, 10) == []
    assert store.due_queues(100.0, 10) == [(queue, rows[0].campaign_id, "example.com", 100.0)]
    got = store.claim([(queue, 4)], 300.0)[queue]
    assert [(row.number, row.attempts, row.status, row.date) for row in got] == [
        (2, 1, "deferred", 5.0),
        (3, 1, "deferred", 5.0),
        (1, 1, "deferred", 5.0),
        (5, 0, "pending", 300.0),
    ]
    assert got[0].first_attempt_at == 2000.0
    assert store.next_due() == 900.0
    kit.check_laws(store)
    assert store.claim([(queue, 1)], 300.0)[queue][0].number == 6


def test_only_running_campaigns_give_rows(store, kit):
    paused = kit.campaign(store, "paused", rows=[kit.row(1), kit.row(2)])
    running = kit.campaign(store, "running", rows=[kit.row(1)])
    (one, _, _), (two, _, _) = store.backlog(0, 10)
    row = store.claim([(one, 1)], 5.0)[one][0]
    store.settle([kit.outcome(row, "deferred", next_at=9.0)])
    store.set_state(paused, "paused", 6.0)
    assert store.backlog(0, 10) == [(two, running, "example.com")]
    assert store.due_queues(10.0, 10) == []
    assert store.next_due() is None
    assert store.next_due(paused) == 9.0
    assert store.claim([(one, 5)], 10.0) == {one: []}
    store.set_state(paused, "running", 7.0)
    assert [row.number for row in store.claim([(one, 5)], 10.0)[one]] == [1, 2]


def test_queues_come_page_by_page(store, kit):
    for name in ("a", "b"):
        kit.campaign(store, name, rows=[kit.row(n, f"d{n}.example") for n in range(1, 6)])
    queues = [queue for queue, _, _ in store.backlog(0, 100)]
    assert len(queues) == 10
    assert [row[0] for row in store.backlog(queues[3], 4)] == queues[4:8]
    rows = [row for got in store.claim([(queue, 1) for queue in queues], 5.0).values() for row in got]
    store.settle([kit.outcome(row, "deferred", next_at=100.0 + at // 2) for at, row in enumerate(rows)])
    pages, after = [], (-1.0, 0)
    while page := store.due_queues(1000.0, 3, after):
        pages += page
        after = (page[-1][3], page[-1][0])
    assert [(row[3], row[0]) for row in pages] == sorted((100.0 + at // 2, queue) for at, queue in enumerate(queues))


def test_an_unknown_queue_gives_nothing(store):
    assert store.claim([(77, 5)], 1.0) == {77: []}


def test_a_claim_that_cannot_be_written_claims_nothing(store, kit):
    kit.campaign(store, rows=[kit.row(n, f"d{n}.example") for n in range(1, 500)])
    queues = [(queue, 1) for queue, _, _ in store.backlog(0, 1000)]
    kit.fill_disk(store)
    with pytest.raises(OwnFault, match=kit.FULL):
        store.claim(queues, 5.0)
    assert store.claimed == 0
    kit.check_laws(store)
    kit.free_disk(store)
    assert len(store.claim(queues, 5.0)) == 499
    kit.check_laws(store)


def test_claims_of_an_earlier_run_must_be_recovered_first(tmp_path, kit):
    path = str(tmp_path / "spool.sqlite3")
    store = SqliteStore(path)
    store.recover(kit.nothing_journalled, "boot", RetryPlan(), 1.0)
    kit.campaign(store, rows=[kit.row(1), kit.row(2)])
    [(queue, _, _)] = store.backlog(0, 10)
    store.claim([(queue, 1)], 5.0)
    store.close()
    store = SqliteStore(path)
    with pytest.raises(OwnFault, match="recover it first"):
        store.claim([(queue, 1)], 5.0)
    store.recover(kit.nothing_journalled, "boot", RetryPlan(), 6.0)
    assert len(store.claim([(queue, 5)], 5.0)[queue]) == 2
    store.close()


def test_nobody_waits_until_a_time_that_no_clock_of_ours_can_have_meant(store, kit):
    """A clock that was set back after it had put them off."""
    kit.campaign(store, rows=[kit.row(n, f"d{n}.example") for n in range(1, 4)])
    queues = [queue for queue, _, _ in store.backlog(0, 10)]
    claimed = [row for rows in store.claim([(queue, 1) for queue in queues], 5.0).values() for row in rows]
    store.settle(
        [kit.outcome(row, "deferred", next_at=at) for row, at in zip(claimed, (50.0, 900.0, 9000.0), strict=True)]
    )
    store.bring_forward(900.0)
    kit.check_laws(store)
    assert [(queue, at) for queue, _, _, at in store.due_queues(10_000.0, 10)] == list(
        zip(queues, (50.0, 900.0, 900.0), strict=True)
    )
