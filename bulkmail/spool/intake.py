"""Input rows into the store: each row once, with the place where reading stands in the same transaction.

A domain's queue row is written when its first row arrives and when rows arrive after it ran dry, not with each batch:
with 100,000 domains in random order that alone would rewrite half the file per batch.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from bulkmail.failpoints import failpoint
from bulkmail.mail import Category, Status
from bulkmail.spool.campaigns import Campaigns
from bulkmail.spool.rows import id_range, recipient_id
from bulkmail.spool.stored import store

InputRow = tuple[int, int, int, str, str, str, str, str]
_PENDING = ("", "pending", "")
ENDED_BY = {
    "invalid": (Status.INVALID, Category.INVALID_ADDRESS),
    "bad-row": (Status.INVALID, Category.BAD_ROW),
    "duplicate": (Status.DUPLICATE, None),
    "suppressed": (Status.SUPPRESSED, None),
}
"""The verdicts of the reading by which a row ends at once, each with what the report says of it."""


class Intake(Campaigns):
    """The part of the store that takes rows in."""

    def add_rows(
        self, campaign_id: int, rows: Sequence[InputRow], import_state: object, done: bool, now: float = 0.0
    ) -> None:
        """Store rows ``(n, file_no, row_in_file, email, domain, fields, verdict, note)`` and the reader's state.

        The numbers go up by one from row to row and from batch to batch; rows that are stored already are skipped.
        ``done``: the input has been read to its end. ``now``: when rows ended by their verdict are completed.
        Raises ValueError when the numbers have a hole: such a report could never add up.
        """
        with self._db.transaction():
            found = self._db.execute("input_rows", (campaign_id,)).fetchone()
            if found is None:
                raise LookupError(f"the spool has no campaign {campaign_id}")
            stored: int = found[0]
            rows = [row for row in rows if row[0] > stored] if rows and rows[0][0] <= stored else rows
            if rows:
                if rows[0][0] != stored + 1 or rows[-1][0] != stored + len(rows):
                    raise ValueError(f"input rows {rows[0][0]} to {rows[-1][0]} do not follow on row {stored}")
                self._store_rows(campaign_id, rows, now or None)
            self._db.execute("set_input_rows", (stored + len(rows), int(done), campaign_id))
            self._db.execute("set_reading", (campaign_id, store(import_state)))
            failpoint("mid-import")
        failpoint("after-import")

    def _store_rows(self, campaign_id: int, rows: Sequence[InputRow], now: float | None) -> None:
        queues = self._queues(campaign_id, rows)
        outcomes: list[tuple[Any, ...]] = []
        self._add_recipients(_recipients(recipient_id(campaign_id, 0), rows, queues, now, outcomes))
        self._set_outcomes(outcomes)
        counts = Counter(outcome[1:3] for outcome in outcomes)
        totals = [(campaign_id, "", *key, count) for key, count in counts.items()]
        self._add_totals([(campaign_id, *_PENDING, len(rows) - len(outcomes)), *totals])

    def _add_recipients(self, rows: Iterable[tuple[Any, ...]]) -> None:
        self._db.many("add_recipient", rows)

    def _set_outcomes(self, rows: list[tuple[Any, ...]]) -> None:
        self._db.many("set_outcome", rows)

    def _add_totals(self, rows: list[tuple[Any, ...]]) -> None:
        self._db.many("add_total", rows)

    def _set_due(self, rows: list[tuple[int, int, float, float | None]]) -> None:
        """Rows that wait from now on, and their queues' earliest times."""
        self._db.many("set_due", rows)
        earliest: dict[int, float] = {}
        for _, queue_id, next_at, _ in rows:
            earliest[queue_id] = min(next_at, earliest.get(queue_id, next_at))
        self._lower_next_at(earliest)

    def _lower_next_at(self, earliest: dict[int, float]) -> None:
        self._db.many("lower_next_at", [(at, queue) for queue, at in earliest.items()])

    def _queues(self, campaign_id: int, rows: Sequence[InputRow]) -> dict[str, int]:
        """The queue of every domain that rows go to; those that get new rows are marked as having some."""
        fresh = {row[4]: 1 for row in rows if row[6] == "ok"}
        domains = dict.fromkeys([row[4] for row in rows if row[6] == "held"], 0) | fresh
        queues: dict[str, int] = {}
        dry: list[tuple[int]] = []
        found = self._db.execute("queues_of_domains", (campaign_id, json.dumps(list(domains)))).fetchall()
        for domain, queue_id, has_new in found:
            queues[domain] = queue_id
            if domain in fresh and not has_new:
                dry.append((queue_id,))
        self._db.many("queue_has_new", dry)
        before = recipient_id(campaign_id, rows[0][0] - 1)  # no row of a new queue is looked for before these
        for domain, has_new in domains.items():
            if domain not in queues:
                queue_id = self._db.execute("add_queue", (campaign_id, domain, has_new, before)).lastrowid
                assert queue_id is not None
                queues[domain] = queue_id
        return queues

    def held_back(self, campaign_id: int, limit: int = 1) -> int:
        """How many rows (at most ``limit``) still wait to be told whether they are duplicates."""
        with self._db.transaction("begin_reading"):
            return len(self._db.execute("all_held_back", (*id_range(campaign_id), limit)).fetchall())

    def settle_held(self, campaign_id: int, verdicts: Iterable[tuple[int, bool, str]], now: float = 0.0) -> int:
        """Held-back rows ``(n, is_duplicate, note)``: duplicates end, the others are due now. Twice is once.

        How many were ended as duplicates.
        """
        duplicates: list[tuple[Any, ...]] = []
        due: list[tuple[int, int, float, float | None]] = []
        seen: set[int] = set()
        with self._db.transaction():
            verdicts = list(verdicts)
            held = self._held_back([recipient_id(campaign_id, number) for number, _, _ in verdicts])
            for number, is_duplicate, note in verdicts:
                identity = recipient_id(campaign_id, number)
                queue_id = held.get(identity)
                if queue_id is None or identity in seen:
                    continue
                seen.add(identity)
                if is_duplicate:
                    duplicates.append((identity, "duplicate", "", "", 0, None, now or None, None, 0, None, 0, note))
                else:
                    due.append((identity, -queue_id, now, None))
            self._set_outcomes(duplicates)
            self._set_due(due)
            gone = len(duplicates)
            changes = [(campaign_id, *_PENDING, -gone), (campaign_id, "", "duplicate", "", gone)]
            self._add_totals(changes if gone else [])
        return gone

    def _held_back(self, identities: Sequence[int]) -> dict[int, int]:
        """Those of the rows that are still held back, each with its (negative) queue."""
        found: dict[int, int] = {}
        for identity in identities:
            row = self._db.execute("held_back", (identity,)).fetchone()
            if row is not None:
                found[identity] = row[1]
        return found


def _recipients(
    low: int, rows: Iterable[InputRow], queues: Mapping[str, int], now: float | None, outcomes: list[tuple[Any, ...]]
) -> Iterator[tuple[Any, ...]]:
    """Each row as it is stored, made while those before it are; ``outcomes`` gets those that end here."""
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
            outcomes.append((low + number, str(status), str(category or ""), "", 0, None, now, None, 0, None, 0, note))
        yield low + number, queue, file_no, row_in_file, email, fields
