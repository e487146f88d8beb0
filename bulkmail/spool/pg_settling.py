"""Outcomes into PostgreSQL: what `settling` has booked, one array a column."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from bulkmail.failpoints import failpoint
from bulkmail.spool.pg_claims import PgClaims
from bulkmail.spool.pg_database import repeated
from bulkmail.spool.pg_intake import clean
from bulkmail.spool.rows import Claimed, Held, Settlement, campaign_of, id_range
from bulkmail.spool.settling import Batch


class PgSettling(PgClaims):
    """The part of the store that takes outcomes."""

    @repeated
    def settle(self, settlements: Iterable[Settlement], given_back: Iterable[tuple[int, float]] = ()) -> int:
        """Write down what became of claimed rows; see `Settling.settle`. Raises Fenced when they are ours no more."""
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
            if finished:
                self._db.execute("drop_claims", (finished,))
            failpoint("mid-settle")
        failpoint("after-settle")
        for identity in batch.done:
            del self._held[identity]
        for claim, rows in batch.claims.items():
            self._open_claims[claim] -= rows
        for claim in finished:
            del self._open_claims[claim]
        return len(batch.done)

    def release(self, rows: Iterable[int | Claimed], next_at: float = 0.0) -> int:
        """Give claimed rows back untouched: due at ``next_at``, with their Date, their attempts unchanged."""
        return self.settle((), [(row if isinstance(row, int) else row.id, next_at) for row in rows])

    @repeated
    def cancel_rows(self, campaign_id: int, limit: int, now: float) -> int:
        """End up to ``limit`` unclaimed rows of a campaign as cancelled. Returns how many; 0: none is left."""
        low, high = id_range(campaign_id)
        batch = Batch()
        held: dict[int, Held] = {}
        with self._db.transaction():
            self._db.execute("no_claims_meanwhile", (campaign_id,))
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
            self._db.execute("set_next_at", (due_queues,))
        return len(batch.done)

    def _take_new(self, campaign_id: int, room: int) -> dict[int, Held]:
        taken: dict[int, Held] = {}
        found = [row[0] for row in self._db.execute("campaign_backlog", (campaign_id, room))]
        moves: list[tuple[int, int, int]] = []
        for queue_id, _, cursor, _, _ in self._db.execute("lock_queues", (found, [campaign_id])).fetchall():
            left = room - len(taken)
            if left <= 0:
                break
            rows = self._db.arrays("new_rows", [(queue_id, cursor, left)]).fetchall()
            taken |= {row[0]: Held.new(0, queue_id, 0.0) for row in rows[:left]}
            moves.append((queue_id, rows[:left][-1][0] if rows else cursor, int(len(rows) > left)))
        self._db.arrays("move_cursors", moves)
        return taken

    def _take_numbers(self, batch: Batch, settlements: Iterable[Settlement]) -> None:
        """Reserve numbers for the attempts; whoever else settles for these campaigns waits for our commit."""
        counts = Counter(campaign_of(one.recipient_id) for one in settlements if one.attempt is not None)
        for campaign_id, count in sorted(counts.items()):
            row = self._db.execute("take_numbers", (count, campaign_id, count)).fetchone()
            if row is not None:
                batch.last_attempt[campaign_id] = row[0]

    def _next_attempt_id(self, batch: Batch, campaign_id: int) -> int:
        batch.last_attempt[campaign_id] += 1
        return batch.last_attempt[campaign_id]

    def _write(self, batch: Batch) -> None:
        db = self._db
        attempts = [row if "\0" not in row[8] else (*row[:8], clean(row[8]), *row[9:]) for row in batch.attempts]
        db.arrays("add_attempts", attempts)
        self._set_outcomes(batch.outcomes)
        db.arrays("borrow_replies", batch.borrowed)
        self._set_due(batch.due)
        if batch.undue:
            db.execute("drop_due", ([identity for (identity,) in batch.undue],))
        self._add_totals([(*key, count) for key, count in batch.totals.items() if count])
        counted = [(*counts, queue) for queue, counts in sorted(batch.queues.items()) if any(counts)]
        db.arrays("count_queues", counted)
        db.many("add_possibly_doubled", [(count, campaign) for campaign, count in batch.doubled.items()])
