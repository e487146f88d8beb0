"""Reading a spool beside its writer, from other processes: the report's and the command line's.

Each call is one short transaction: a long one would keep SQLite's log from being written home.
"""

from __future__ import annotations

from typing import Any

from bulkmail.mail import (
    AttemptRow,
    RecipientRow,
)
from bulkmail.shaping import WarmupDay
from bulkmail.spool.attempts import AttemptReading
from bulkmail.spool.budgets import read_budgets
from bulkmail.spool.by_domain import DomainReading
from bulkmail.spool.by_status import StatusReading
from bulkmail.spool.campaigns import campaign_row, read_input_files
from bulkmail.spool.contract import Statements
from bulkmail.spool.events import EventReading
from bulkmail.spool.finding import FindingReading
from bulkmail.spool.holds import read_cancel_requests, read_holds
from bulkmail.spool.rows import (
    CampaignRow,
    CancelRequest,
    DomainRows,
    Hold,
    Sign,
    SiteFact,
    id_range,
    recipient_id,
)
from bulkmail.spool.signs import read_signs
from bulkmail.spool.sites import KNOWS_SITES, read_facts_about, read_site_facts
from bulkmail.spool.standing import StandingReading
from bulkmail.spool.stored import restore
from bulkmail.spool.suppressions import SuppressionReading


class Reading(
    SuppressionReading,
    AttemptReading,
    EventReading,
    StatusReading,
    DomainReading,
    FindingReading,
    StandingReading,
):
    """What can be read of a store, with the same questions to each. Raises OwnFault when it cannot be read."""

    _db: Statements
    _version: int
    _knows_holds: int  # the version of a spool from which on it has the table
    _knows_late_from: int  # the same: of what came back
    _knows_policies: int  # the same: of what TLS an attempt asked for
    _knows_lists: int  # the same: of suppressions, and of the lists of campaigns

    @property
    def _knows_late(self) -> bool:
        return self._version >= self._knows_late_from

    @property
    def _found_recipient(self) -> str:
        if self._version >= self._knows_policies:
            return "found_recipient"
        return "found_recipient_before_policies" if self._knows_late else "found_recipient_before_late"

    @property
    def _read_recipients(self) -> str:
        if self._version >= self._knows_policies:
            return "read_recipients"
        return "read_recipients_before_policies" if self._knows_late else "read_recipients_before_late"

    @property
    def _knows_suppressions(self) -> bool:
        return self._version >= self._knows_lists

    def close(self) -> None:
        """Close the connection."""
        self._db.close()

    def campaign(self, name: str) -> CampaignRow | None:
        """Return the campaign called ``name``."""
        query = "campaign_by_name" if self._knows_suppressions else "campaign_by_name_before_lists"
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
            rows = self._db.execute(self._read_recipients, (after, high, limit)).fetchall()
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

    def domains(self, campaign_id: int, limit: int = 50) -> list[tuple[str, int, int, int]]:
        """Return the domains with the most settled rows: (domain, delivered, otherwise final, deferred)."""
        with self._db.transaction("begin_reading"):
            found: list[tuple[str, int, int, int]] = self._db.execute("domains", (campaign_id, limit)).fetchall()
        return found

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

    def facts_about(self, of: str, now: float) -> list[SiteFact]:
        """Return what is known of a host, site or ``provider NAME`` and has not expired at ``now``, the newest first.

        ``of``: a key; those that have the name of a source or of a policy behind it are meant as well.
        """
        if self._version < KNOWS_SITES:
            return []
        with self._db.transaction("begin_reading"):
            return read_facts_about(self._db, of, now)
