"""The writes of a store as SQLite does them: statement by statement; see `contract.Tables`.

The file has one writer, so what other processes might do meanwhile is no question here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from bulkmail.spool.booking import Batch, Booking, DueLine, EventLine, OutcomeLine, earliest
from bulkmail.spool.rows import ClaimState, SiteFact, campaign_of, id_range
from bulkmail.spool.scopes import Suppression
from bulkmail.spool.sqlite.database import Database


class SqliteTables:
    """The tables of one file. ``booking`` tells what this process, the only writer, has claimed and numbered."""

    keeps_keys = False
    sole_writer = True

    def __init__(self, database: Database, booking: Booking) -> None:
        self._db = database
        self._booking = booking

    def prepare_numbers(self, campaign_id: int) -> None:
        """Do nothing: an attempt's number follows on the last one stored."""

    def drop_numbers(self, campaign_id: int) -> None:
        """Forget the last number given."""
        self._booking.last_attempt.pop(campaign_id, None)

    def set_state(self, values: dict[str, Any]) -> None:
        """Write a campaign's state."""
        self._db.execute("set_state", values)

    def tell_states(self) -> None:
        """Do nothing: there is one process."""

    def tell_rows(self) -> None:
        """Do nothing: there is one process."""

    def still_claimed(self, campaign_id: int) -> bool:
        """Return whether rows of the campaign are claimed."""
        return any(campaign_of(identity) == campaign_id for identity in self._booking.claimed)

    def importing(self, campaign_id: int) -> AbstractContextManager[None]:  # noqa: ARG002
        """Do nothing: there is one writer."""
        return nullcontext()

    def queues(self, campaign_id: int, domains: Mapping[str, int], before: int) -> dict[str, int]:
        """Return the queue's id for each domain, made where there is none."""
        queues: dict[str, int] = {}
        dry: list[tuple[int]] = []
        found = self._db.execute("queues_of_domains", (campaign_id, json.dumps(list(domains)))).fetchall()
        for domain, queue_id, has_new in found:
            queues[domain] = queue_id
            if domains[domain] and not has_new:
                dry.append((queue_id,))
        self._db.many("queue_has_new", dry)
        for domain, has_new in domains.items():
            if domain not in queues:
                queue_id = self._db.execute("add_queue", (campaign_id, domain, has_new, before)).lastrowid
                assert queue_id is not None
                queues[domain] = queue_id
        return queues

    def add_recipients(self, rows: Iterable[tuple[Any, ...]]) -> None:
        """Store rows of the input."""
        self._db.many("add_recipient", rows)

    def held_back(self, identities: Sequence[int]) -> dict[int, int]:
        """Return those rows that are still held back, each with its (negative) queue."""
        found: dict[int, int] = {}
        for identity in identities:
            row = self._db.execute("held_back", (identity,)).fetchone()
            if row is not None:
                found[identity] = row[1]
        return found

    def set_outcomes(self, rows: Sequence[OutcomeLine]) -> None:
        """Write outcomes, each in place of the row's earlier one."""
        self._db.many("set_outcome", rows)

    def set_due(self, rows: Sequence[DueLine]) -> None:
        """Let rows wait, and lower the earliest times of their queues."""
        self._db.many("set_due", rows)
        self._db.many("lower_next_at", [(at, queue) for queue, at in earliest(rows).items()])

    def add_totals(self, rows: Sequence[tuple[int, str, str, str, int]]) -> None:
        """Add to the counts."""
        self._db.many("add_total", rows)

    def last_numbers(self, counts: Mapping[int, int]) -> dict[int, int]:
        """Return campaign -> the last number given; from the table where this process has given none yet."""
        known = self._booking.last_attempt
        return {campaign_id: known.get(campaign_id) or self._last_number(campaign_id) for campaign_id in counts}

    def write(self, batch: Batch) -> None:
        """Write what a batch has booked."""
        db = self._db
        batch.outcomes.sort()  # neighbours share a page; the ids differ, so nothing behind them is compared
        db.many("add_attempt", batch.attempts)
        self.set_outcomes(batch.outcomes)
        db.many("borrow_reply", batch.borrowed)
        self.set_due(batch.due)
        db.many("drop_due", [(identity,) for identity in batch.not_due])
        self.add_totals([(*key, count) for key, count in batch.totals.items() if count])
        db.many("count_queue", [(*counts, queue) for queue, counts in batch.queues.items() if any(counts)])
        db.many("add_possibly_doubled", [(count, campaign) for campaign, count in batch.doubled.items()])

    def drop_claims(self, claim_ids: Sequence[int]) -> None:
        """Remove claims all rows of which are settled."""
        self._db.many("drop_claim", [(claim,) for claim in claim_ids])

    def keep_claims_out(self, campaign_id: int) -> None:
        """Do nothing: there is one writer."""

    def take_new(self, campaign_id: int, limit: int) -> dict[int, ClaimState]:
        """Move the cursors past up to ``limit`` new rows; return these."""
        taken: dict[int, ClaimState] = {}
        for queue_id, _, _ in self._db.execute("backlog", (campaign_id, 0, limit)).fetchall():
            left = limit - len(taken)
            if left <= 0:
                break
            cursor = self._db.execute("cursor", (queue_id,)).fetchone()[0]
            rows = new_rows(self._db, campaign_id, queue_id, cursor, left + 1)
            taken |= {row[0]: ClaimState.new(0, queue_id, 0.0) for row in rows[:left]}
            upto = rows[:left][-1][0] if rows else cursor
            self._db.execute("move_cursor", (upto, int(len(rows) > left), queue_id))
        return taken

    def set_next_at(self, queue_ids: Sequence[int]) -> None:
        """Compute anew when the first waiting row of these queues is due."""
        self._db.many("set_next_at", [(queue_id,) for queue_id in queue_ids])

    def add_events(self, rows: Sequence[EventLine]) -> None:
        """Store events, each with the next number."""
        self._db.many("add_event", rows)

    def add_suppressions(self, rows: Sequence[tuple[int, Suppression]]) -> int:
        """Store entries that are not there yet; return how many."""
        before = self._db.connection.total_changes
        self._db.many("add_suppression", sorted((number, *entry[1:5], entry.address) for number, entry in rows))
        return self._db.connection.total_changes - before

    def add_gone(self, rows: Sequence[tuple[int, int]]) -> None:
        """Store (recipient_id, hash) of rows that are removed."""
        self._db.many("add_gone", rows)

    def write_facts(self, facts: Iterable[SiteFact], forgotten: Iterable[tuple[str, str]]) -> None:
        """Write facts of sites, and remove the ``forgotten``."""
        self._db.many("remember_fact", facts)
        self._db.many("forget_fact", forgotten)

    def _last_number(self, campaign_id: int) -> int:
        low, high = id_range(campaign_id)
        last: int = self._db.execute("last_attempt", (low, high)).fetchone()[0] or low
        return last


def new_rows(
    database: Database, campaign_id: int, queue_id: int, cursor: int, limit: int
) -> list[tuple[int, str, str, int]]:
    """Return up to ``limit`` rows of a queue behind its cursor, in input order: (id, email, fields, file_no)."""
    low, high = id_range(campaign_id)
    found: list[tuple[int, str, str, int]]
    found = database.execute("new_rows", (max(low, cursor), high, queue_id, limit)).fetchall()
    return found
