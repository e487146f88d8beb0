"""What a reader tells, whichever database the spool is in."""

from __future__ import annotations


def test_the_last_attempts_with_what_was_said(spool):
    _, reader, identity = spool
    both = reader.recent(identity, 10)
    assert [row[1] for row in both] == ["deferred", "delivered"]
    assert list(map(tuple, reader.recent(identity, 1))) == [tuple(both[0])]
    assert [row.n for row in both] == [3, 1]
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


def test_attempts_to_no_large_provider_are_those_to_other(spool, kit):
    store, reader, identity = spool
    queue = store.due_queues(100.0, 1)[0][0]
    rows = store.claim([(queue, 1)], 100.0)[queue]
    store.settle([kit.outcome(row, provider="") for row in rows])
    assert sorted(row[1] for row in reader.over_time(identity, 60, "other")) == ["deferred", "delivered"]


def test_all_attempts_of_one_recipient(spool, kit):
    store, reader, identity = spool
    queue = store.due_queues(100.0, 1)[0][0]
    store.settle([kit.outcome(row) for row in store.claim([(queue, 1)], 100.0)[queue]])
    assert [(row.n, row.attempt) for row in reader.attempts_of(identity, 3, 100)] == [(3, 1), (3, 2)]
    assert [row.attempt for row in reader.attempts_of(identity, 3, 1)] == [1]
    assert reader.attempts_of(identity, 2, 100) == []
