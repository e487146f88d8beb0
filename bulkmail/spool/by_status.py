"""Reading the rows of a campaign that have one status: a page at a time, from the end of its list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from bulkmail.mail import RecipientRow, Status
from bulkmail.spool.contract import Statements
from bulkmail.spool.rows import id_range, recipient_id

_AT_ONCE = 100_000
_LOOKED_AT = 1_000_000


class StatusRow(NamedTuple):
    """A row of the list. ``provider``: "" for none; ``next_at``: when it is due again, where it waits."""

    row: RecipientRow
    provider: str
    next_at: float | None


class StatusReading:
    """What can be read of rows by their status. Raises OwnFault when it cannot be read."""

    _db: Statements

    @property
    def _found_recipient(self) -> str:
        raise NotImplementedError

    def with_status(
        self, campaign_id: int, status: str, before: int | None, limit: int, provider: str = ""
    ) -> tuple[list[StatusRow], int | None]:
        """Return up to ``limit`` rows with a status above row ``before`` of the list, the last of them first.

        ``provider``: only those at it, "other" at none; "" all. ``before`` None: from the end of the list. The second
        is the ``before`` of the rows above these, None where the list begins there. No index has the status: to keep
        one would cost each message more than it is worth. Rows are looked at in their order, 100,000 in a transaction,
        and a million in a call at the most: then there are fewer rows than asked for, or none, and the second says
        where to go on.
        """
        query = "pending_rows" if status == Status.PENDING else "rows_of_status"
        low, high = id_range(campaign_id)
        with self._db.transaction("begin_reading"):
            last = self._db.execute("last_row", (low, high)).fetchone()[0]
        end = (last or low) + 1
        if before is not None:
            end = min(end, recipient_id(campaign_id, before))
        stop = max(low, end - _LOOKED_AT)
        found: list[tuple[int, str]] = []
        while end > stop and len(found) <= limit:
            begin = max(stop, end - _AT_ONCE)
            values = {"low": begin, "high": end - 1, "status": status, "provider": provider}
            values |= {"limit": limit + 1 - len(found)}
            with self._db.transaction("begin_reading"):
                found += self._db.execute(query, values).fetchall()
            end = begin
        if len(found) > limit:
            found = found[:limit]
            end = found[-1][0]
        return self._whole(found, status), end - low if end > low + 1 else None

    def rows_at(self, campaign_id: int, rows: Sequence[tuple[int, str]]) -> list[StatusRow]:
        """Return these rows of the list as they are now: each is its number and its provider, "" for none."""
        return self._whole([(recipient_id(campaign_id, n), provider) for n, provider in rows])

    def _whole(self, found: Sequence[tuple[int, str]], status: str = "") -> list[StatusRow]:
        query = self._found_recipient
        rows = []
        with self._db.transaction("begin_reading"):
            for identity, provider in found:
                for *known, due in self._db.execute(query, (identity,)).fetchall():
                    row = RecipientRow._make(known)
                    if status in ("", row.status):  # it may have another one meanwhile
                        rows.append(StatusRow(row, provider, due))
        return rows
