"""Reading the campaigns of a spool, and the rows of one address in all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from bulkmail.mail import Address, AddressError, RecipientRow, address_in, parse_address
from bulkmail.spool.campaigns import campaign_row
from bulkmail.spool.contract import Statements
from bulkmail.spool.rows import CampaignRow, campaign_of, id_range

_ENDED_AT = 9  # the column of the `campaigns` queries, see `campaign_row`
_LOOKED_THROUGH = 32  # campaigns that an address is looked for in at once


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


class FindingReading:
    """What can be read of all campaigns; each call is one short transaction, or several. Raises OwnFault."""

    _db: Statements

    @property
    def _found_recipient(self) -> str:
        raise NotImplementedError

    @property
    def _knows_suppressions(self) -> bool:
        raise NotImplementedError

    def campaigns(self, ended: int | None = None, skip: int = 0) -> list[CampaignRow]:
        """Return all campaigns, oldest first.

        ``ended``: of those that have ended only so many, the newest; ``skip``: so many of them are left out before.
        """
        rows = self._campaigns()
        if ended is not None or skip:
            over = [row[0] for row in rows if row[_ENDED_AT] is not None]
            end = max(0, len(over) - skip)
            kept = set(over[0 if ended is None else max(0, end - ended) : end])
            rows = [row for row in rows if row[_ENDED_AT] is None or row[0] in kept]
        return [campaign_row(row) for row in rows]

    def campaign_names(self) -> dict[int, str]:
        """Return the names of all campaigns by their ids, oldest first."""
        return {row[0]: row[1] for row in self._campaigns()}

    def _campaigns(self) -> list[Any]:
        """Return all campaigns as they are stored: to read their JSON takes longer than to read them."""
        query = "campaigns" if self._knows_suppressions else "campaigns_before_lists"
        with self._db.transaction("begin_reading"):
            rows: list[Any] = self._db.execute(query).fetchall()
        return rows

    def find(
        self, address: str, progress: Callable[[], object] = lambda: None
    ) -> Iterator[tuple[int, RecipientRow, float | None]]:
        """Yield every row with this address: its campaign's id, the row, and when it is due again if it waits.

        What is read for it is the queue of its domain in each campaign, and the rows that are never sent. An address
        that mail cannot be sent to is looked for as it is written. ``progress()`` is called for each campaign. Raises
        OwnFault.
        """
        try:
            wanted = parse_address(address)
        except AddressError:
            wanted = None
        like = _like(address.strip() if wanted is None else wanted.local)
        query = self._found_recipient
        campaigns = list(self.campaign_names())
        for first in range(0, len(campaigns), _LOOKED_THROUGH):
            some = campaigns[first : first + _LOOKED_THROUGH]
            for identity, email in self._matching(id_range(some[0])[0], id_range(some[-1])[1], like, wanted):
                if _same(email, address, wanted):
                    with self._db.transaction("begin_reading"):
                        *known, due = self._db.execute(query, (identity,)).fetchone()
                    yield campaign_of(identity), RecipientRow._make(known), due
            for _ in some:
                progress()

    def _matching(self, low: int, high: int, like: str, wanted: Address | None) -> list[tuple[int, str]]:
        """Return the rows between two ids that may have the address, in their order.

        Many campaigns at once: a statement costs a thread its wait for the interpreter while the event loop is busy.
        """
        limits = {"low": low, "high": high, "text": like}
        found: list[tuple[int, str]] = []
        with self._db.transaction("begin_reading"):
            if wanted is not None:
                values = {"first": campaign_of(low), "last": campaign_of(high), "domain": wanted.domain}
                for campaign, queue in self._db.execute("queues_of_domain", values).fetchall():
                    own = dict(zip(("low", "high"), id_range(campaign), strict=True))
                    found += self._db.execute("found_in_queue", {**limits, **own, "queue": queue}).fetchall()
            found += self._db.execute("found_unsent", limits).fetchall()
        return sorted(found)
