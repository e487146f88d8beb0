"""Outcomes into PostgreSQL: what `settling` has booked, one array a column."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from bulkmail.spool.pg_claims import PgClaims
from bulkmail.spool.pg_database import repeated
from bulkmail.spool.pg_intake import clean
from bulkmail.spool.rows import Held, Settlement, campaign_of
from bulkmail.spool.settling import Batch, Settling


class PgSettling(PgClaims):
    """The part of the store that takes outcomes."""

    settle = repeated(Settling.settle)
    cancel_rows = repeated(Settling.cancel_rows)

    def _drop_claims(self, claim_ids: list[int]) -> None:
        if claim_ids:
            self._db.execute("drop_claims", (claim_ids,))

    def _keep_claims_out(self, campaign_id: int) -> None:
        self._db.execute("no_claims_meanwhile", (campaign_id,))

    def _set_next_at(self, queue_ids: list[int]) -> None:
        self._db.execute("set_next_at", (queue_ids,))

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
