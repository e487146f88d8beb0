"""All that the spool knows of one address, over all campaigns."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from bulkmail.control.overview import stamp
from bulkmail.mail import AttemptRow, RecipientRow
from bulkmail.spool import Reading

_MOST_ATTEMPTS = 100  # of one row
_MOST_WITH_HISTORY = 20  # rows, the newest


def find_recipients(reader: Reading, email: str, progress: Callable[[], object] = lambda: None) -> list[dict[str, Any]]:
    """Return every row with this address, as `campaign_models.RecipientAnswer` has them; the newest campaign last.

    ``progress()`` is called after each campaign. Raises OwnFault.
    """
    found = list(_found(reader, email, progress))
    for campaign, n, one in found[-_MOST_WITH_HISTORY:]:
        if one["attempts"] or one["late_at"]:
            one["history"] = [_attempt(attempt) for attempt in reader.attempts_of(campaign, n, _MOST_ATTEMPTS)]
    return [one for _, _, one in found]


def _found(reader: Reading, email: str, progress: Callable[[], object]) -> Iterator[tuple[int, int, dict[str, Any]]]:
    names = reader.campaign_names()
    files: dict[int, list[tuple[int, str, list[str]]]] = {}  # of the campaigns that have the address
    for campaign, row, next_at in reader.find(email, progress):
        if campaign in names:
            if campaign not in files:
                files[campaign] = reader.input_files(campaign)
            told = plain_row(row, next_at, files[campaign])
            yield campaign, row.n, {"campaign": names[campaign], **told, "history": []}


def plain_row(row: RecipientRow, next_at: float | None, files: list[tuple[int, str, list[str]]]) -> dict[str, Any]:
    """Return a row as the API tells it.

    ``files``: the input files of its campaign. Where there are several, the row has the name of its file.
    """
    return {
        "row": f"{files[row.file_no][1]}:{row.row_in_file}" if len(files) > 1 else str(row.row_in_file),
        "email": row.email,
        "status": row.status,
        "category": row.category,
        "attempts": row.attempts,
        "reply": row.reply,
        "smtp_code": row.smtp_code,
        "enhanced_code": row.enhanced,
        "stage": row.stage,
        "mx_host": row.mx_host,
        "first_attempt_at": stamp(row.first_attempt_at),
        "completed_at": stamp(row.completed_at),
        "next_attempt_at": stamp(next_at),
        "late_at": stamp(row.late_at),
        "unsubscribed_at": stamp(row.unsubscribed_at),
        "complained_at": stamp(row.complained_at),
        "note": row.note,
    }


def _attempt(row: AttemptRow) -> dict[str, Any]:
    same = ("attempt", "result", "category", "smtp_code", "reply", "stage", "mx_host", "mx_ip", "source_ip", "tls")
    told = {name: getattr(row, name) for name in (*same, "duration_ms")}
    return {"at": stamp(row.at), **told, "next_attempt_at": stamp(row.next_attempt_at)}
