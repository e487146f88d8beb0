"""Reading a spool beside its writer, from other processes: the report's and the command line's.

Each call is one short transaction: a long one would keep SQLite's log from being written home.
"""

from __future__ import annotations

from bulkmail.mail import AttemptRow, RecipientRow
from bulkmail.spool.campaigns import campaign_row, read_input_files
from bulkmail.spool.contract import Statements
from bulkmail.spool.holds import read_cancel_requests, read_holds
from bulkmail.spool.rows import CampaignRow, CancelRequest, Hold, SiteFact, id_range, recipient_id
from bulkmail.spool.sites import KNOWS_SITES, read_site_facts


class Reading:
    """What can be read of a store, with the same questions to each. Raises OwnFault when it cannot be read."""

    _db: Statements
    _version: int
    _knows_holds: int  # the version of a spool from which on it has the table

    def close(self) -> None:
        """Close the connection."""
        self._db.close()

    def campaigns(self) -> list[CampaignRow]:
        """Return all campaigns, oldest first."""
        with self._db.transaction("begin_reading"):
            return [campaign_row(row) for row in self._db.execute("campaigns").fetchall()]

    def campaign(self, name: str) -> CampaignRow | None:
        """Return the campaign called ``name``."""
        with self._db.transaction("begin_reading"):
            row = self._db.execute("campaign_by_name", (name,)).fetchone()
        return None if row is None else campaign_row(row)

    def input_files(self, campaign_id: int) -> list[tuple[int, str, list[str]]]:
        """Return its input files: (number from 0, name, columns)."""
        with self._db.transaction("begin_reading"):
            return read_input_files(self._db, campaign_id)

    def recipients(self, campaign_id: int, after_n: int, limit: int) -> list[RecipientRow]:
        """Return up to ``limit`` rows of the input behind row ``after_n``, in input order."""
        _, high = id_range(campaign_id)
        with self._db.transaction("begin_reading"):
            after = recipient_id(campaign_id, after_n)
            rows = self._db.execute("read_recipients", (after, high, limit)).fetchall()
        return list(map(RecipientRow._make, rows))

    def attempts(self, campaign_id: int, after_attempt_id: int, limit: int) -> list[AttemptRow]:
        """Return up to ``limit`` attempts behind the one with that id (0: all), oldest first."""
        low, high = id_range(campaign_id)
        with self._db.transaction("begin_reading"):
            rows = self._db.execute("read_attempts", (max(low, after_attempt_id), high, limit)).fetchall()
        return list(map(AttemptRow._make, rows))

    def totals(self, campaign_id: int) -> dict[tuple[str, str, str], int]:
        """Return ``{(provider, status, category): count}``; the counts sum to the rows read so far."""
        with self._db.transaction("begin_reading"):
            return {tuple(row[:3]): row[3] for row in self._db.execute("totals", (campaign_id,)).fetchall()}

    def domains(self, campaign_id: int, limit: int = 50) -> list[tuple[str, int, int, int]]:
        """Return the domains with the most settled rows: (domain, delivered, otherwise final, deferred)."""
        with self._db.transaction("begin_reading"):
            found: list[tuple[str, int, int, int]] = self._db.execute("domains", (campaign_id, limit)).fetchall()
        return found

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

    def site_facts(self, now: float) -> list[SiteFact]:
        """Return what is known of sites and has not expired at ``now``, the newest first."""
        if self._version < KNOWS_SITES:
            return []
        with self._db.transaction("begin_reading"):
            return read_site_facts(self._db, now)
