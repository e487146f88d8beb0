"""Which queues have something to send, and the claim that makes a row ours, durable before its first byte leaves."""

from __future__ import annotations

from collections.abc import Iterable

from bulkmail.failpoints import failpoint
from bulkmail.mail import OwnFault
from bulkmail.spool.booking import Booking
from bulkmail.spool.rows import Claimed, ClaimState
from bulkmail.spool.sqlite.database import Database
from bulkmail.spool.sqlite.tables import new_rows


class SqliteClaims:
    """The part of the store that hands rows out; see `contract.ClaimStore`."""

    _db: Database
    _booking: Booking
    _left_claimed: bool  # an earlier run's claims are not recovered yet

    @property
    def claimed(self) -> int:
        """How many rows are claimed now."""
        return len(self._booking.claimed)

    def backlog(self, after_queue_id: int, limit: int, campaign_id: int | None = None) -> list[tuple[int, int, str]]:
        """Return queues of running campaigns with new rows; see `contract.ClaimStore.backlog`."""
        found: list[tuple[int, int, str]] = []
        with self._db.transaction("begin_reading"):
            for campaign in self._running(campaign_id):
                found += self._db.execute("backlog", (campaign, after_queue_id, limit)).fetchall()
        found.sort()
        return found[:limit]

    def due_queues(
        self, now: float, limit: int, after: tuple[float, int] = (-1.0, 0), campaign_id: int | None = None
    ) -> list[tuple[int, int, str, float]]:
        """Return queues of running campaigns with a row due; see `contract.ClaimStore.due_queues`."""
        found: list[tuple[int, int, str, float]] = []
        with self._db.transaction("begin_reading"):
            for campaign in self._running(campaign_id):
                found += self._db.execute("due_queues", (campaign, now, *after, limit)).fetchall()
        found.sort(key=lambda row: (row[3], row[0]))
        return found[:limit]

    def next_due(self, campaign_id: int | None = None) -> float | None:
        """Return when the next waiting row is due; see `contract.ClaimStore.next_due`."""
        with self._db.transaction("begin_reading"):
            campaigns = self._running() if campaign_id is None else [campaign_id]
            times = [self._db.execute("next_due", (campaign,)).fetchone()[0] for campaign in campaigns]
        return min((at for at in times if at is not None), default=None)

    def bring_forward(self, latest: float) -> None:
        """Let no row wait until later than this; see `contract.ClaimStore.bring_forward`."""
        with self._db.transaction():
            self._db.execute("bring_rows_forward", {"latest": latest})
            self._db.execute("bring_queues_forward", {"latest": latest})

    def claim(self, wanted: Iterable[tuple[int, int]], now: float) -> dict[int, list[Claimed]]:
        """Claim rows of these queues; see `contract.ClaimStore.claim`."""
        if self._left_claimed:
            raise OwnFault("the spool holds claims of an earlier run; recover it first")
        answer: dict[int, list[Claimed]] = {}
        claimed: dict[int, ClaimState] = {}
        claims: dict[int, int] = {}
        with self._db.transaction():
            for queue_id, limit in wanted:
                got = answer.setdefault(queue_id, [])
                row = self._db.execute("running_queue", (queue_id,)).fetchone()
                if row is None or limit <= 0:
                    continue
                campaign_id, cursor, has_new, next_at = row
                room = limit
                if next_at is not None and next_at <= now:
                    rows = self._claim_due(campaign_id, queue_id, room, now, claimed)
                    got += rows
                    room -= len(rows)
                if has_new and room:
                    claim_id, rows = self._claim_new(campaign_id, queue_id, cursor, room, now)
                    got += rows
                    claims[claim_id] = len(rows)
                    claimed |= dict.fromkeys([row.id for row in rows], ClaimState.new(claim_id, queue_id, now))
            failpoint("mid-claim")
        failpoint("after-claim")
        self._booking.took(claimed, claims)
        return answer

    def _running(self, campaign_id: int | None = None) -> list[int]:
        """Return the campaigns that are being sent, or that one if it is."""
        running = [row[0] for row in self._db.execute("sending_campaigns")]
        return running if campaign_id is None else [one for one in running if one == campaign_id]

    def _claim_due(
        self, campaign_id: int, queue_id: int, room: int, now: float, claimed: dict[int, ClaimState]
    ) -> list[Claimed]:
        got: list[Claimed] = []
        for row in self._db.execute("due_rows", (queue_id, now, room)).fetchall():
            identity, email, fields, file_no, date, attempts, first, status, category, provider = row[:10]
            date = date or now
            who = (identity, campaign_id, queue_id, email, fields, file_no)
            got.append(Claimed(*who, attempts, first, date, status, category, provider, row[12]))
            claimed[identity] = ClaimState(0, queue_id, date, attempts, first, status, category, provider, *row[10:])
        self._db.many("claim_due", [(row.date, row.id) for row in got])
        self._db.execute("set_next_at", (queue_id,))
        return got

    def _claim_new(
        self, campaign_id: int, queue_id: int, cursor: int, room: int, now: float
    ) -> tuple[int, list[Claimed]]:
        # one row more than asked for tells whether the queue has run dry
        rows = new_rows(self._db, campaign_id, queue_id, cursor, room + 1)
        got = [
            Claimed(identity, campaign_id, queue_id, email, fields, file_no, 0, 0.0, now, "pending", "", "")
            for identity, email, fields, file_no in rows[:room]
        ]
        upto = got[-1].id
        claim_id = self._db.execute("add_claim", (queue_id, cursor, upto, now)).lastrowid
        assert claim_id is not None
        self._db.execute("move_cursor", (upto, int(len(rows) > room), queue_id))
        return claim_id, got
