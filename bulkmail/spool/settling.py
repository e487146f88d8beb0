"""Outcomes into the store, five hundred to a transaction, each exactly once; the same in every database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from bulkmail.failpoints import failpoint
from bulkmail.mail import Category, Status
from bulkmail.shaping import RetrySettings, after_unknown
from bulkmail.spool.booking import Batch, Booking, OutcomeLine, book, give_back, journalled_reply, unanswered
from bulkmail.spool.contract import Statements, Tables
from bulkmail.spool.events import Events
from bulkmail.spool.journal import Journalled
from bulkmail.spool.rows import ROW_BITS, Claimed, ClaimState, Recovered, Settlement, campaign_of, id_range


class Settling(Events):
    """The part of a store that takes outcomes; see `contract.OutcomeStore`."""

    _db: Statements
    _tables: Tables
    _booking: Booking

    def settle(self, settlements: Iterable[Settlement], given_back: Iterable[tuple[int, float]] = ()) -> int:
        """Write down what became of claimed rows; see `contract.OutcomeStore.settle`."""
        settlements, given_back = list(settlements), list(given_back)
        with self._db.transaction():
            batch = self._batch(settlements)
            self._booking.book(batch, settlements, given_back)
            self._tables.write(batch)
            self._suppress_settled(batch.outcomes)
            self._tables.drop_claims(self._booking.finished(batch))
            self._note_settled(batch, settlements)
            failpoint("mid-settle")
        failpoint("after-settle")
        self._booking.settled(batch)
        return len(batch.done)

    def release(self, rows: Iterable[int | Claimed], next_at: float = 0.0) -> int:
        """Give claimed rows back without a charge; see `contract.OutcomeStore.release`."""
        return self.settle((), [(row if isinstance(row, int) else row.id, next_at) for row in rows])

    def cancel_rows(self, campaign_id: int, limit: int, now: float) -> int:
        """End up to ``limit`` unclaimed rows of a campaign; see `contract.OutcomeStore.cancel_rows`."""
        return self._end_rows(campaign_id, limit, now, Status.CANCELLED, "", "")

    def expire_rows(self, campaign_id: int, limit: int, now: float, note: str) -> int:
        """End up to ``limit`` unclaimed rows of a campaign; see `contract.OutcomeStore.expire_rows`."""
        return self._end_rows(campaign_id, limit, now, Status.EXPIRED, Category.SCHEDULE, note)

    def _end_rows(self, campaign_id: int, limit: int, now: float, status: str, category: str, note: str) -> int:
        """End rows as ``status``, and as ``unknown`` those of which a copy may have arrived."""
        low, high = id_range(campaign_id)
        batch = Batch()
        rows: dict[int, ClaimState] = {}
        with self._db.transaction():
            self._tables.keep_claims_out(campaign_id)
            for identity, queue_id, *rest in self._db.execute("campaign_due", (low, high, limit)).fetchall():
                rows[identity] = ClaimState(0, queue_id, *rest)
            due_queues = sorted({known.queue_id for known in rows.values()})
            if room := limit - len(rows):
                rows |= self._tables.take_new(campaign_id, room)
            if room := limit - len(rows):
                for identity, queue_id in self._db.execute("all_held_back", (low, high, room)).fetchall():
                    rows[identity] = ClaimState.new(0, -queue_id, 0.0)
            for identity, known in rows.items():
                how = (str(status), str(category)) if not known.doubt else (str(Status.UNKNOWN), known.category)
                ended = Settlement(identity, known.queue_id, *how, known.provider, completed_at=now, note=note)
                book(batch, ended, known)
            self._tables.write(batch)
            self._tables.set_next_at(due_queues)
            self._note_outcomes(batch.outcomes)
        return len(batch.done)

    def settle_left(
        self,
        left: Mapping[int, ClaimState],
        journalled: Journalled,
        *,
        trusted: bool,
        retry: RetrySettings,
        now: float,
        waited: float = 0.0,
    ) -> Recovered:
        """Within a transaction: settle or give back what an incarnation left claimed, by what its journal tells.

        A journalled reply settles its row. A journalled dot without a reply is ambiguous. A row without either was not
        sent and is due now; where the journal is not ``trusted`` to tell of every dot, it is ambiguous too. ``waited``:
        seconds that these rows have waited already.
        """
        keep = {row[0] for row in self._db.execute("campaign_on_unknown").fetchall() if row[1] == "keep"}
        replied: list[Settlement] = []
        ambiguous: list[Settlement] = []
        back: list[int] = []
        for identity, known in left.items():
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
        settlements = [*replied, *ambiguous]
        batch = self._batch(settlements)
        for settlement in settlements:
            book(batch, settlement, left.get(settlement.recipient_id))
        for identity in back:
            give_back(batch, identity, 0.0, left.get(identity))
        self._tables.write(batch)
        self._suppress_settled(batch.outcomes)
        self._note_settled(batch, settlements)
        self._booking.last_attempt.update(batch.last_attempt)
        return Recovered(len(replied), len(ambiguous), len(back))

    def _note_settled(self, batch: Batch, settlements: Iterable[Settlement]) -> None:
        """Within the transaction: store the events of these settlements."""
        if self.events is not None:
            sites = {one.recipient_id: one.site for one in settlements}
            self._note_outcomes(batch.outcomes, batch.attempts, sites)

    def _suppress_settled(self, outcomes: Sequence[OutcomeLine]) -> None:
        """Within the transaction: suppress whom these outcomes suppress by rule; see `late.LateEvents`."""

    def _batch(self, settlements: Iterable[Settlement]) -> Batch:
        """Return an empty batch that knows the last numbers given to attempts of these campaigns."""
        # a list and no calls: this runs for every message
        counts = Counter([one.recipient_id >> ROW_BITS for one in settlements if one.attempt is not None])
        return Batch(self._tables.last_numbers(counts))
