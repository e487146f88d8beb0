"""The rows of a campaign that have one status: who did not get it, and why."""

from __future__ import annotations

from typing import Any

from bulkmail.control.recipients import plain_row
from bulkmail.mail import AddressError, Status, address_in, check_name
from bulkmail.spool import Reading, StatusRow

ROWS = 100
"""So many rows are in an answer at the most."""


def rows_by_status(
    reader: Reading, name: str, status: str, before: int | None, provider: str = ""
) -> dict[str, Any] | None:
    """Return them as `campaign_models.RowsAnswer` has them; None where there is no campaign of that name.

    ``provider``: only those at it, `other` at none; "" all. Raises UnknownName for a status that there is not,
    OwnFault.
    """
    check_name("status", status, list(map(str, Status)))
    campaign = reader.campaign(name)
    if campaign is None:
        return None
    files = reader.input_files(campaign.id)
    found, rest = reader.with_status(campaign.id, status, before, ROWS, provider)
    return {"campaign": name, "status": status, "rows": [plain_status_row(one, files) for one in found], "next": rest}


def plain_status_row(found: StatusRow, files: list[tuple[int, str, list[str]]]) -> dict[str, Any]:
    """Return a row as `campaign_models.StatusRowAnswer` has it. ``files``: the input files of its campaign."""
    told = plain_row(found.row, found.next_at, files)
    return {**told, "domain": _domain(found.row.email), "provider": found.provider or "other"}


def _domain(email: str) -> str:
    try:
        return address_in(email).domain
    except AddressError:
        return ""
