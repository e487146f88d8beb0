"""What keeps campaigns from being sent, for how long they were kept, and requests for their end."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any

from bulkmail.failpoints import failpoint
from bulkmail.mail import Choice
from bulkmail.shaping import OTHER
from bulkmail.spool.booking import DueLine, EventLine
from bulkmail.spool.campaigns import CANCELLING, ENDED, REMOVING
from bulkmail.spool.contract import Statements, Tables
from bulkmail.spool.events import HELD, RELEASED, TRIED, Events
from bulkmail.spool.holding import Tried, TryNow
from bulkmail.spool.rows import AcceptRequest, CancelRequest, HeldTime, Hold, id_range, recipient_id

_MOST = 100
_NO_TIME = frozenset({"refused", "checking"})  # kinds that tell of a campaign, and take no time from its rows


class Holds(Events):
    """The part of a store that knows holds, the same in every database; see `contract.HoldStore`."""

    _db: Statements
    _tables: Tables

    def hold(self, hold: Hold) -> None:
        """Keep a campaign from being claimed; see `contract.HoldStore.hold`."""
        campaign_id, kind, reason, since, provider, who, until = hold
        with self._db.transaction():
            self._state(campaign_id)
            self._db.execute("set_hold", (campaign_id, provider, kind, reason, who, since, until))
            self._tables.tell_states()
            self._note_holds(HELD, [(hold, since)])

    def lift(self, campaign_id: int, kind: str, provider: str, now: float) -> bool:
        """Release a hold at ``now``; see `contract.HoldStore.lift`."""
        with self._db.transaction():
            gone = _read(self._db.execute("drop_hold", (campaign_id, provider, kind)).fetchall())
            self._over([(hold, now) for hold in gone])
            self._note_holds(RELEASED, [(hold, now) for hold in gone])
        return bool(gone)

    def lift_due(self, now: float) -> list[Hold]:
        """Release the holds whose ``until`` has come; see `contract.HoldStore.lift_due`."""
        with self._db.transaction():
            gone = _read(self._db.execute("drop_holds_until", (now,)).fetchall())
            self._over([(hold, hold.until or now) for hold in gone])
            self._note_holds(RELEASED, [(hold, hold.until or now) for hold in gone])
        return gone

    def holds(self) -> list[Hold]:
        """Return the holds of all campaigns, by campaign, provider and kind."""
        with self._db.transaction("begin_reading"):
            return read_holds(self._db)

    def held_times(self, campaign_id: int) -> list[HeldTime]:
        """Return when the campaign was held by holds that are over."""
        with self._db.transaction("begin_reading"):
            return self._held_times(campaign_id)

    def request_cancel(self, request: CancelRequest) -> bool:
        """Set a campaign that has not ended to "cancelling"; see `contract.HoldStore.request_cancel`."""
        with self._db.transaction():
            if self._state(request.campaign_id) in {*ENDED, CANCELLING, REMOVING}:
                return False
            self._db.execute("add_cancel_request", request)
            values = {"state": CANCELLING, "now": request.since, "ended": False, "exit_status": None}
            self._tables.set_state({**values, "id": request.campaign_id})
        return True

    def cancel_requests(self) -> list[CancelRequest]:
        """Return the requests of all campaigns in the spool."""
        with self._db.transaction("begin_reading"):
            return read_cancel_requests(self._db)

    def request_accept(self, request: AcceptRequest) -> None:
        """Ask for a change to be taken; see `contract.HoldStore.request_accept`."""
        with self._db.transaction():
            self._state(request.campaign_id)
            self._db.execute("set_accept_request", (request.campaign_id, json.dumps(request)))
            self._tables.tell_states()

    def accept_requests(self) -> list[AcceptRequest]:
        """Return the requests that were not obeyed yet."""
        with self._db.transaction("begin_reading"):
            return [AcceptRequest(*json.loads(row[0])) for row in self._db.execute("accept_requests").fetchall()]

    def drop_accept_request(self, campaign_id: int) -> None:
        """Remove the request for a campaign: it was obeyed, or refused."""
        with self._db.transaction():
            self._db.execute("drop_accept_request", (campaign_id,))

    def try_now(self, asked: TryNow, after: int, limit: int) -> Tried:
        """Make rows due that wait for a retry; see `contract.HoldStore.try_now`."""
        low, high = id_range(asked.campaign_id)
        with self._db.transaction():
            self._state(asked.campaign_id)
            waiting = self._db.execute("waiting", (max(low, after), high, limit)).fetchall()
            if not waiting:
                return Tried()
            last = waiting[-1][0]
            # a statement of its own, behind the locks of the first: what it reads does not change any more
            found = self._db.execute("deferred", (waiting[0][0], last, asked.now)).fetchall()
            wanted = {identity: doubt for identity, doubt, *at in found if _is_at(asked, *at)}
            due = [
                DueLine(identity, queue, asked.now, date)
                for identity, queue, next_at, date in waiting
                if next_at > asked.now and wanted.get(identity) == 0
            ]
            if due:
                self._tables.set_due(due)
                self._tables.tell_rows()
                failpoint("mid-try")
                self._note([_tried(asked, len(due))])
        doubtful = sum(1 for identity, _, next_at, _ in waiting if next_at > asked.now and wanted.get(identity))
        return Tried(len(due), doubtful, last)

    def save_winner(self, campaign_id: int, choice: Choice) -> None:
        """Store which variant the rest gets; see `contract.HoldStore.save_winner`."""
        with self._db.transaction():
            self._state(campaign_id)
            self._db.execute("set_winner", (campaign_id, json.dumps(choice)))
            self._tables.tell_states()

    def winner(self, campaign_id: int) -> Choice | None:
        """Return which variant the rest gets, None while none is chosen."""
        with self._db.transaction("begin_reading"):
            row = self._db.execute("winner", (campaign_id,)).fetchone()
        return None if row is None else Choice(*json.loads(row[0]))

    def first_attempt_at(self, campaign_id: int) -> float | None:
        """Return when a campaign's first attempt was, None before it."""
        with self._db.transaction("begin_reading"):
            row = self._db.execute("first_attempt_at", id_range(campaign_id)).fetchone()
        return None if row is None else float(row[0])

    def report_is_whole(self, campaign_id: int) -> None:
        """Record that the last report of an ended campaign was written to its end."""
        with self._db.transaction():
            self._db.execute("add_whole_report", (campaign_id,))

    def report_is_not_whole(self, campaign_id: int) -> None:
        """Record that the report of an ended campaign is being written again."""
        with self._db.transaction():
            self._db.execute("remove_whole_report", (campaign_id,))

    def has_whole_report(self, campaign_id: int) -> bool:
        """Return whether that was recorded."""
        with self._db.transaction("begin_reading"):
            return self._db.execute("whole_report", (campaign_id,)).fetchone() is not None

    def _held_times(self, campaign_id: int) -> list[HeldTime]:
        return [HeldTime(*row[1:]) for row in self._db.execute("held_times", (campaign_id,)).fetchall()]

    def _over(self, gone: Iterable[tuple[Hold, float]]) -> None:
        """Within the transaction: keep the time of holds that ended, and notify other machines of them."""
        for hold, ended in gone:
            if hold.kind in _NO_TIME:
                self._tables.tell_states()
                continue
            times = [*self._held_times(hold.campaign_id), HeldTime(hold.provider, hold.since, max(hold.since, ended))]
            self._db.execute("drop_held_times", (hold.campaign_id,))
            self._db.many("add_held_time", [(hold.campaign_id, *time) for time in joined(times)])
            self._tables.tell_states()


def _is_at(asked: TryNow, provider: str, domain: str, mx_host: str) -> bool:
    """Return whether a row is at what is asked for."""
    return asked.provider in ("", provider or OTHER) and asked.site in ("", domain, mx_host)


def _tried(asked: TryNow, rows: int) -> EventLine:
    words = f"{rows} deferred {'row is' if rows == 1 else 'rows are'} tried at once"
    words += f", asked for by {asked.who}" if asked.who else ""
    return EventLine(asked.now, TRIED, recipient_id(asked.campaign_id, 0), None, asked.provider, "", asked.site, words)


def joined(times: Iterable[HeldTime], most: int = _MOST) -> list[HeldTime]:
    """Return these times with those of one provider that touch made one, and at most ``most`` for each provider.

    Of more than that the oldest become one, as long as both together, that ends with the younger.
    """
    kept: list[HeldTime] = []
    for provider, some in groupby(sorted(times), attrgetter("provider")):
        apart: list[HeldTime] = []
        for one in some:
            if apart and one.began <= apart[-1].ended:
                apart[-1] = HeldTime(provider, apart[-1].began, max(apart[-1].ended, one.ended))
            else:
                apart.append(one)
        while len(apart) > most:
            first, second = apart[:2]
            apart[:2] = [HeldTime(provider, second.began - (first.ended - first.began), second.ended)]
        kept += apart
    return kept


def read_holds(database: Statements) -> list[Hold]:
    """Within a transaction: return the holds of all campaigns."""
    return _read(database.execute("holds").fetchall())


def read_cancel_requests(database: Statements) -> list[CancelRequest]:
    """Within a transaction: return the requests of all campaigns."""
    return [CancelRequest(*row) for row in database.execute("cancel_requests").fetchall()]


def _read(rows: Iterable[Sequence[Any]]) -> list[Hold]:
    return [Hold(campaign, kind, reason, since, provider, who, until)
            for campaign, provider, kind, reason, who, since, until in rows]  # fmt: skip
