"""All that the spool knows of one address, over all campaigns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bulkmail.control.overview import stamp
from bulkmail.spool import Reading


def find_recipients(reader: Reading, email: str, progress: Callable[[], object] = lambda: None) -> list[dict[str, Any]]:
    """Return every row with this address, as `models.RecipientAnswer` has them; the newest campaign last.

    ``progress()`` is called after each campaign. Raises OwnFault.
    """
    names = {row.id: row.name for row in reader.campaigns()}
    files = {campaign: reader.input_files(campaign) for campaign in names}
    return [
        {
            "campaign": names[campaign],
            "row": str(row.row_in_file)
            if len(files[campaign]) < 2
            else f"{files[campaign][row.file_no][1]}:{row.row_in_file}",
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
        for campaign, row, next_at in reader.find(email, progress)
        if campaign in names
    ]
