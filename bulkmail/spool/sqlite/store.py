"""The whole store in SQLite: one file with one writer, and what a start makes of the claims the last run left."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping

from bulkmail.failpoints import failpoint
from bulkmail.mail import OwnFault
from bulkmail.shaping import RetrySettings
from bulkmail.spool.booking import Booking
from bulkmail.spool.budgets import Budgets
from bulkmail.spool.campaigns import Campaigns
from bulkmail.spool.clicks import Clicks
from bulkmail.spool.contract import refused
from bulkmail.spool.holds import Holds
from bulkmail.spool.intake import Intake
from bulkmail.spool.journal import Journalled
from bulkmail.spool.late import LateEvents
from bulkmail.spool.rows import ClaimState, Recovered, campaign_of
from bulkmail.spool.scrubbing import scrub
from bulkmail.spool.settling import Settling
from bulkmail.spool.signs import Signs
from bulkmail.spool.sites import Sites
from bulkmail.spool.sqlite.claims import SqliteClaims
from bulkmail.spool.sqlite.database import MEMORY, Database, open_database
from bulkmail.spool.sqlite.tables import SqliteTables

_BOOT = "boot"


class SqliteStore(SqliteClaims, Budgets, Campaigns, Clicks, Holds, Intake, LateEvents, Settling, Sites, Signs):
    """The durable state in one SQLite file, or in memory; see `contract.Store`. For one thread, the only writer.

    Raises Refused when the file cannot be opened.
    """

    _db: Database

    def __init__(self, path: str = MEMORY) -> None:
        database = open_database(path)
        try:
            scrub(database, ended_only=False, rewrite=lambda: _rewrite(database))
            self._db = database
            self._booking = Booking()
            self._tables = SqliteTables(database, self._booking)
            with database.transaction("begin_reading"):
                self._left_claimed = bool(database.execute("left_claimed").fetchone()[0])
            self._look()
        except BaseException:
            database.close()
            raise

    def __repr__(self) -> str:
        return f"<SqliteStore {self._db.path} claimed={self.claimed}>"

    @property
    def database(self) -> Database:
        """The file, for tests that look at its tables."""
        return self._db

    @property
    def booking(self) -> Booking:
        """What is claimed, for tests that compare it with the tables."""
        return self._booking

    def close(self) -> None:
        """Close the file. Rows still claimed are found by the next `recover`."""
        self._db.close()

    def recover(self, journalled: Journalled, boot: str, retry: RetrySettings, now: float) -> Recovered:
        """Settle or give back every row that the last run left claimed; see `contract.Store.recover`."""
        with self._db.transaction():
            before = self._db.execute("meta", (_BOOT,)).fetchone()
            same_boot = before is not None and before[0] == boot != ""
            trusted = same_boot and journalled.found and not journalled.damaged
            left = dict(self._left())
            self._check_not_behind(journalled, left)
            recovered = self.settle_left(left, journalled, trusted=trusted, retry=retry, now=now)
            self._db.execute("drop_claims")
            self._db.execute("set_meta", (_BOOT, boot))
            failpoint("mid-recovery")
        self._booking.clear()
        self._left_claimed = False
        return recovered

    def _check_not_behind(self, journalled: Journalled, left: Mapping[int, ClaimState]) -> None:
        """Raise Refused for a file that knows less than its journal.

        Only replies prove it: their rows are claimed, or settled with that attempt. A dot's row may have come back.
        """
        newest = self._db.execute("last_campaign").fetchone()[0]
        for identity, number in journalled.replies:
            if identity in left:
                behind = number > left[identity].attempts + 1
            else:
                known = self._db.execute("attempts_known", (identity,)).fetchone()
                behind = campaign_of(identity) > newest if known is None else number > known[0]
            if behind:
                raise refused(
                    self._db.path,
                    "knows less than its journal: it is an older copy, or its log (-wal) was taken away, and what was "
                    "sent since would be sent again; restore the newest copy, the whole directory together",
                )

    def _left(self) -> Iterator[tuple[int, ClaimState]]:
        for identity, queue_id, claimed_at in self._db.execute("open_claimed").fetchall():
            yield identity, ClaimState.new(0, queue_id, claimed_at)
        for identity, queue_id, *rest in self._db.execute("due_claimed").fetchall():
            yield identity, ClaimState(0, queue_id, *rest)


def _rewrite(database: Database) -> None:
    """Rewrite the file, so that its free pages hold nothing of what was deleted. Raises OwnFault."""
    try:
        database.execute("vacuum")
        database.execute("checkpoint").fetchall()
    except sqlite3.Error as error:
        raise OwnFault(f"the spool {database.path} could not be rewritten without old keys ({error})") from error
