"""What a settlement changes, without a database."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.spool import Attempt, Settlement, number_of, recipient_id
from bulkmail.spool.booking import (
    AttemptLine,
    Batch,
    Booking,
    DueLine,
    OutcomeLine,
    book,
    count,
    earliest,
    give_back,
    journalled_reply,
    unanswered,
)
from bulkmail.spool.rows import ClaimState

ROW = recipient_id(3, 7)
NEW = ClaimState.new(11, 5, 1000.0)
TRIED = ClaimState(0, 5, 1000.0, 2, 1100.0, "deferred", "busy", "google", 900, 4321, 0)
REPLY = Attempt(2000.0, 1, "delivered", "", 250, "2.0.0", "Ok", "dot", "mx.example", "192.0.2.1", "", "TLSv1.3", 412)
DELIVERED = Settlement(ROW, 5, "delivered", "", "google", REPLY, completed_at=2001.0, bytes=999)


def test_a_delivered_row_has_an_attempt_an_outcome_and_ends_its_claim():
    batch = Batch({3: 40})
    book(batch, DELIVERED, NEW)
    assert batch.attempts == [
        AttemptLine(
            41, ROW, 2000.0, 1, "delivered", "", 250, "2.0.0", "Ok", "dot", "mx.example", "192.0.2.1", "", "TLSv1.3",
            412, None,
        )
    ]  # fmt: skip
    assert batch.outcomes == [OutcomeLine(ROW, "delivered", "", "google", 1, 2000.0, 2001.0, 1000.0, 999, 41, 0, "")]
    assert batch.totals == {(3, "", "pending", ""): -1, (3, "google", "delivered", ""): 1}
    assert batch.queues == {5: [1, 0, 0]}
    assert (batch.claims, batch.done, batch.last_attempt) == ({11: 1}, {ROW}, {3: 41})
    assert (batch.due, batch.not_due, batch.borrowed, batch.doubled) == ([], [], [], {})


def test_a_row_that_waits_again_keeps_its_date_and_when_it_was_first_tried():
    batch = Batch({3: 40})
    later = REPLY._replace(number=3, result="deferred", smtp_code=0)
    book(batch, Settlement(ROW, 5, "deferred", "busy", "google", later, next_at=3000.0), TRIED)
    [outcome], [attempt] = batch.outcomes, batch.attempts
    assert (outcome.attempts, outcome.first_attempt_at, outcome.date, outcome.bytes) == (3, 1100.0, 1000.0, 4321)
    assert (attempt.number, attempt.smtp_code, attempt.next_attempt_at) == (3, None, 3000.0)
    assert batch.due == [DueLine(ROW, 5, 3000.0, 1000.0)]
    assert batch.queues == {5: [0, 0, 0]}, "deferred before and after"
    assert batch.claims == {}, "it came out of the table `due`"


@pytest.mark.parametrize(
    ("settlement", "known"),
    [
        (DELIVERED, None),
        (DELIVERED._replace(attempt=REPLY._replace(number=2)), TRIED),
        (DELIVERED._replace(status="odd"), None),
    ],
    ids=["not claimed", "stored already", "not claimed and wrong"],
)
def test_what_is_passed_over_changes_nothing(settlement, known):
    batch = Batch({3: 40})
    book(batch, settlement, known)
    assert batch == Batch({3: 40})


def test_a_row_is_settled_once_in_a_batch():
    batch = Batch({3: 40})
    book(batch, DELIVERED, NEW)
    book(batch, DELIVERED._replace(status="bounced"), NEW)
    give_back(batch, ROW, 5000.0, NEW)
    assert [line.status for line in batch.outcomes] == ["delivered"]
    assert batch.due == []


def test_a_settlement_that_contradicts_itself_is_refused():
    with pytest.raises(ValueError, match=r"delivered and due at 9\.0 do not go together"):
        book(Batch({3: 40}), DELIVERED._replace(next_at=9.0), NEW)


@pytest.mark.parametrize(("doubt", "result", "counted"), [(0, "delivered", 0), (1, "delivered", 1), (1, "failed", 0)])
def test_a_second_copy_that_may_have_arrived_is_counted(doubt, result, counted):
    batch = Batch({3: 40})
    book(batch, DELIVERED._replace(attempt=REPLY._replace(number=3, result=result)), TRIED._replace(doubt=doubt))
    assert batch.doubled[3] == counted


def test_an_end_without_an_attempt_may_borrow_a_reply():
    batch = Batch()
    ended = Settlement(ROW, 5, "expired", completed_at=9.0, reply_of=recipient_id(3, 1))
    book(batch, ended, NEW._replace(claim_id=0))
    assert batch.borrowed == [(recipient_id(3, 1), ROW)]
    assert batch.not_due == [ROW]
    book(batch, ended._replace(recipient_id=ROW + 1), TRIED)
    assert len(batch.borrowed) == 1, "it has a reply of its own"


@pytest.mark.parametrize(
    ("before", "after", "counts"),
    [
        ("pending", "delivered", [1, 0, 0]),
        ("pending", "bounced", [0, 1, 0]),
        ("pending", "deferred", [0, 0, 1]),
        ("deferred", "delivered", [1, 0, -1]),
        ("deferred", "pending", [0, 0, -1]),
    ],
)
def test_a_queues_figures(before, after, counts):
    batch = Batch()
    count(batch, NEW._replace(status=before), after)
    assert batch.queues == {5: counts}


def test_the_earliest_of_each_queue():
    rows = [DueLine(1, 5, 30.0, None), DueLine(2, 5, 10.0, None), DueLine(3, 6, 20.0, None)]
    assert earliest(rows) == {5: 10.0, 6: 20.0}


def test_a_lost_reply_is_tried_again_or_ends():
    again, ended = (unanswered(ROW, TRIED, next_at=at, now=50.0) for at in (99.0, 0.0))
    assert (again.status, again.next_at, again.completed_at, again.attempt.next_attempt_at) == (
        "deferred",
        99.0,
        0,
        99.0,
    )
    assert (ended.status, ended.next_at, ended.completed_at) == ("unknown", 0.0, 50.0)
    assert {(one.attempt.number, one.attempt.result, one.problem) for one in (again, ended)} == {(3, "unknown", "")}


def test_a_journalled_reply_is_read_or_is_none():
    assert journalled_reply(DELIVERED.packed()) == DELIVERED
    assert [journalled_reply(payload) for payload in (None, b"", b"no such data")] == [None, None, None]


def test_memory_changes_when_a_batch_is_committed_and_not_before():
    booking = Booking()
    booking.took({ROW: NEW, ROW + 1: NEW}, {11: 2})
    batch = Batch({3: 40})
    booking.book(batch, [DELIVERED], [])
    assert (len(booking.claimed), booking.finished(batch)) == (2, [])
    booking.settled(batch)
    assert (booking.claimed, booking.open_claims, booking.last_attempt) == ({ROW + 1: NEW}, {11: 1}, {3: 41})
    batch = Batch()
    booking.book(batch, [DELIVERED], [(ROW + 1, 7000.0)])
    assert batch.due == [DueLine(ROW + 1, 5, 7000.0, 1000.0)]
    assert booking.finished(batch) == [11]
    booking.settled(batch)
    assert (booking.claimed, booking.open_claims) == ({}, {})


@given(
    st.lists(
        st.tuples(st.integers(1, 9), st.sampled_from(["delivered", "bounced", "deferred", "returned"])), max_size=30
    )
)
def test_whatever_is_settled_each_row_is_counted_once(history):
    """The totals' changes sum to nothing, and a row ends, waits or stays claimed: exactly one of them."""
    booking = Booking()
    rows = [recipient_id(3, n) for n in range(1, 7)]
    booking.took(dict.fromkeys(rows, NEW), {11: len(rows)})
    settlements, back = [], []
    for number, status in history:
        identity = recipient_id(3, number)
        if status == "returned":
            back.append((identity, 9000.0))
        else:
            next_at = 9000.0 if status == "deferred" else 0.0
            settlements.append(DELIVERED._replace(recipient_id=identity, status=status, next_at=next_at))
    batch = Batch({3: 0})
    booking.book(batch, settlements, back)
    assert sum(batch.totals.values()) == 0
    ended = {line.recipient_id for line in batch.outcomes if line.status != "deferred"}
    waiting = Counter(line.recipient_id for line in batch.due)
    assert set(waiting.values()) <= {1}
    booking.settled(batch)
    assert sorted([*ended, *waiting, *booking.claimed]) == rows
    assert booking.open_claims == ({11: len(booking.claimed)} if booking.claimed else {})
    assert [number_of(line.id) for line in batch.attempts] == list(range(1, len(batch.outcomes) + 1))
