"""Outcomes into the store, five hundred to a transaction, each exactly once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bulkmail.failpoints import failpoint
from bulkmail.shaping import RetrySettings, after_unknown
from bulkmail.spool.claims import Claims
from bulkmail.spool.database import Statements
from bulkmail.spool.journal import Journalled
from bulkmail.spool.rows import Attempt, Claimed, Held, Recovered, Settlement, campaign_of, id_range, unpack

_DOUBTFUL = frozenset({"delivered", "unknown"})


@dataclass(slots=True)
class Batch:
    """What a transaction is going to write, and what to keep in mind once it is committed."""

    attempts: list[tuple[Any, ...]] = field(default_factory=list)
    outcomes: list[tuple[Any, ...]] = field(default_factory=list)
    borrowed: list[tuple[int, int]] = field(default_factory=list)
    due: list[tuple[int, int, float, float | None]] = field(default_factory=list)
    undue: list[tuple[int]] = field(default_factory=list)
    totals: Counter[tuple[int, str, str, str]] = field(default_factory=Counter)
    queues: dict[int, list[int]] = field(default_factory=dict)  # queue id -> delivered, failed, deferred
    doubled: Counter[int] = field(default_factory=Counter)
    claims: Counter[int] = field(default_factory=Counter)
    last_attempt: dict[int, int] = field(default_factory=dict)
    done: dict[int, None] = field(default_factory=dict)


class Settling(Claims):
    """The part of the store that takes outcomes."""

    def __init__(self, database: Statements) -> None:
        super().__init__(database)
        self._last_attempt: dict[int, int] = {}  # campaign id -> id of its last attempt

    def settle(self, settlements: Iterable[Settlement], given_back: Iterable[tuple[int, float]] = ()) -> int:
        """Write down what became of claimed rows; ``given_back`` are (recipient_id, next_at) left untouched.

        Idempotent: a row that is not claimed (any more), or an attempt that is stored already, is passed over.
        Returns how many were taken. Raises ValueError, and writes nothing, for a settlement that contradicts itself.
        """
        batch = Batch()
        settlements = list(settlements)
        with self._db.transaction():
            self._take_numbers(batch, settlements)
            for settlement in settlements:
                self._book(batch, settlement, self._held)
            for identity, next_at in given_back:
                self._give_back(batch, identity, next_at, self._held)
            self._write(batch)
            finished = [claim for claim, rows in batch.claims.items() if self._open_claims[claim] == rows]
            self._drop_claims(finished)
            failpoint("mid-settle")
        failpoint("after-settle")
        for identity in batch.done:
            del self._held[identity]
        for claim, rows in batch.claims.items():
            self._open_claims[claim] -= rows
        for claim in finished:
            del self._open_claims[claim]
        self._last_attempt.update(batch.last_attempt)
        return len(batch.done)

    def release(self, rows: Iterable[int | Claimed], next_at: float = 0.0) -> int:
        """Give claimed rows back untouched: due at ``next_at``, with their Date, their attempts unchanged."""
        return self.settle((), [(row if isinstance(row, int) else row.id, next_at) for row in rows])

    def cancel_rows(self, campaign_id: int, limit: int, now: float) -> int:
        """End up to ``limit`` unclaimed rows of a campaign as cancelled. Returns how many; 0: none is left."""
        low, high = id_range(campaign_id)
        batch = Batch()
        held: dict[int, Held] = {}
        with self._db.transaction():
            self._keep_claims_out(campaign_id)
            for identity, queue_id, *rest in self._db.execute("campaign_due", (low, high, limit)).fetchall():
                held[identity] = Held(0, queue_id, *rest)
            due_queues = sorted({known.queue_id for known in held.values()})
            if room := limit - len(held):
                held |= self._take_new(campaign_id, room)
            if room := limit - len(held):
                for identity, queue_id in self._db.execute("all_held_back", (low, high, room)).fetchall():
                    held[identity] = Held.new(0, -queue_id, 0.0)
            for identity, known in held.items():
                settlement = Settlement(
                    identity, known.queue_id, "cancelled", provider=known.provider, completed_at=now
                )
                self._book(batch, settlement, held)
            self._write(batch)
            self._set_next_at(due_queues)
        return len(batch.done)

    def _settle_left(
        self,
        held: Mapping[int, Held],
        journalled: Journalled,
        *,
        trusted: bool,
        retry: RetrySettings,
        now: float,
        waited: float = 0.0,
    ) -> Recovered:
        """Within the transaction: settle or give back what a life left claimed, by what its journal tells.

        A journalled reply settles its row. A journalled dot without a reply is ambiguous. A row without either was not
        sent and is due now; where the journal is not ``trusted`` to tell of every dot, it is ambiguous too. ``waited``:
        seconds that these rows have waited already.
        """
        keep = {row[0] for row in self._db.execute("campaign_on_unknown").fetchall() if row[1] == "keep"}
        replied: list[Settlement] = []
        ambiguous: list[Settlement] = []
        back: list[int] = []
        for identity, known in held.items():
            attempt = (identity, known.attempts + 1)
            settlement = journalled_reply(journalled.replies.get(attempt))
            if settlement is not None and settlement.recipient_id == identity and not settlement.problem:
                replied.append(settlement)
            elif attempt in journalled.dots or not trusted:
                wait = None
                if campaign_of(identity) not in keep:
                    wait = after_unknown(retry, attempts=known.attempts + 1, copies=known.doubt + 1)
                next_at = 0.0 if wait is None else now + max(0.0, wait - waited)
                ambiguous.append(unanswered(identity, known, next_at=next_at, now=now))
            else:
                back.append(identity)
        batch = Batch()
        self._take_numbers(batch, [*replied, *ambiguous])
        for settlement in (*replied, *ambiguous):
            self._book(batch, settlement, held)
        for identity in back:
            self._give_back(batch, identity, 0.0, held)
        self._write(batch)
        self._last_attempt.update(batch.last_attempt)
        return Recovered(len(replied), len(ambiguous), len(back))

    # what the databases do each in its own way

    def _take_numbers(self, batch: Batch, settlements: Iterable[Settlement]) -> None:
        """Numbers for the attempts: nobody else gives any, so each is numbered as it comes."""

    def _drop_claims(self, claim_ids: list[int]) -> None:
        self._db.many("drop_claim", [(claim,) for claim in claim_ids])

    def _keep_claims_out(self, campaign_id: int) -> None:
        """Nobody claims meanwhile: there is one writer."""

    def _set_next_at(self, queue_ids: list[int]) -> None:
        self._db.many("set_next_at", [(queue_id,) for queue_id in queue_ids])

    def _take_new(self, campaign_id: int, room: int) -> dict[int, Held]:
        """Up to ``room`` new rows, behind which the cursors move."""
        taken: dict[int, Held] = {}
        for queue_id, _, _ in self._db.execute("backlog", (campaign_id, 0, room)).fetchall():
            left = room - len(taken)
            if left <= 0:
                break
            cursor = self._db.execute("queue", (queue_id,)).fetchone()[1]
            rows = self._new_rows(campaign_id, queue_id, cursor, left + 1)
            taken |= {row[0]: Held.new(0, queue_id, 0.0) for row in rows[:left]}
            upto = rows[:left][-1][0] if rows else cursor
            self._db.execute("move_cursor", (upto, int(len(rows) > left), queue_id))
        return taken

    def _book(self, batch: Batch, settlement: Settlement, held: Mapping[int, Held]) -> None:
        identity = settlement.recipient_id
        known = held.get(identity)
        attempt = settlement.attempt
        if known is None or identity in batch.done or (attempt is not None and attempt.number <= known.attempts):
            return
        if settlement.problem:
            raise ValueError(f"{settlement.problem}: {settlement}")
        campaign_id = campaign_of(identity)
        attempts, attempt_id, doubt = known.attempts, known.attempt_id, known.doubt
        first = settlement.first_attempt_at or known.first_attempt_at
        if attempt is not None:
            attempts += 1
            attempt_id = self._next_attempt_id(batch, campaign_id)
            first = first or attempt.at
            batch.attempts.append(
                (
                    attempt_id,
                    identity,
                    attempt.at,
                    attempts,
                    attempt.result,
                    attempt.category,
                    attempt.smtp_code or None,
                    *attempt[5:13],
                    settlement.next_at or None,
                )
            )
            if doubt == 1 and attempt.result in _DOUBTFUL:
                batch.doubled[campaign_id] += 1
            doubt += attempt.result == "unknown"
        elif settlement.reply_of and attempt_id is None:
            batch.borrowed.append((settlement.reply_of, identity))
        status, category, provider = settlement.status, settlement.category, settlement.provider
        batch.outcomes.append(
            (
                identity,
                status,
                category,
                provider,
                attempts,
                first or None,
                settlement.completed_at or None,
                known.date or None,
                settlement.bytes or known.bytes,
                attempt_id,
                doubt,
                settlement.note,
            )
        )
        batch.totals[campaign_id, known.provider, known.status, known.category] -= 1
        batch.totals[campaign_id, provider, status, category] += 1
        self._count(batch, known, status)
        if settlement.next_at:
            batch.due.append((identity, known.queue_id, settlement.next_at, known.date or None))
        elif not known.claim_id:
            batch.undue.append((identity,))
        self._let_go(batch, identity, known)

    @staticmethod
    def _let_go(batch: Batch, identity: int, known: Held) -> None:
        batch.done[identity] = None
        if known.claim_id:
            batch.claims[known.claim_id] += 1

    def _give_back(self, batch: Batch, identity: int, next_at: float, held: Mapping[int, Held]) -> None:
        known = held.get(identity)
        if known is not None and identity not in batch.done:
            batch.due.append((identity, known.queue_id, next_at, known.date or None))
            self._let_go(batch, identity, known)

    @staticmethod
    def _count(batch: Batch, known: Held, status: str) -> None:
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

    def _next_attempt_id(self, batch: Batch, campaign_id: int) -> int:
        last = batch.last_attempt.get(campaign_id) or self._last_attempt.get(campaign_id)
        if last is None:
            low, high = id_range(campaign_id)
            last = self._db.execute("last_attempt", (low, high)).fetchone()[0] or low
        batch.last_attempt[campaign_id] = last + 1
        return last + 1

    def _write(self, batch: Batch) -> None:
        batch.outcomes.sort()  # neighbours share a page; the ids differ, so nothing behind them is compared
        self._db.many("add_attempt", batch.attempts)
        self._set_outcomes(batch.outcomes)
        self._db.many("borrow_reply", batch.borrowed)
        self._set_due(batch.due)
        self._db.many("drop_due", batch.undue)
        self._add_totals([(*key, count) for key, count in batch.totals.items() if count])
        self._db.many("count_queue", [(*counts, queue) for queue, counts in batch.queues.items() if any(counts)])
        self._db.many("add_possibly_doubled", [(count, campaign) for campaign, count in batch.doubled.items()])


def unanswered(identity: int, known: Held, *, next_at: float, now: float) -> Settlement:
    """The settlement of a row whose final dot was, or may have been, on the wire and whose reply nobody read.

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
    """The settlement in a journal's record; None when it holds none that can be used."""
    if payload is None:
        return None
    try:
        return Settlement.from_plain(unpack(payload))
    except (ValueError, EOFError, TypeError):
        return None
