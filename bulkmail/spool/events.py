"""The stream of events: what became of each row and each campaign, numbered, for other systems.

An event is stored in the transaction that changes what it tells of, so the stream has all that the spool has and
nothing else, whatever kills the process. Its numbers only rise over the whole spool, also where several machines write
to it: each of them waits for the commit of the one before. So a reader that knows the last number it has passed on has
all before it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bulkmail.mail import EventRow
from bulkmail.spool.booking import AttemptLine, EventLine, OutcomeLine
from bulkmail.spool.contract import Statements, Tables
from bulkmail.spool.rows import EventBounds, Hold, recipient_id
from bulkmail.spool.stored import restore

_BOUNDS = "events"
_STATES = {
    "running": "campaign_started",
    "stopped": "campaign_stopped",
    "finished": "campaign_finished",
    "cancelled": "campaign_cancelled",
}
HELD, RELEASED, TRIED = "campaign_held", "campaign_released", "campaign_tried"
"""Further events of a campaign itself. ``category`` of a hold is its kind (`rows.HOLD_KINDS`)."""


class Events:
    """The part of a store that notes events for the other parts. ``events`` None: it notes none."""

    _db: Statements
    _tables: Tables
    events: EventBounds | None = None

    def remember_events(self, bounds: EventBounds | None) -> None:
        """Note events from now on, or none, here and in every process that opens the spool later."""
        self.recall_events()
        if bounds != self.events:
            with self._db.transaction():
                self._db.execute("set_meta", (_BOUNDS, json.dumps(bounds)))
        self.events = bounds

    def recall_events(self) -> None:
        """Note events as the process that was told last does."""
        with self._db.transaction("begin_reading"):
            row = self._db.execute("meta", (_BOUNDS,)).fetchone()
        bounds = None if row is None else json.loads(row[0])
        self.events = None if bounds is None else EventBounds(*bounds)

    def _state(self, campaign_id: int) -> str:
        """Return a campaign's state, which stays as it is until the transaction ends. Raises LookupError."""
        row = self._db.execute("campaign_state", (campaign_id,)).fetchone()
        if row is None:
            raise LookupError(f"the spool has no campaign {campaign_id}")
        return str(row[0])

    def _note(self, lines: Sequence[EventLine]) -> None:
        """Within a transaction, as the last thing in it: store events, and drop about as many that are too old.

        On a shared spool all others that note events wait from here to the commit; a lock that is taken later could be
        held by one of these.
        """
        if self.events is None or not lines:
            return
        self._db.execute("one_event_at_a_time")
        self._tables.add_events(lines)
        some = 2 * len(lines) + 100
        newest = max(line.at for line in lines)
        self._db.execute("drop_old_events", (some, newest - self.events.keep))
        self._db.execute("drop_most_events", (self.events.most, some))

    def _note_outcomes(
        self,
        outcomes: Iterable[OutcomeLine],
        attempts: Iterable[AttemptLine] = (),
        sites: Mapping[int, str] | None = None,
    ) -> None:
        """Within a transaction: store an event for each outcome, by time. ``sites``: by recipient id, where known."""
        if self.events is None:
            return
        at = {one.id: one.at for one in attempts}
        sites = sites or {}
        lines = [
            EventLine(
                at.get(one.attempt_id or 0) or one.completed_at or 0.0,
                one.status,
                one.recipient_id,
                one.attempt_id,
                one.provider,
                one.category,
                sites.get(one.recipient_id, ""),
            )
            for one in outcomes
        ]
        self._note(sorted(lines, key=lambda line: line.at))

    def _note_late(
        self, lines: Iterable[AttemptLine], providers: Mapping[int, str], of_gone: Iterable[EventLine]
    ) -> None:
        """Within a transaction: store an event for each line of what came back. ``providers``: by recipient id.

        ``of_gone``: those of rows that have left the spool, which have no lines.
        """
        if self.events is not None:
            known = [
                EventLine(one.at, one.result, one.recipient_id, one.id, providers[one.recipient_id], one.category)
                for one in lines
            ]
            self._note([*known, *of_gone])

    def _note_state(self, campaign_id: int, before: str, state: str, now: float) -> None:
        """Within a transaction: store that a campaign has another state, where that is an event."""
        if state in _STATES and state != before:
            self._note([EventLine(now, _STATES[state], recipient_id(campaign_id, 0))])

    def _note_holds(self, event: str, holds: Iterable[tuple[Hold, float]]) -> None:
        """Within a transaction: store that holds have begun or ended at a time."""
        lines = [
            EventLine(at, event, recipient_id(hold.campaign_id, 0), None, hold.provider, hold.kind, "", hold.words)
            for hold, at in holds
        ]
        self._note(lines)


class EventReading:
    """What can be read of events, and of the campaigns that they are of; the part of a `reading.Reading`."""

    _db: Statements
    _version: int
    _knows_events: int  # the version of a spool from which on it has them
    _knows_policies: int  # the same: and of what TLS was asked for

    def content(self, campaign_id: int) -> dict[str, Any]:
        """Return the snapshot of everything that enters a campaign's messages; {} where it has none."""
        with self._db.transaction("begin_reading"):
            row = self._db.execute("snapshot", (campaign_id,)).fetchone()
        content: dict[str, Any] = {} if row is None else restore(row[0])
        return content

    def winner(self, campaign_id: int) -> str:
        """Return the variant that those in none get, "" while none is chosen."""
        with self._db.transaction("begin_reading"):
            row = self._db.execute("winner", (campaign_id,)).fetchone()
        return "" if row is None else str(json.loads(row[0])[0])

    def events(self, after: int, limit: int) -> list[EventRow]:
        """Return up to ``limit`` events behind the one with the number ``after``, in order."""
        if self._version < self._knows_events:
            return []
        with self._db.transaction("begin_reading"):
            query = "read_events" if self._version >= self._knows_policies else "read_events_before_policies"
            rows = self._db.execute(query, (after, limit)).fetchall()
        return list(map(EventRow._make, rows))

    def event_span(self) -> tuple[int | None, int]:
        """Return the number of the oldest event that is there, and the last one that was given: 0 before the first."""
        if self._version < self._knows_events:
            return None, 0
        with self._db.transaction("begin_reading"):
            first, last = self._db.execute("event_span").fetchone()
        return first, last
