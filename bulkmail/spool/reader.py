"""Reading the spool beside its writer: from other processes (the report's, the command line's), never in the way.

The connection cannot write, so it cannot checkpoint either (SQLite before 3.51.3 may damage a file that two do). Each
call is one short transaction: a long one would keep the log from being written home.
"""

from __future__ import annotations

import json
import os
import sqlite3
from typing import TYPE_CHECKING
from urllib.parse import quote

from bulkmail.mail import AttemptRow, RecipientRow
from bulkmail.spool.campaigns import campaign_row
from bulkmail.spool.database import DATABASE, Database, Statements, check_version, refused
from bulkmail.spool.queries import SQL
from bulkmail.spool.rows import CampaignRow, id_range, recipient_id
from bulkmail.spool.shared import is_shared, postgres
from bulkmail.spool.sites import KNOWS_SITES, SiteFact, read_site_facts

if TYPE_CHECKING:
    from bulkmail.spool.pg_reader import PgReader


class Reading:
    """What can be read of any store, with the same questions to each."""

    _db: Statements
    _version: int

    def close(self) -> None:
        """Close the connection."""
        self._db.close()

    def campaigns(self) -> list[CampaignRow]:
        """All campaigns, oldest first."""
        with self._db.transaction("begin_reading"):
            return [campaign_row(row) for row in self._db.execute("campaigns").fetchall()]

    def campaign(self, name: str) -> CampaignRow | None:
        """The campaign called ``name``."""
        with self._db.transaction("begin_reading"):
            row = self._db.execute("campaign_by_name", (name,)).fetchone()
        return None if row is None else campaign_row(row)

    def input_files(self, campaign_id: int) -> list[tuple[int, str, list[str]]]:
        """Its input files: (number from 0, name, columns)."""
        with self._db.transaction("begin_reading"):
            rows = self._db.execute("input_files", (campaign_id,)).fetchall()
        return [(no, name, json.loads(columns)) for no, name, columns in rows]

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
        """``{(provider, status, category): count}``; the counts sum to the rows read so far."""
        with self._db.transaction("begin_reading"):
            return {tuple(row[:3]): row[3] for row in self._db.execute("totals", (campaign_id,)).fetchall()}

    def domains(self, campaign_id: int, limit: int = 50) -> list[tuple[str, int, int, int]]:
        """The domains with the most settled rows: (domain, delivered, otherwise final, deferred)."""
        with self._db.transaction("begin_reading"):
            found: list[tuple[str, int, int, int]] = self._db.execute("domains", (campaign_id, limit)).fetchall()
        return found

    def site_facts(self, now: float) -> list[SiteFact]:
        """What is remembered of sites and has not expired at ``now``, the newest first."""
        if self._version < KNOWS_SITES:
            return []
        with self._db.transaction("begin_reading"):
            return read_site_facts(self._db, now)


class Reader(Reading):
    """What the store holds, for those who only read. ``path`` is the spool's directory or its database file.

    Raises Refused when there is no spool to read, OwnFault when it cannot be read later.
    """

    def __init__(self, path: str) -> None:
        file = os.path.join(path, DATABASE) if os.path.isdir(path) else path
        if not os.path.exists(file):
            raise refused(file, "is not there; nothing was ever sent from this spool")
        try:
            connection = sqlite3.connect(
                f"file:{quote(os.path.abspath(file))}?mode=ro", uri=True, isolation_level=None, cached_statements=64
            )
            try:
                self._version = check_version(connection, file)
                connection.execute(SQL["query_only"])
            except BaseException:
                connection.close()
                raise
        except sqlite3.Error as error:
            words = "; is its disk read-only, or does it belong to somebody else?"  # SQLite's log needs to be written
            raise refused(file, f"cannot be read ({error}){words}") from error
        self._connection = connection
        self._db = Database(connection, file)

    def close(self) -> None:
        """Close the file, leaving it to its writer to tidy up."""
        self._connection.close()


def open_reader(spool: str) -> Reader | PgReader:
    """A reader of the spool in a directory, or at a ``postgresql://`` address. Raises Refused."""
    if not is_shared(spool):
        return Reader(spool)
    return postgres("pg_reader").PgReader(spool)  # type: ignore[no-any-return]
