"""Reading a spool beside its writer, from other processes: the report's and the command line's.

Each call is one short transaction: a long one would keep SQLite's log from being written home.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from bulkmail.mail import (
    Address,
    AddressError,
    AttemptRow,
    ClickCount,
    RecipientRow,
    address_in,
    parse_address,
)
from bulkmail.shaping import WarmupDay
from bulkmail.spool.arrivals import LateCounts, read_clicks, read_late_counts
from bulkmail.spool.attempts import AttemptReading
from bulkmail.spool.budgets import read_budgets
from bulkmail.spool.by_status import StatusReading
from bulkmail.spool.campaigns import campaign_row, read_input_files, read_plan
from bulkmail.spool.contract import Statements
from bulkmail.spool.events import EventReading
from bulkmail.spool.holds import read_cancel_requests, read_holds
from bulkmail.spool.rows import (
    CampaignRow,
    CancelRequest,
    DomainRows,
    Hold,
    Outlook,
    Sign,
    SiteFact,
    StoredPlan,
    id_range,
    recipient_id,
)
from bulkmail.spool.signs import read_signs
from bulkmail.spool.sites import KNOWS_SITES, read_site_facts
from bulkmail.spool.stored import restore
from bulkmail.spool.suppressions import SuppressionReading


def _like(text: str) -> str:
    """Return LIKE's pattern for what has ``text`` in it; of all where a database does not know its capitals."""
    if not text.isascii():
        return "%"
    escaped = "".join(f"\\{one}" if one in "\\%_" else one for one in text)
    return f"%{escaped}%"


def _same(email: str, address: str, wanted: Address | None) -> bool:
    """Return whether a cell holds the address that is looked for; also between < and >, in a row that is invalid."""
    if email.strip().lower() == address.strip().lower():
        return True
    if wanted is None:
        return False
    try:
        return f"<{wanted.key}>" in email.lower() or address_in(email).key == wanted.key
    except AddressError:
        return False


class Reading(SuppressionReading, AttemptReading, EventReading, StatusReading):
    """What can be read of a store, with the same questions to each. Raises OwnFault when it cannot be read."""

    _db: Statements
    _version: int
    _knows_holds: int  # the version of a spool from which on it has the table
    _knows_late_from: int  # the same: of what came back
    _knows_clicks: int  # the same: of clicks
    _knows_lists: int  # the same: of suppressions, and of the lists of campaigns

    @property
    def _knows_late(self) -> bool:
        return self._version >= self._knows_late_from

    @property
    def _knows_suppressions(self) -> bool:
        return self._version >= self._knows_lists

    def close(self) -> None:
        """Close the connection."""
        self._db.close()

    def campaigns(self) -> list[CampaignRow]:
        """Return all campaigns, oldest first."""
        query = "campaigns" if self._knows_suppressions else "campaigns_without_list"
        with self._db.transaction("begin_reading"):
            return [campaign_row(row) for row in self._db.execute(query).fetchall()]

    def campaign(self, name: str) -> CampaignRow | None:
        """Return the campaign called ``name``."""
        query = "campaign_by_name" if self._knows_suppressions else "campaign_without_list"
        with self._db.transaction("begin_reading"):
            row = self._db.execute(query, (name,)).fetchone()
        return None if row is None else campaign_row(row)

    def input_files(self, campaign_id: int) -> list[tuple[int, str, list[str]]]:
        """Return its input files: (number from 0, name, columns)."""
        with self._db.transaction("begin_reading"):
            return read_input_files(self._db, campaign_id)

    def import_state(self, campaign_id: int) -> Any:
        """Return where reading its input stands; see `contract.CampaignStore.import_state`."""
        with self._db.transaction("begin_reading"):
            row = self._db.execute("reading", (campaign_id,)).fetchone()
        return None if row is None else restore(row[0])

    def recipients(self, campaign_id: int, after_n: int, limit: int) -> list[RecipientRow]:
        """Return up to ``limit`` rows of the input behind row ``after_n``, in input order."""
        _, high = id_range(campaign_id)
        with self._db.transaction("begin_reading"):
            after = recipient_id(campaign_id, after_n)
            query = "read_recipients" if self._knows_late else "read_recipients_before_late"
            rows = self._db.execute(query, (after, high, limit)).fetchall()
        return list(map(RecipientRow._make, rows))

    def attempts(self, campaign_id: int, after_attempt_id: int, limit: int) -> list[AttemptRow]:
        """Return up to ``limit`` attempts behind the one with that id (0: all), oldest first."""
        low, high = id_range(campaign_id)
        with self._db.transaction("begin_reading"):
            rows = self._db.execute("read_attempts", (max(low, after_attempt_id), high, limit)).fetchall()
        return list(map(AttemptRow._make, rows))

    def received(self, campaign_id: int, after_n: int, limit: int) -> list[tuple[int, str]]:
        """Return up to ``limit`` rows behind row ``after_n`` that got the message, or may have: (row, email).

        In input order, the email as it is written.
        """
        _, high = id_range(campaign_id)
        with self._db.transaction("begin_reading"):
            values = (recipient_id(campaign_id, after_n), high, limit)
            found: list[tuple[int, str]] = self._db.execute("read_received", values).fetchall()
        return found

    def totals(self, campaign_id: int) -> dict[tuple[str, str, str], int]:
        """Return ``{(provider, status, category): count}``; the counts sum to the rows read so far."""
        with self._db.transaction("begin_reading"):
            return {tuple(row[:3]): row[3] for row in self._db.execute("totals", (campaign_id,)).fetchall()}

    def late_counts(self, campaign_id: int) -> LateCounts:
        """Return what has come back of a campaign."""
        if not self._knows_late:
            return LateCounts()
        with self._db.transaction("begin_reading"):
            return read_late_counts(self._db, campaign_id)

    def clicks(self, campaign_id: int) -> list[ClickCount]:
        """Return how often the links of a campaign were followed; see `arrivals.ClickStore.clicks`."""
        if self._version < self._knows_clicks:
            return []
        with self._db.transaction("begin_reading"):
            return read_clicks(self._db, campaign_id)

    def domains(self, campaign_id: int, limit: int = 50) -> list[tuple[str, int, int, int]]:
        """Return the domains with the most settled rows: (domain, delivered, otherwise final, deferred)."""
        with self._db.transaction("begin_reading"):
            found: list[tuple[str, int, int, int]] = self._db.execute("domains", (campaign_id, limit)).fetchall()
        return found

    def plan(self, campaign_id: int) -> StoredPlan | None:
        """Return what was planned of a campaign, None where nothing was."""
        with self._db.transaction("begin_reading"):
            return read_plan(self._db, campaign_id)

    def rows_by_domain(self, campaign_id: int, limit: int) -> tuple[list[DomainRows], int]:
        """Return the domains of a campaign's list with the most rows, these first, and how many domains it has.

        Rows that are never sent are not counted, nor those that may be duplicates still.
        """
        low, high = id_range(campaign_id)
        with self._db.transaction("begin_reading"):
            values = {"campaign": campaign_id, "low": low, "high": high, "limit": limit}
            rows = self._db.execute("rows_by_domain", values).fetchall()
            count: int = self._db.execute("count_domains", (campaign_id,)).fetchone()[0]
        return [DomainRows(*row) for row in rows], count

    def holds(self) -> list[Hold]:
        """Return the holds of all campaigns, by campaign, provider and kind."""
        if self._version < self._knows_holds:
            return []
        with self._db.transaction("begin_reading"):
            return read_holds(self._db)

    def cancel_requests(self) -> list[CancelRequest]:
        """Return who asked for the end of campaigns, also of those that were cancelled."""
        if self._version < self._knows_holds:
            return []
        with self._db.transaction("begin_reading"):
            return read_cancel_requests(self._db)

    def whole_reports(self) -> set[int]:
        """Return the campaigns that have ended, and whose last report was written to its end."""
        if self._version < self._knows_holds:
            return {row.id for row in self.campaigns()}
        with self._db.transaction("begin_reading"):
            return {row[0] for row in self._db.execute("whole_reports").fetchall()}

    def find(
        self, address: str, progress: Callable[[], object] = lambda: None
    ) -> Iterator[tuple[int, RecipientRow, float | None]]:
        """Yield every row with this address: its campaign's id, the row, and when it is due again if it waits.

        What is read for it is the queue of its domain in each campaign, and the rows that are never sent. An address
        that mail cannot be sent to is looked for as it is written. ``progress()`` is called after each campaign. Raises
        OwnFault.
        """
        try:
            wanted = parse_address(address)
        except AddressError:
            wanted = None
        like = _like(address.strip() if wanted is None else wanted.local)
        query = "found_recipient" if self._knows_late else "found_recipient_before_late"
        for row in self.campaigns():
            low, high = id_range(row.id)
            limits = {"low": low, "high": high, "text": like}
            found: list[tuple[int, str]] = []
            with self._db.transaction("begin_reading"):
                if wanted is not None:
                    for (queue,) in self._db.execute("queue_of_domain", (row.id, wanted.domain)).fetchall():
                        found += self._db.execute("found_in_queue", {**limits, "queue": queue}).fetchall()
                found += self._db.execute("found_unsent", limits).fetchall()
            for identity, email in sorted(found):
                if _same(email, address, wanted):
                    with self._db.transaction("begin_reading"):
                        *known, due = self._db.execute(query, (identity,)).fetchone()
                    yield row.id, RecipientRow._make(known), due
            progress()

    def outlook(self, campaign_id: int) -> Outlook:
        """Return what is left to send of a campaign."""
        with self._db.transaction("begin_reading"):
            new_rows = self._db.execute("new_rows_left", (campaign_id,)).fetchone()[0]
            next_due = self._db.execute("next_due", (campaign_id,)).fetchone()
        return Outlook(bool(new_rows), None if next_due is None else next_due[0])

    def signs(self) -> list[Sign]:
        """Return the last sign of life of each machine that has used the spool, and whether it is alive."""
        with self._db.transaction("begin_reading"):
            return read_signs(self._db)

    def warmup_days(self) -> dict[tuple[str, str], WarmupDay]:
        """Return where each source that warms up was last at each provider: {(source, provider): day}."""
        with self._db.transaction("begin_reading"):
            return read_budgets(self._db)

    def site_facts(self, now: float) -> list[SiteFact]:
        """Return what is known of sites and has not expired at ``now``, the newest first."""
        if self._version < KNOWS_SITES:
            return []
        with self._db.transaction("begin_reading"):
            return read_site_facts(self._db, now)
