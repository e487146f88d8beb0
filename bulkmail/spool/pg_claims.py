"""Claims on a spool that several machines share.

The cursor of a queue moves under the queue's row lock, so two machines never get one row; a claim belongs to a life (an
epoch), and is durable before its first row is handed out. What is claimed is kept in mind as with SQLite: it is this
life's alone, and whoever takes it away has to fence this life first.

A queue is called dry (`has_new` 0) only by a claim that knows that no rows were being stored while it looked.
"""

from __future__ import annotations

from collections.abc import Iterable

from bulkmail.failpoints import failpoint
from bulkmail.spool.claims import Claims
from bulkmail.spool.pg_database import repeated
from bulkmail.spool.pg_intake import PgIntake
from bulkmail.spool.rows import Claimed, Held, id_range


class PgClaims(PgIntake):
    """The part of the store that hands rows out."""

    @repeated
    def backlog(self, after_queue_id: int, limit: int) -> list[tuple[int, int, str]]:
        """Queues of running campaigns with new rows; see `Claims.backlog`."""
        with self._db.transaction("begin_reading"):
            return self._db.execute("backlog", (after_queue_id, limit)).fetchall()

    @repeated
    def due_queues(
        self, now: float, limit: int, after: tuple[float, int] = (-1.0, 0)
    ) -> list[tuple[int, int, str, float]]:
        """Queues of running campaigns with a row due; see `Claims.due_queues`."""
        with self._db.transaction("begin_reading"):
            return self._db.execute("due_queues", (float(now), float(after[0]), after[1], limit)).fetchall()

    @repeated
    def next_due(self, campaign_id: int | None = None) -> float | None:
        """When the next waiting row is due; see `Claims.next_due`."""
        with self._db.transaction("begin_reading"):
            if campaign_id is None:
                campaigns = [row[0] for row in self._db.execute("campaign_ids_in_state", ("running",))]
            else:
                campaigns = [campaign_id]
            times = [(self._db.execute("next_due", (campaign,)).fetchone() or (None,))[0] for campaign in campaigns]
        return min((at for at in times if at is not None), default=None)

    @repeated
    def claim(self, wanted: Iterable[tuple[int, int]], now: float) -> dict[int, list[Claimed]]:
        """For each (queue_id, limit): rows that are due, then new ones; see `Claims.claim`. Raises OwnFault."""
        now = float(now)
        rooms: dict[int, int] = {}
        for queue_id, limit in wanted:
            rooms[queue_id] = rooms.get(queue_id, 0) + max(0, limit)
        answer: dict[int, list[Claimed]] = {queue_id: [] for queue_id in rooms}
        held: dict[int, Held] = {}
        open_claims: dict[int, int] = {}
        with self._db.transaction():
            self._only_live()
            no_import = dict(self._db.execute("try_no_import", (list(rooms),)).fetchall())
            queues = self._db.execute("lock_queues", (list(rooms), list(no_import))).fetchall()
            campaigns = {queue_id: campaign_id for queue_id, campaign_id, *_ in queues}
            due = [row[0] for row in queues if row[4] is not None and row[4] <= now and rooms[row[0]]]
            if due:
                self._claim_due_rows(due, rooms, campaigns, now, answer, held)
            fresh = [
                (queue_id, cursor, rooms[queue_id] - len(answer[queue_id]))
                for queue_id, _, cursor, has_new, _ in queues
                if has_new and rooms[queue_id] > len(answer[queue_id])
            ]
            if fresh:
                open_claims = self._claim_new_rows(fresh, campaigns, no_import, now, answer, held)
            failpoint("mid-claim")
        failpoint("after-claim")
        self._held.update(held)
        self._open_claims.update(open_claims)
        return answer

    bring_forward = repeated(Claims.bring_forward)

    @repeated
    def rest(self, queue_ids: Iterable[int]) -> None:
        """The sites of these could not be used: their rows have had their turn, for whoever counts turns."""
        with self._db.transaction():
            self._db.execute("rest_queues", (list(queue_ids),))

    @repeated
    def first_round_over(self, campaign_id: int, now: float) -> bool:
        """Whether every row that is stored was tried, by whichever machine, or has a site that cannot be used."""
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
        held: dict[int, Held],
    ) -> None:
        values = {"queues": queues, "rooms": [rooms[queue] for queue in queues], "now": now, "epoch": self._db.epoch}
        for row in self._db.execute("claim_due", values).fetchall():
            identity, queue_id, email, fields, file_no, date, attempts, first, status, category, provider = row[:11]
            who = (identity, campaigns[queue_id], queue_id, email, fields, file_no)
            answer[queue_id].append(Claimed(*who, attempts, first, date, status, category, provider, row[13]))
            held[identity] = Held(0, queue_id, date, attempts, first, status, category, provider, *row[11:])
        self._db.execute("set_next_at", (queues,))

    def _claim_new_rows(
        self,
        fresh: list[tuple[int, int, int]],
        campaigns: dict[int, int],
        no_import: dict[int, bool],
        now: float,
        answer: dict[int, list[Claimed]],
        held: dict[int, Held],
    ) -> dict[int, int]:
        got: dict[int, list[Claimed]] = {queue_id: [] for queue_id, _, _ in fresh}
        for identity, queue_id, email, fields, file_no in self._db.arrays("new_rows", fresh).fetchall():
            who = (identity, campaigns[queue_id], queue_id, email, fields, file_no)
            got[queue_id].append(Claimed(*who, 0, 0.0, now, "pending", "", ""))
        claims: list[tuple[int, int, int]] = []
        moves: list[tuple[int, int, int]] = []
        for queue_id, cursor, room in fresh:
            more = len(got[queue_id]) > room
            del got[queue_id][room:]
            upto = got[queue_id][-1].id if got[queue_id] else cursor
            dry = not more and no_import[campaigns[queue_id]]
            moves.append((queue_id, upto, int(not dry)))
            if got[queue_id]:
                claims.append((queue_id, cursor, upto))
        self._db.arrays("move_cursors", moves)
        open_claims: dict[int, int] = {}
        if claims:
            for queue_id, claim_id in self._db.arrays("add_claims", claims, self._db.epoch, now).fetchall():
                open_claims[claim_id] = len(got[queue_id])
                held |= dict.fromkeys([claimed.id for claimed in got[queue_id]], Held.new(claim_id, queue_id, now))
                answer[queue_id] += got[queue_id]
        return open_claims
