"""What sites have taught us and receivers publish, kept for the next process. Losing it costs no message."""

from __future__ import annotations

from collections.abc import Iterable

from bulkmail.spool.contract import Statements, Tables
from bulkmail.spool.rows import ReceiverPolicy, SiteFact

_MOST = 100_000
_MOST_POLICIES = 20_000
_MOST_ABOUT = 1000
KNOWS_SITES = 2  # the version of a spool from which on it has the table


class Sites:
    """The part of a store that knows sites, the same in every database; see `contract.SiteStore`."""

    _db: Statements
    _tables: Tables

    def site_facts(self, now: float) -> list[SiteFact]:
        """Return all facts that have not expired, the newest first; the expired are dropped."""
        with self._db.transaction():
            self._db.execute("drop_expired_facts", (now,))
            return read_site_facts(self._db, now)

    def remember(self, facts: Iterable[SiteFact], forgotten: Iterable[tuple[str, str]] = ()) -> None:
        """Write facts, each in place of an earlier one, and remove the ``forgotten`` (site, fact)."""
        with self._db.transaction():
            self._tables.write_facts(facts, forgotten)

    def policies(self, now: float) -> list[ReceiverPolicy]:
        """Return the receivers' policies that have not expired, the newest first; the expired are dropped."""
        with self._db.transaction():
            self._db.execute("drop_expired_policies", (now,))
            return [ReceiverPolicy(*row) for row in self._db.execute("policies", (now, _MOST_POLICIES)).fetchall()]

    def keep_policies(self, policies: Iterable[ReceiverPolicy]) -> None:
        """Write the policies of receivers, each in place of an earlier one."""
        with self._db.transaction():
            # in one order on all machines: two never wait for each other
            self._db.many("keep_policy", sorted(policies))


def read_site_facts(database: Statements, now: float) -> list[SiteFact]:
    """Within a transaction: return all facts that have not expired, the newest first."""
    return [SiteFact(*row) for row in database.execute("site_facts", (now, _MOST)).fetchall()]


def read_facts_about(database: Statements, of: str, now: float) -> list[SiteFact]:
    """Within a transaction: return the facts of a key without its policy and source, the newest first."""
    values = {"of": of, "now": now, "most": _MOST_ABOUT}
    return [SiteFact(*row) for row in database.execute("facts_about", values).fetchall()]
