"""What a settlement changes, computed without a database: one transaction's lines, and what is claimed after it.

A store gathers settlements in a `Batch`, writes the batch, and tells its `Booking` once that is committed. So a
transaction that fails leaves the memory as it was.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from bulkmail.spool.rows import Attempt, ClaimState, Settlement, campaign_of, unpack

_DOUBTFUL = frozenset({"delivered", "unknown"})


class AttemptLine(NamedTuple):
    """A line of the table `attempt`, in the order of its columns."""

    id: int
    recipient_id: int
    at: float
    number: int
    result: str
    category: str
    smtp_code: int | None
    enhanced: str
    reply: str
    stage: str
    mx_host: str
    mx_ip: str
    source_ip: str
    tls: str
    duration_ms: int
    next_attempt_at: float | None
    tls_policy: str = ""


class OutcomeLine(NamedTuple):
    """A line of the table `outcome`, in the order of its columns."""

    recipient_id: int
    status: str
    category: str = ""
    provider: str = ""
    attempts: int = 0
    first_attempt_at: float | None = None
    completed_at: float | None = None
    date: float | None = None
    bytes: int = 0
    attempt_id: int | None = None
    doubt: int = 0
    note: str = ""


class EventLine(NamedTuple):
    """A line of the table `event` without its number, in the order of its columns.

    ``event``: a status, a `mail.LateResult`, or what became of a campaign. ``recipient_id``: with the row number 0 it
    is of the campaign itself. ``attempt_id``: the line of the table `attempt` that tells more of it.
    """

    at: float
    event: str
    recipient_id: int
    attempt_id: int | None = None
    provider: str = ""
    category: str = ""
    site: str = ""
    note: str = ""


class DueLine(NamedTuple):
    """A line of the table `due`, in the order of its columns: a row that waits until ``next_at``."""

    recipient_id: int
    queue_id: int
    next_at: float
    date: float | None


@dataclass(slots=True)
class Batch:
    """What one transaction is going to write, and what to change in memory once it is committed."""

    last_attempt: dict[int, int] = field(default_factory=dict)  # campaign id -> the last number given to an attempt
    attempts: list[AttemptLine] = field(default_factory=list)
    outcomes: list[OutcomeLine] = field(default_factory=list)
    borrowed: list[tuple[int, int]] = field(default_factory=list)  # whose reply, for whom
    due: list[DueLine] = field(default_factory=list)
    not_due: list[int] = field(default_factory=list)  # recipient ids that leave the table `due`
    totals: Counter[tuple[int, str, str, str]] = field(default_factory=Counter)
    queues: dict[int, list[int]] = field(default_factory=dict)  # queue id -> delivered, failed, deferred
    doubled: Counter[int] = field(default_factory=Counter)  # campaign id -> recipients that may have two copies
    claims: Counter[int] = field(default_factory=Counter)  # claim id -> rows of it that are settled
    done: set[int] = field(default_factory=set)  # recipient ids that are claimed no longer


class Booking:
    """The claimed rows of this process, in memory, and the claims they came with. The one owner of both.

    Bounded by what is in flight. It is right as long as the process lives, for no other process changes these rows; a
    start reads the database instead (`recover`).
    """

    def __init__(self) -> None:
        self.claimed: dict[int, ClaimState] = {}  # by recipient id
        self.open_claims: dict[int, int] = {}  # claim id -> rows neither settled nor given back
        self.last_attempt: dict[int, int] = {}  # campaign id -> the last number given, as far as it is known

    def book(self, batch: Batch, settlements: Iterable[Settlement], given_back: Iterable[tuple[int, float]]) -> None:
        """Add settlements and rows given back, (recipient_id, next_at), to a batch. Raises ValueError: see `book`."""
        claimed = self.claimed
        for settlement in settlements:
            book(batch, settlement, claimed.get(settlement.recipient_id))
        for identity, next_at in given_back:
            give_back(batch, identity, next_at, claimed.get(identity))

    def finished(self, batch: Batch) -> list[int]:
        """Return the claims of which the batch settles the last rows."""
        return [claim for claim, rows in batch.claims.items() if self.open_claims[claim] == rows]

    def took(self, claimed: Mapping[int, ClaimState], claims: Mapping[int, int]) -> None:
        """Take in what was claimed, once that is committed. ``claims``: claim id -> its rows."""
        self.claimed.update(claimed)
        self.open_claims.update(claims)

    def settled(self, batch: Batch) -> None:
        """Take in what a batch changed, once it is committed."""
        for identity in batch.done:
            del self.claimed[identity]
        for claim, rows in batch.claims.items():
            left = self.open_claims[claim] - rows
            if left:
                self.open_claims[claim] = left
            else:
                del self.open_claims[claim]
        self.last_attempt.update(batch.last_attempt)

    def clear(self) -> None:
        """Forget all claims."""
        self.claimed.clear()
        self.open_claims.clear()


def book(batch: Batch, settlement: Settlement, known: ClaimState | None) -> None:
    """Add one settlement of a row in the state ``known`` (None: it is not claimed) to a batch.

    A row that is not claimed or already in the batch, and an attempt that is stored already, are passed over. Raises
    ValueError for a settlement that contradicts itself.
    """
    identity, attempt = settlement.recipient_id, settlement.attempt
    if known is None or identity in batch.done or (attempt is not None and attempt.number <= known.attempts):
        return
    if settlement.problem:
        raise ValueError(f"{settlement.problem}: {settlement}")
    campaign_id = campaign_of(identity)
    attempts, attempt_id, doubt = known.attempts, known.attempt_id, known.doubt
    first, next_at = settlement.first_attempt_at or known.first_attempt_at, settlement.next_at
    if attempt is not None:
        attempts += 1
        attempt_id = batch.last_attempt[campaign_id] = batch.last_attempt[campaign_id] + 1
        first = first or attempt.at
        code = attempt.smtp_code or None
        said = (attempt.result, attempt.category, code, *attempt[5:13], next_at or None, attempt.tls_policy)
        batch.attempts.append(AttemptLine(attempt_id, identity, attempt.at, attempts, *said))
        if doubt == 1 and attempt.result in _DOUBTFUL:
            batch.doubled[campaign_id] += 1
        doubt += attempt.result == "unknown"
    elif settlement.reply_of and attempt_id is None:
        batch.borrowed.append((settlement.reply_of, identity))
    status, category, provider = settlement.status, settlement.category, settlement.provider
    times = (first or None, settlement.completed_at or None, known.date or None)
    size = settlement.bytes or known.bytes
    batch.outcomes.append(
        OutcomeLine(identity, status, category, provider, attempts, *times, size, attempt_id, doubt, settlement.note)
    )
    batch.totals[campaign_id, known.provider, known.status, known.category] -= 1
    batch.totals[campaign_id, provider, status, category] += 1
    count(batch, known, status)
    if next_at:
        batch.due.append(DueLine(identity, known.queue_id, next_at, known.date or None))
    elif not known.claim_id:
        batch.not_due.append(identity)
    batch.done.add(identity)
    if known.claim_id:
        batch.claims[known.claim_id] += 1


def give_back(batch: Batch, identity: int, next_at: float, known: ClaimState | None) -> None:
    """Add a row that is returned without a charge, due at ``next_at``, to a batch."""
    if known is not None and identity not in batch.done:
        batch.due.append(DueLine(identity, known.queue_id, next_at, known.date or None))
        batch.done.add(identity)
        if known.claim_id:
            batch.claims[known.claim_id] += 1


def count(batch: Batch, known: ClaimState, status: str) -> None:
    """Add the change of one row's status to the figures of its queue: delivered, otherwise final, deferred."""
    counts = batch.queues.get(known.queue_id)
    if counts is None:
        counts = batch.queues[known.queue_id] = [0, 0, 0]
    if status == "delivered":
        counts[0] += 1
    elif status == "deferred":
        counts[2] += 1
    elif status != "pending":
        counts[1] += 1
    if known.status == "deferred":
        counts[2] -= 1


def earliest(rows: Iterable[DueLine]) -> dict[int, float]:
    """Return queue id -> when the first of these rows of it is due."""
    found: dict[int, float] = {}
    for row in rows:
        found[row.queue_id] = min(row.next_at, found.get(row.queue_id, row.next_at))
    return found


def unanswered(identity: int, known: ClaimState, *, next_at: float, now: float) -> Settlement:
    """Return the settlement of a row whose final dot was, or may have been, sent and whose reply was not read.

    ``next_at`` 0.0: it is not tried again.
    """
    words = "the mailer was interrupted before it read the reply"
    attempt = Attempt(
        now, known.attempts + 1, "unknown", "no-answer", reply=words, stage="dot", next_attempt_at=next_at
    )
    return Settlement(
        identity,
        known.queue_id,
        "deferred" if next_at else "unknown",
        "no-answer",
        known.provider,
        attempt,
        completed_at=0.0 if next_at else now,
        next_at=next_at,
        note=words,
    )


def journalled_reply(payload: bytes | None) -> Settlement | None:
    """Return the settlement in a journal's record; None when it holds none that can be used."""
    if payload is None:
        return None
    try:
        return Settlement.from_plain(unpack(payload))
    except (ValueError, EOFError, TypeError):
        return None
