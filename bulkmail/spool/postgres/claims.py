"""Claims on a spool that several machines share.

The cursor of a queue moves under the queue's row lock, so two machines never get one row. A claim belongs to an
incarnation (an epoch), and is durable before its first row is handed out. What is claimed is also kept in memory
(`Booking`): it belongs to this incarnation alone, and another machine that takes it over has to fence this one first.

A queue is called dry (`has_new` 0) only by a claim that knows that no rows were being stored while it looked.
"""

from __future__ import annotations

from collections.abc import Iterable

from bulkmail.failpoints import failpoint
from bulkmail.spool.booking import Booking
from bulkmail.spool.postgres.database import PostgresDatabase, repeated
from bulkmail.spool.rows import Claimed, ClaimState, id_range


class PostgresClaims:
    """The part of the store that hands rows out; see `contract.ClaimStore`."""

    _db: PostgresDatabase
    _booking: Booking

    @property
    def claimed(self) -> int:
        """How many rows this machine has claimed now."""
        return len(self._booking.claimed)

    @repeated
    def backlog(self, after_queue_id: int, limit: int, campaign_id: int | None = None) -> list[tuple[int, int, str]]:
        """Return queues of running campaigns with new rows; see `contract.ClaimStore.backlog`."""
        with self._db.transaction("begin_reading"):
            if campaign_id is None:
                return self._db.execute("backlog", (after_queue_id, limit)).fetchall()
            return self._db.execute("backlog_of", (campaign_id, after_queue_id, limit)).fetchall()

    @repeated
    def due_queues(
        self, now: float, limit: int, after: tuple[float, int] = (-1.0, 0), campaign_id: int | None = None
    ) -> list[tuple[int, int, str, float]]:
        """Return queues of running campaigns with a row due; see `contract.ClaimStore.due_queues`."""
        with self._db.transaction("begin_reading"):
            place = (float(now), float(after[0]), after[1], limit)
            if campaign_id is None:
                return self._db.execute("due_queues", place).fetchall()
            return self._db.execute("due_queues_of", (campaign_id, *place)).fetchall()

    @repeated
    def next_due(self, campaign_id: int | None = None) -> float | None:
        """Return when the next waiting row is due; see `contract.ClaimStore.next_due`."""
        with self._db.transaction("begin_reading"):
            if campaign_id is None:
                campaigns = [row[0] for row in self._db.execute("sending_campaigns")]
            else:
                campaigns = [campaign_id]
            times = [(self._db.execute("next_due", (campaign,)).fetchone() or (None,))[0] for campaign in campaigns]
        return min((at for at in times if at is not None), default=None)

    @repeated
    def claim(self, wanted: Iterable[tuple[int, int]], now: float) -> dict[int, list[Claimed]]:
        """Claim rows of these queues; see `contract.ClaimStore.claim`. Raises OwnFault where others took over."""
        now = float(now)
        rooms: dict[int, int] = {}
        for queue_id, limit in wanted:
            rooms[queue_id] = rooms.get(queue_id, 0) + max(0, limit)
        answer: dict[int, list[Claimed]] = {queue_id: [] for queue_id in rooms}
        claimed: dict[int, ClaimState] = {}
        claims: dict[int, int] = {}
        with self._db.transaction():
            self._db.require_live()
            no_import = dict(self._db.execute("try_no_import", (list(rooms),)).fetchall())
            queues = self._db.execute("lock_queues", (list(rooms), list(no_import))).fetchall()
            campaigns = {queue_id: campaign_id for queue_id, campaign_id, *_ in queues}
            due = [row[0] for row in queues if row[4] is not None and row[4] <= now and rooms[row[0]]]
            if due:
                self._claim_due_rows(due, rooms, campaigns, now, answer, claimed)
            fresh = [
                (queue_id, cursor, rooms[queue_id] - len(answer[queue_id]))
                for queue_id, _, cursor, has_new, _ in queues
                if has_new and rooms[queue_id] > len(answer[queue_id])
            ]
            if fresh:
                claims = self._claim_new_rows(fresh, campaigns, no_import, now, answer, claimed)
            failpoint("mid-claim")
        failpoint("after-claim")
        self._booking.took(claimed, claims)
        return answer

    @repeated
    def bring_forward(self, latest: float) -> None:
        """Let no row wait until later than this; see `contract.ClaimStore.bring_forward`."""
        with self._db.transaction():
            self._db.execute("bring_rows_forward", {"latest": latest})
            self._db.execute("bring_queues_forward", {"latest": latest})

    @repeated
    def rest(self, queue_ids: Iterable[int]) -> None:
        """Record that the sites of these queues cannot be used; see `shared.SharedStore.rest`."""
        with self._db.transaction():
            self._db.execute("rest_queues", (list(queue_ids),))

    @repeated
    def first_round_over(self, campaign_id: int, now: float) -> bool:
        """Return whether every stored row had its turn; see `shared.SharedStore.first_round_over`."""
        low, high = id_range(campaign_id)
        with self._db.transaction("begin_reading"):
            values = {"campaign": campaign_id, "low": low, "high": high, "now": float(now)}
            return bool((self._db.execute("first_round_over", values).fetchone() or (False,))[0])

    def _claim_due_rows(
        self,
        queues: list[int],
        rooms: dict[int, int],
        campaigns: dict[int, int],
        now: float,
        answer: dict[int, list[Claimed]],
        claimed: dict[int, ClaimState],
    ) -> None:
        values = {"queues": queues, "rooms": [rooms[queue] for queue in queues], "now": now, "epoch": self._db.epoch}
        for row in self._db.execute("claim_due", values).fetchall():
            identity, queue_id, email, fields, file_no, date, attempts, first, status, category, provider = row[:11]
            who = (identity, campaigns[queue_id], queue_id, email, fields, file_no)
            answer[queue_id].append(Claimed(*who, attempts, first, date, status, category, provider, row[13]))
            claimed[identity] = ClaimState(0, queue_id, date, attempts, first, status, category, provider, *row[11:])
        self._db.execute("set_next_at", (queues,))

    def _claim_new_rows(
        self,
        fresh: list[tuple[int, int, int]],
        campaigns: dict[int, int],
        no_import: dict[int, bool],
        now: float,
        answer: dict[int, list[Claimed]],
        claimed: dict[int, ClaimState],
    ) -> dict[int, int]:
        got: dict[int, list[Claimed]] = {queue_id: [] for queue_id, _, _ in fresh}
        for identity, queue_id, email, fields, file_no in self._db.arrays("new_rows", fresh).fetchall():
            who = (identity, campaigns[queue_id], queue_id, email, fields, file_no)
            got[queue_id].append(Claimed(*who, 0, 0.0, now, "pending", "", ""))
        made: list[tuple[int, int, int]] = []
        moves: list[tuple[int, int, int]] = []
        for queue_id, cursor, room in fresh:
            more = len(got[queue_id]) > room
            del got[queue_id][room:]
            upto = got[queue_id][-1].id if got[queue_id] else cursor
            dry = not more and no_import[campaigns[queue_id]]
            moves.append((queue_id, upto, int(not dry)))
            if got[queue_id]:
                made.append((queue_id, cursor, upto))
        self._db.arrays("move_cursors", moves)
        claims: dict[int, int] = {}
        if made:
            for queue_id, claim_id in self._db.arrays("add_claims", made, self._db.epoch, now).fetchall():
                claims[claim_id] = len(got[queue_id])
                claimed |= dict.fromkeys([row.id for row in got[queue_id]], ClaimState.new(claim_id, queue_id, now))
                answer[queue_id] += got[queue_id]
        return claims
