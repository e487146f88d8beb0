"""Which queues have something to send, and the claim that makes a row ours, durable before its first byte leaves."""

from __future__ import annotations

from collections.abc import Iterable

from bulkmail.failpoints import failpoint
from bulkmail.mail import OwnFault
from bulkmail.spool.database import Statements
from bulkmail.spool.intake import Intake
from bulkmail.spool.rows import Claimed, Held, id_range


class Claims(Intake):
    """The part of the store that hands rows out.

    What is claimed is also kept in mind (bounded by what is in flight): the file has one owner and one writer, so the
    mind is right as long as the process lives, and a start reads the file (`recover`).
    """

    def __init__(self, database: Statements) -> None:
        super().__init__(database)
        self._held: dict[int, Held] = {}
        self._open_claims: dict[int, int] = {}  # claim id -> rows neither settled nor given back
        with self._db.transaction("begin_reading"):
            self._left_claimed = bool(self._db.execute("left_claimed").fetchone()[0])

    @property
    def claimed(self) -> int:
        """How many rows are claimed now."""
        return len(self._held)

    def backlog(self, after_queue_id: int, limit: int) -> list[tuple[int, int, str]]:
        """Queues of running campaigns with new rows: (queue_id, campaign_id, domain), by id, after the given one."""
        found: list[tuple[int, int, str]] = []
        with self._db.transaction("begin_reading"):
            for campaign_id in self._running:
                found += self._db.execute("backlog", (campaign_id, after_queue_id, limit)).fetchall()
        found.sort()
        return found[:limit]

    def due_queues(
        self, now: float, limit: int, after: tuple[float, int] = (-1.0, 0)
    ) -> list[tuple[int, int, str, float]]:
        """Queues of running campaigns with a row due at ``now``: (queue_id, campaign_id, domain, earliest next_at).

        Oldest first; ``after`` is the (next_at, queue_id) of the last one of the page before.
        """
        found: list[tuple[int, int, str, float]] = []
        with self._db.transaction("begin_reading"):
            for campaign_id in self._running:
                found += self._db.execute("due_queues", (campaign_id, now, *after, limit)).fetchall()
        found.sort(key=lambda row: (row[3], row[0]))
        return found[:limit]

    def next_due(self, campaign_id: int | None = None) -> float | None:
        """When the next waiting row of a running campaign (or of the given one) is due; None when none waits."""
        campaigns = self._running if campaign_id is None else (campaign_id,)
        with self._db.transaction("begin_reading"):
            times = [self._db.execute("next_due", (campaign,)).fetchone()[0] for campaign in campaigns]
        return min((at for at in times if at is not None), default=None)

    def bring_forward(self, latest: float) -> None:
        """No row waits until later than this: where it does, the clock by which it was put off was wrong."""
        with self._db.transaction():
            self._db.execute("bring_rows_forward", {"latest": latest})
            self._db.execute("bring_queues_forward", {"latest": latest})

    def claim(self, wanted: Iterable[tuple[int, int]], now: float) -> dict[int, list[Claimed]]:
        """For each (queue_id, limit): rows that are due at ``now``, oldest first, then new ones in input order.

        Durable on return. Queues of campaigns that are not running give nothing.
        """
        if self._left_claimed:
            raise OwnFault("the spool holds claims of an earlier run; recover it first")
        answer: dict[int, list[Claimed]] = {}
        held: dict[int, Held] = {}
        open_claims: dict[int, int] = {}
        with self._db.transaction():
            for queue_id, limit in wanted:
                got = answer.setdefault(queue_id, [])
                row = self._db.execute("queue", (queue_id,)).fetchone()
                if row is None or row[0] not in self._running or limit <= 0:
                    continue
                campaign_id, cursor, has_new, next_at = row
                room = limit
                if next_at is not None and next_at <= now:
                    rows = self._claim_due(campaign_id, queue_id, room, now, held)
                    got += rows
                    room -= len(rows)
                if has_new and room:
                    claim_id, rows = self._claim_new(campaign_id, queue_id, cursor, room, now)
                    got += rows
                    open_claims[claim_id] = len(rows)
                    held |= dict.fromkeys([claimed.id for claimed in rows], Held.new(claim_id, queue_id, now))
            failpoint("mid-claim")
        failpoint("after-claim")
        self._held.update(held)
        self._open_claims.update(open_claims)
        return answer

    def _claim_due(
        self, campaign_id: int, queue_id: int, room: int, now: float, held: dict[int, Held]
    ) -> list[Claimed]:
        got: list[Claimed] = []
        for row in self._db.execute("due_rows", (queue_id, now, room)).fetchall():
            identity, email, fields, file_no, date, attempts, first, status, category, provider = row[:10]
            date = date or now
            who = (identity, campaign_id, queue_id, email, fields, file_no)
            got.append(Claimed(*who, attempts, first, date, status, category, provider, row[12]))
            held[identity] = Held(0, queue_id, date, attempts, first, status, category, provider, *row[10:])
        self._db.many("claim_due", [(claimed.date, claimed.id) for claimed in got])
        self._db.execute("set_next_at", (queue_id,))
        return got

    def _claim_new(
        self, campaign_id: int, queue_id: int, cursor: int, room: int, now: float
    ) -> tuple[int, list[Claimed]]:
        # one row more than asked for tells whether the queue has run dry
        rows = self._new_rows(campaign_id, queue_id, cursor, room + 1)
        got = [
            Claimed(identity, campaign_id, queue_id, email, fields, file_no, 0, 0.0, now, "pending", "", "")
            for identity, email, fields, file_no in rows[:room]
        ]
        upto = got[-1].id
        claim_id = self._db.execute("add_claim", (queue_id, cursor, upto, now)).lastrowid
        assert claim_id is not None
        self._db.execute("move_cursor", (upto, int(len(rows) > room), queue_id))
        return claim_id, got

    def _new_rows(self, campaign_id: int, queue_id: int, cursor: int, limit: int) -> list[tuple[int, str, str, int]]:
        """Up to ``limit`` rows of a queue behind its cursor, in input order: (id, email, fields, file_no)."""
        low, high = id_range(campaign_id)
        found: list[tuple[int, str, str, int]]
        found = self._db.execute("new_rows", (max(low, cursor), high, queue_id, limit)).fetchall()
        return found
