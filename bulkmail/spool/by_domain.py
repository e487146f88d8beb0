"""Reading how the domains of one provider stand in a campaign: the busiest of them, by the counts of their queues."""

from __future__ import annotations

from typing import NamedTuple

from bulkmail.spool.contract import Statements
from bulkmail.spool.rows import id_range

_AMONG = 1000  # domains; to look at them takes a few milliseconds


class DomainStanding(NamedTuple):
    """A domain of a campaign, with its rows by status. ``failed``: those with another final one than delivered."""

    queue_id: int
    domain: str
    delivered: int
    failed: int
    deferred: int


class DomainReading:
    """What can be read of the domains at a provider. Raises OwnFault when it cannot be read."""

    _db: Statements

    def domains_at(self, campaign_id: int, provider: str, limit: int) -> tuple[list[DomainStanding], bool]:
        """Return up to ``limit`` domains of a campaign at a provider ("other": at none), those with the most outcomes
        first, and whether that is all of them.

        Looked at are the 1,000 domains of the campaign with the most outcomes: no index has the provider, which is that
        of the first rows of a domain that were tried.
        """
        low, high = id_range(campaign_id)
        values = {"campaign": campaign_id, "provider": provider, "among": _AMONG, "limit": limit + 1}
        values |= {"low": low, "high": high}
        with self._db.transaction("begin_reading"):
            rows = self._db.execute("domains_at", values).fetchall()
            tried = {"campaign": campaign_id, "limit": _AMONG + 1}
            count: int = self._db.execute("count_tried_domains", tried).fetchone()[0]
        return [DomainStanding(*row) for row in rows[:limit]], len(rows) <= limit and count <= _AMONG

    def rows_of_domain(self, campaign_id: int, queue_id: int) -> int:
        """Return how many rows of a campaign's list a domain has, without those that are never sent."""
        low, high = id_range(campaign_id)
        with self._db.transaction("begin_reading"):
            count: int = self._db.execute("rows_of_queue", {"queue": queue_id, "low": low, "high": high}).fetchone()[0]
        return count
