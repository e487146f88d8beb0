"""What a reader tells, whichever database the spool is in."""

from __future__ import annotations

from bulkmail.spool import recipient_id


def test_the_last_attempts_with_what_was_said(spool):
    _, reader, identity = spool
    both = reader.recent(identity, 10)
    assert [row[1] for row in both] == ["deferred", "delivered"]
    assert list(map(tuple, reader.recent(identity, 1))) == [tuple(both[0])]
    assert [row.n for row in both] == [3, 1]
    assert reader.recent(identity + 1, 10) == []


def test_attempts_are_summed_by_span_provider_and_result_behind_the_last_one_that_was_seen(spool, kit):
    store, reader, identity = spool
    first, second = (recipient_id(identity, n) for n in (1, 2))
    assert sorted(reader.attempt_sums(identity, 0, 60)) == [
        (first, 33, "google", "delivered", 10, 1),
        (second, 33, "other", "deferred", 0, 1),
    ]
    [(last, span, *_)] = reader.attempt_sums(identity, 0, 1, limit=1)
    assert (last, span) == (first, 2000)
    assert [one.last for one in reader.attempt_sums(identity, last, 1)] == [second]
    assert reader.attempt_sums(identity, second, 1) == reader.attempt_sums(identity + 1, 0, 60) == []
    queue = store.due_queues(100.0, 1)[0][0]
    store.settle([kit.outcome(row, provider="google") for row in store.claim([(queue, 1)], 100.0)[queue]])
    assert [tuple(one[2:4]) for one in reader.attempt_sums(identity, second, 60)] == [("google", "delivered")]


def test_all_attempts_of_one_recipient(spool, kit):
    store, reader, identity = spool
    queue = store.due_queues(100.0, 1)[0][0]
    store.settle([kit.outcome(row) for row in store.claim([(queue, 1)], 100.0)[queue]])
    assert [(row.n, row.attempt) for row in reader.attempts_of(identity, 3, 100)] == [(3, 1), (3, 2)]
    assert [row.attempt for row in reader.attempts_of(identity, 3, 1)] == [1]
    assert reader.attempts_of(identity, 2, 100) == []
