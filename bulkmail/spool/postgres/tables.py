"""The writes of a store as PostgreSQL does them: one array a column, rows by COPY; see `contract.Tables`.

PostgreSQL has no NUL in a text; where an address or a reply holds one, U+2400 (its symbol) is stored.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from bulkmail.spool.booking import Batch, DueLine, EventLine, OutcomeLine, earliest
from bulkmail.spool.campaigns import RUNNING
from bulkmail.spool.postgres.database import ROWS, STATES, PostgresDatabase
from bulkmail.spool.rows import ClaimState, SiteFact, id_range
from bulkmail.spool.scopes import Suppression


def clean(text: str) -> str:
    """Return the text as PostgreSQL takes it."""
    return text.replace("\0", "␀") if "\0" in text else text


class PostgresTables:
    """The tables of one database, which other machines write to as well."""

    keeps_keys = True
    sole_writer = False

    def __init__(self, database: PostgresDatabase) -> None:
        self._db = database

    def prepare_numbers(self, campaign_id: int) -> None:
        """Make the counter of a campaign's attempts. Twice is once."""
        self._db.execute("number_attempts", (campaign_id, id_range(campaign_id)[0]))

    def drop_numbers(self, campaign_id: int) -> None:
        """Remove the counter of its attempts."""
        self._db.execute("remove_attempt_number", (campaign_id,))

    def set_state(self, values: dict[str, Any]) -> None:
        """Write a campaign's state, for all machines. Raises OwnFault where others took over."""
        self._db.require_live()
        self._db.execute("set_state", {**values, "now": float(values["now"])})
        if values["state"] == RUNNING:
            self._db.execute("wake_queues", (values["id"],))
        self.tell_states()

    def tell_states(self) -> None:
        """Notify all machines that what may be sent has changed, once the transaction is committed."""
        self._db.notify(STATES)

    def tell_rows(self) -> None:
        """Notify all machines that rows can be claimed, once the transaction is committed."""
        self._db.notify(ROWS)

    def still_claimed(self, campaign_id: int) -> bool:
        """Return whether rows of the campaign are claimed, by any machine."""
        row = self._db.execute("still_claimed", (campaign_id, *id_range(campaign_id))).fetchone()
        return bool(row is None or row[0])

    @contextmanager
    def importing(self, campaign_id: int) -> Iterator[None]:
        """Keep claims of all machines out while rows are stored, and notify them. Raises OwnFault."""
        self._db.require_live()
        self.keep_claims_out(campaign_id)
        yield
        self.tell_rows()

    def queues(self, campaign_id: int, domains: Mapping[str, int], before: int) -> dict[str, int]:  # noqa: ARG002
        """Return the queue's id for each domain, made where there is none; a new queue's cursor begins at 0."""
        queues: dict[str, int] = {}
        dry: list[int] = []
        for domain, queue_id, has_new in self._db.execute("queues_of_domains", (campaign_id, list(domains))):
            queues[domain] = queue_id
            if domains[domain] and not has_new:
                dry.append(queue_id)
        if dry:
            self._db.execute("queues_have_new", (dry,))
        new = [(domain, has_new) for domain, has_new in domains.items() if domain not in queues]
        if new:
            queues.update(self._db.arrays("add_queues", new, campaign_id).fetchall())
        return queues

    def add_recipients(self, rows: Iterable[tuple[Any, ...]]) -> None:
        """Store rows of the input, one by one: the server stores the first while the next are being made."""
        self._db.copy("copy_recipients", ((*row[:4], clean(row[4]), clean(row[5])) for row in rows))

    def held_back(self, identities: Sequence[int]) -> dict[int, int]:
        """Return those rows that are still held back, each with its (negative) queue."""
        return dict(self._db.execute("held_back", (list(identities),)).fetchall())

    def set_outcomes(self, rows: Sequence[OutcomeLine]) -> None:
        """Write outcomes, each in place of the row's earlier one."""
        self._db.arrays(
            "set_outcomes", [row._replace(note=clean(row.note)) if "\0" in row.note else row for row in rows]
        )

    def set_due(self, rows: Sequence[DueLine]) -> None:
        """Let rows wait, and lower the earliest times of their queues."""
        self._db.arrays("set_due", rows)
        self._db.arrays("lower_next_at", sorted(earliest(rows).items()))

    def add_totals(self, rows: Sequence[tuple[int, str, str, str, int]]) -> None:
        """Add to the counts of this incarnation; readers sum over all."""
        self._db.arrays("add_totals", rows, self._db.epoch)

    def last_numbers(self, counts: Mapping[int, int]) -> dict[int, int]:
        """Reserve numbers for so many attempts; other settlements for these campaigns wait for our commit."""
        found: dict[int, int] = {}
        for campaign_id, count in sorted(counts.items()):
            row = self._db.execute("take_numbers", (count, campaign_id, count)).fetchone()
            if row is not None:
                found[campaign_id] = row[0]
        return found

    def write(self, batch: Batch) -> None:
        """Write what a batch has booked."""
        db = self._db
        attempts = [row._replace(reply=clean(row.reply)) if "\0" in row.reply else row for row in batch.attempts]
        db.arrays("add_attempts", attempts)
        self.set_outcomes(batch.outcomes)
        db.arrays("borrow_replies", batch.borrowed)
        self.set_due(batch.due)
        if batch.not_due:
            db.execute("drop_due", (batch.not_due,))
        self.add_totals([(*key, count) for key, count in batch.totals.items() if count])
        counted = [(*counts, queue) for queue, counts in sorted(batch.queues.items()) if any(counts)]
        db.arrays("count_queues", counted)
        db.many("add_possibly_doubled", [(count, campaign) for campaign, count in batch.doubled.items()])

    def drop_claims(self, claim_ids: Sequence[int]) -> None:
        """Remove claims all rows of which are settled."""
        if claim_ids:
            self._db.execute("drop_claims", (list(claim_ids),))

    def keep_claims_out(self, campaign_id: int) -> None:
        """Let no machine claim rows of the campaign until the transaction ends."""
        self._db.execute("no_claims_meanwhile", (campaign_id,))

    def take_new(self, campaign_id: int, limit: int) -> dict[int, ClaimState]:
        """Move the cursors past up to ``limit`` new rows; return these."""
        taken: dict[int, ClaimState] = {}
        found = [row[0] for row in self._db.execute("campaign_backlog", (campaign_id, limit))]
        moves: list[tuple[int, int, int]] = []
        for queue_id, _, cursor, _, _ in self._db.execute("lock_queues", (found, [campaign_id])).fetchall():
            left = limit - len(taken)
            if left <= 0:
                break
            rows = self._db.arrays("new_rows", [(queue_id, cursor, left)]).fetchall()
            taken |= {row[0]: ClaimState.new(0, queue_id, 0.0) for row in rows[:left]}
            moves.append((queue_id, rows[:left][-1][0] if rows else cursor, int(len(rows) > left)))
        self._db.arrays("move_cursors", moves)
        return taken

    def set_next_at(self, queue_ids: Sequence[int]) -> None:
        """Compute anew when the first waiting row of these queues is due."""
        self._db.execute("set_next_at", (list(queue_ids),))

    def add_events(self, rows: Sequence[EventLine]) -> None:
        """Store events, each with the next number; they are stored in the order of ``rows``."""
        self._db.arrays("add_events", [row._replace(note=clean(row.note)) for row in rows])

    def add_suppressions(self, rows: Sequence[tuple[int, Suppression]]) -> int:
        """Store entries that are not there yet; return how many. In one order, or two machines wait for each other."""
        values = sorted((number, *entry[1:3], clean(entry.source), entry.at, entry.address) for number, entry in rows)
        added: int = self._db.arrays("add_suppressions", values).rowcount if values else 0
        return added

    def add_gone(self, rows: Sequence[tuple[int, int]]) -> None:
        """Store (recipient_id, hash) of rows that are removed."""
        self._db.arrays("add_gone", rows)

    def write_facts(self, facts: Iterable[SiteFact], forgotten: Iterable[tuple[str, str]]) -> None:
        """Write facts of sites, and remove the ``forgotten``."""
        newest = {(fact.site, fact.fact): fact for fact in facts}
        self._db.arrays("remember_facts", list(newest.values()))
        self._db.arrays("forget_facts", list(forgotten))
