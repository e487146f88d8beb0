"""What sites have taught us, kept for the next process. Losing it costs a lesson, never a message."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import NamedTuple

from bulkmail.spool.database import DATABASE, Statements, open_database, refused
from bulkmail.spool.place import Lock
from bulkmail.spool.shared import is_shared, postgres

_MOST = 100_000
KNOWS_SITES = 2  # the version of a spool from which on it has the table


class SiteFact(NamedTuple):
    """One row: times are epoch seconds; it is not to be believed from ``expires_at`` on."""

    site: str
    fact: str
    value: float
    learned_at: float
    expires_at: float


class Sites:
    """The part of the store that knows sites. Every method is one short transaction."""

    _db: Statements

    def site_facts(self, now: float) -> list[SiteFact]:
        """All that has not expired, the newest first; the expired is dropped."""
        with self._db.transaction():
            self._db.execute("drop_expired_facts", (now,))
            return read_site_facts(self._db, now)

    def remember(self, facts: Iterable[SiteFact], forgotten: Iterable[tuple[str, str]] = ()) -> None:
        """Write facts, each in place of an earlier one, and take away the ``forgotten`` (site, fact)."""
        with self._db.transaction():
            self._db.many("remember_fact", facts)
            self._db.many("forget_fact", forgotten)


def read_site_facts(database: Statements, now: float) -> list[SiteFact]:
    """All facts that have not expired, the newest first; inside of a transaction."""
    return [SiteFact(*row) for row in database.execute("site_facts", (now, _MOST)).fetchall()]


def forget_sites(directory: str, site: str | None) -> int:
    """Forget what is known of one site (its key, or its first host), or of all; how many facts that were.

    Raises Refused while a process has a folder's spool in use, for that one would write them down again. The machines
    of a shared spool hear of it.
    """
    if is_shared(directory):
        count: int = postgres("pg_store").forget_sites(directory, site)
        return count
    path = os.path.join(directory, DATABASE)
    if not os.path.exists(path):
        raise refused(path, "is not there; nothing was ever sent from this spool")
    lock = Lock(directory)
    try:
        database = open_database(path)
        try:
            with database.transaction():
                if site is None:
                    return database.execute("forget_sites").rowcount
                return database.execute("forget_site", (site,)).rowcount
        finally:
            database.close()
    finally:
        lock.release()
