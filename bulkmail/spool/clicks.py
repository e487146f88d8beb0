"""Clicks in the store: how often each link of a campaign was followed, added up; never who followed it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bulkmail.mail import ClickCount
from bulkmail.spool.arrivals import read_clicks
from bulkmail.spool.contract import Statements


def name_links(database: Statements, campaign_id: int, content: Mapping[str, Any]) -> None:
    """Within a transaction: note how the templates of a campaign have the links that are counted."""
    names: Mapping[str, str] = (content.get("links") or {}).get("names") or {}
    for link, label in names.items():
        database.execute("name_link", (campaign_id, link, label))


class Clicks:
    """The part of a store that counts clicks, the same in every database; see `arrivals.ClickStore`."""

    _db: Statements

    def add_clicks(self, counts: Sequence[tuple[int, ClickCount]]) -> None:
        """Add to what is known of links; see `arrivals.ClickStore.add_clicks`."""
        with self._db.transaction():
            for campaign_id, one in counts:
                values = (one.link, one.variant, one.people, one.scanners, campaign_id)
                self._db.execute("add_clicks", values)

    def clicks(self, campaign_id: int) -> list[ClickCount]:
        """Return what is known of a campaign's links; see `arrivals.ClickStore.clicks`."""
        with self._db.transaction("begin_reading"):
            return read_clicks(self._db, campaign_id)
