"""What a reader tells, whichever database the spool is in."""

from __future__ import annotations

import pytest

from bulkmail.spool import SqliteStore, open_reader


@pytest.fixture(params=["file", "postgres"])
def spool(request, tmp_path, kit):
    """A store with two campaigns, partly sent; and a reader beside it."""
    if request.param == "file":
        address = str(tmp_path)
        store = SqliteStore(str(tmp_path / "spool.sqlite3"))
    else:
        address = request.getfixturevalue("pg_dsn")
        store = kit.open_postgres(address)
    rows = [kit.row(1), kit.row(2, verdict="invalid", note="no @"), kit.row(3), kit.row(4, "b.example"), kit.row(5)]
    identity = kit.campaign(store, rows=rows)
    kit.campaign(store, "other", rows=[kit.row(1)])
    [queue, *_] = [queue for queue, _, _ in store.backlog(0, 10)]
    got = store.claim([(queue, 10)], 5.0)[queue]
    store.settle([kit.outcome(got[0], provider="google"), kit.outcome(got[1], "deferred", next_at=99.0)])
    reader = open_reader(address)
    yield store, reader, identity
    reader.close()
    store.close()


def test_the_last_attempts_with_what_was_said(spool):
    _, reader, identity = spool
    both = reader.recent(identity, 10)
    assert [row[1] for row in both] == ["deferred", "delivered"]
    assert list(map(tuple, reader.recent(identity, 1))) == [tuple(both[0])]
    assert reader.recent(identity + 1, 10) == []


def test_attempts_are_counted_over_time_and_by_provider(spool):
    _, reader, identity = spool
    both = reader.recent(identity, 10)
    counted = list(map(tuple, reader.over_time(identity, 1)))
    assert sorted((number, result, count) for number, result, _, count in counted) == sorted(
        (int(one.at), one.result, 1) for one in both
    )
    assert [row[1] for row in reader.over_time(identity, 60, "google")] == ["delivered"]
    assert reader.over_time(identity + 1, 60) == []


def test_all_attempts_of_one_recipient(spool, kit):
    store, reader, identity = spool
    queue = store.due_queues(100.0, 1)[0][0]
    store.settle([kit.outcome(row) for row in store.claim([(queue, 1)], 100.0)[queue]])
    assert [(row.n, row.attempt) for row in reader.attempts_of(identity, 3, 100)] == [(3, 1), (3, 2)]
    assert [row.attempt for row in reader.attempts_of(identity, 3, 1)] == [1]
    assert reader.attempts_of(identity, 2, 100) == []
