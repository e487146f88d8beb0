"""The whole store: campaigns, rows, claims, outcomes, and what a start makes of what the last run left claimed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bulkmail.failpoints import failpoint
from bulkmail.shaping import RetrySettings
from bulkmail.spool.database import MEMORY, Database, open_database, refused
from bulkmail.spool.journal import Journalled
from bulkmail.spool.rows import Held, Recovered, campaign_of, id_range
from bulkmail.spool.scrubbing import scrub
from bulkmail.spool.settling import Settling
from bulkmail.spool.sites import Sites

_BOOT = "boot"
_CHUNK = 10_000


class SqliteStore(Settling, Sites):
    """The durable state in one SQLite file, or in memory. One thread, one writer; every method a short transaction.

    Raises Refused when the file cannot be opened, OwnFault when it cannot be used later (nothing is changed then).
    """

    _db: Database

    def __init__(self, path: str = MEMORY) -> None:
        database = open_database(path)
        try:
            scrub(database, ended_only=False)
            super().__init__(database)
        except BaseException:
            database.close()
            raise

    def __repr__(self) -> str:
        return f"<SqliteStore {self._db.path} running={sorted(self._running)} claimed={len(self._held)}>"

    @property
    def database(self) -> Database:
        """For those who know the tables: the tests."""
        return self._db

    def remove_campaign(self, campaign_id: int, limit: int = _CHUNK) -> bool:
        """Take away about ``limit`` rows of a campaign; True when nothing of it is left. Call until it is.

        Raises ValueError while rows of it are claimed.
        """
        if any(campaign_of(identity) == campaign_id for identity in self._held):
            raise ValueError(f"campaign {campaign_id} is being sent; stop it first")
        low, high = id_range(campaign_id)
        self.set_state(campaign_id, "removing", 0.0)
        with self._db.transaction():
            self._db.execute("remove_claims", (campaign_id,))
            for query in ("remove_due", "remove_attempts", "remove_outcomes", "remove_recipients"):
                if self._db.execute(query, (low, high, limit)).rowcount == limit:
                    return False
            for query in ("remove_queues", "remove_totals", "remove_reading", "remove_snapshot", "drop_input_files"):
                self._db.execute(query, (campaign_id,))
            self._db.execute("remove_campaign", (campaign_id,))
        self._last_attempt.pop(campaign_id, None)
        return True

    def close(self) -> None:
        """Close the file. Rows still claimed are found by the next `recover`."""
        self._db.close()

    def recover(self, journalled: Journalled, boot: str, retry: RetrySettings, now: float) -> Recovered:
        """Settle or give back every row the last run left claimed; once, at the start, before the first claim.

        See `_settle_left`. A journal is trusted that is whole and of this boot: it is not synced, and what it held at a
        power cut may be gone. ``boot`` "" means unknown.
        """
        with self._db.transaction():
            before = self._db.execute("meta", (_BOOT,)).fetchone()
            same_boot = before is not None and before[0] == boot != ""
            trusted = same_boot and journalled.found and not journalled.damaged
            held = dict(self._left())
            self._check_not_behind(journalled, held)
            recovered = self._settle_left(held, journalled, trusted=trusted, retry=retry, now=now)
            self._db.execute("drop_claims")
            self._db.execute("set_meta", (_BOOT, boot))
            failpoint("mid-recovery")
        self._held.clear()
        self._open_claims.clear()
        self._left_claimed = False
        return recovered

    def _check_not_behind(self, journalled: Journalled, held: Mapping[int, Held]) -> None:
        """Refuse a file that has forgotten what its journal tells of.

        Only replies prove it: their rows are claimed, or settled with that attempt. A dot's row may have come back.
        """
        newest = self._db.execute("last_campaign").fetchone()[0]
        for identity, number in journalled.replies:
            if identity in held:
                behind = number > held[identity].attempts + 1
            else:
                known = self._db.execute("attempts_known", (identity,)).fetchone()
                behind = campaign_of(identity) > newest if known is None else number > known[0]
            if behind:
                raise refused(
                    self._db.path,
                    "knows less than its journal: it is an older copy, or its log (-wal) was taken away, and what was "
                    "sent since would be sent again; restore the newest copy, the whole directory together",
                )

    def _left(self) -> Iterator[tuple[int, Held]]:
        for identity, queue_id, claimed_at in self._db.execute("open_claimed").fetchall():
            yield identity, Held.new(0, queue_id, claimed_at)
        for identity, queue_id, *rest in self._db.execute("due_claimed").fetchall():
            yield identity, Held(0, queue_id, *rest)
