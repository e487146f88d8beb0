"""Input rows into the store: each row once, with the place where reading stands in the same transaction.

A domain's queue row is written when its first row arrives and when rows arrive after it ran dry, not with each batch:
with 100,000 domains in random order that alone would rewrite half the file per batch.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from bulkmail.failpoints import failpoint
from bulkmail.mail import Category, Status
from bulkmail.spool.booking import DueLine, OutcomeLine
from bulkmail.spool.contract import Statements, Tables
from bulkmail.spool.events import Events
from bulkmail.spool.rows import InputRow, id_range, recipient_id
from bulkmail.spool.scopes import REASONS
from bulkmail.spool.stored import store

_PENDING = ("", "pending", "")
ENDED_BY: dict[str, tuple[Status, Category | None]] = {
    "invalid": (Status.INVALID, Category.INVALID_ADDRESS),
    "bad-row": (Status.INVALID, Category.BAD_ROW),
    "duplicate": (Status.DUPLICATE, None),
    "suppressed": (Status.SUPPRESSED, None),
    **{str(reason): (Status.SUPPRESSED, reason) for reason in REASONS},
    "no-consent": (Status.SUPPRESSED, Category.NO_CONSENT),
    "hold-out": (Status.SUPPRESSED, Category.HOLD_OUT),
}
"""The verdicts of the reading by which a row ends at once, each with its status and category in the report."""


class Intake(Events):
    """The part of a store that takes rows in, the same in every database; see `contract.IntakeStore`."""

    _db: Statements
    _tables: Tables

    def add_rows(
        self, campaign_id: int, rows: Sequence[InputRow], import_state: object, done: bool, now: float = 0.0
    ) -> None:
        """Store rows; see `contract.IntakeStore.add_rows`."""
        with self._db.transaction():
            found = self._db.execute("input_rows", (campaign_id,)).fetchone()
            if found is None:
                raise LookupError(f"the spool has no campaign {campaign_id}")
            stored: int = found[0]
            rows = [row for row in rows if row[0] > stored] if rows and rows[0][0] <= stored else rows
            ended: list[OutcomeLine] = []
            if rows:
                if rows[0][0] != stored + 1 or rows[-1][0] != stored + len(rows):
                    raise ValueError(f"input rows {rows[0][0]} to {rows[-1][0]} do not follow on row {stored}")
                with self._tables.importing(campaign_id):
                    ended = self._store_rows(campaign_id, rows, now or None)
            self._db.execute("set_input_rows", (stored + len(rows), int(done), campaign_id))
            self._db.execute("set_reading", (campaign_id, store(import_state)))
            self._note_outcomes(ended)
            failpoint("mid-import")
        failpoint("after-import")

    def _store_rows(self, campaign_id: int, rows: Sequence[InputRow], now: float | None) -> list[OutcomeLine]:
        fresh = {row[4]: 1 for row in rows if row[6] == "ok"}
        domains = dict.fromkeys([row[4] for row in rows if row[6] == "held"], 0) | fresh
        queues = self._tables.queues(campaign_id, domains, recipient_id(campaign_id, rows[0][0] - 1))
        outcomes: list[OutcomeLine] = []
        self._tables.add_recipients(_recipients(recipient_id(campaign_id, 0), rows, queues, now, outcomes))
        self._tables.set_outcomes(outcomes)
        counts = Counter((outcome.status, outcome.category) for outcome in outcomes)
        totals = [(campaign_id, "", *key, count) for key, count in counts.items()]
        self._tables.add_totals([(campaign_id, *_PENDING, len(rows) - len(outcomes)), *totals])
        return outcomes

    def held_back(self, campaign_id: int, limit: int = 1) -> int:
        """Count the rows that are held back; see `contract.IntakeStore.held_back`."""
        with self._db.transaction("begin_reading"):
            return len(self._db.execute("all_held_back", (*id_range(campaign_id), limit)).fetchall())

    def settle_held(self, campaign_id: int, verdicts: Iterable[tuple[int, bool, str]], now: float = 0.0) -> int:
        """Settle rows that were held back; see `contract.IntakeStore.settle_held`."""
        duplicates: list[OutcomeLine] = []
        due: list[DueLine] = []
        seen: set[int] = set()
        with self._db.transaction():
            verdicts = list(verdicts)
            held = self._tables.held_back([recipient_id(campaign_id, number) for number, _, _ in verdicts])
            for number, is_duplicate, note in verdicts:
                identity = recipient_id(campaign_id, number)
                queue_id = held.get(identity)
                if queue_id is None or identity in seen:
                    continue
                seen.add(identity)
                if is_duplicate:
                    duplicates.append(OutcomeLine(identity, "duplicate", completed_at=now or None, note=note))
                else:
                    due.append(DueLine(identity, -queue_id, now, None))
            self._tables.set_outcomes(duplicates)
            self._tables.set_due(due)
            gone = len(duplicates)
            changes = [(campaign_id, *_PENDING, -gone), (campaign_id, "", "duplicate", "", gone)]
            self._tables.add_totals(changes if gone else [])
            self._note_outcomes(duplicates)
        return gone


def _recipients(
    low: int, rows: Iterable[InputRow], queues: Mapping[str, int], now: float | None, outcomes: list[OutcomeLine]
) -> Iterator[tuple[Any, ...]]:
    """Yield each row as it is stored, while those before it are written; ``outcomes`` gets those that end here."""
    for number, file_no, row_in_file, email, domain, fields, verdict, note in rows:
        queue: int | None = None
        if verdict == "ok":
            queue = queues[domain]
        elif verdict == "held":
            queue = -queues[domain]
        else:
            if verdict not in ENDED_BY:
                raise ValueError(f"{verdict!r} is no verdict on a row")
            status, category = ENDED_BY[verdict]
            outcomes.append(OutcomeLine(low + number, str(status), str(category or ""), completed_at=now, note=note))
        yield low + number, queue, file_no, row_in_file, email, fields
