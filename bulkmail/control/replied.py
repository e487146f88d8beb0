"""The recipients that receivers have answered with one wording: who is behind a reply that `recent` counts."""

from __future__ import annotations

from typing import Any

from bulkmail.control.by_status import ROWS, plain_status_row
from bulkmail.control.overview import stamp
from bulkmail.control.recent import ATTEMPTS, is_told
from bulkmail.report import Wordings, wording_key
from bulkmail.spool import Reading, RecentAttempt


def replied(
    reader: Reading, name: str, provider: str, wording: str, skip: int = 0, most: int = ROWS
) -> dict[str, Any] | None:
    """Return them as `campaign_models.RepliedAnswer` has it; None where there is no such campaign. Raises OwnFault.

    Looked at are the attempts that `recent` counts, so that the ``times`` of all rows add up to its count. ``skip``: so
    many rows are left out before. With ``most`` `ATTEMPTS` one answer has them all.
    """
    campaign = reader.campaign(name)
    if campaign is None:
        return None
    attempts = reader.recent(campaign.id, ATTEMPTS)
    met: dict[int, list[RecentAttempt]] = {}  # number of the row -> what was said to it, the newest first
    example = Wordings()
    for one in attempts:
        if not is_told(one) or (one.provider or "other") != provider:
            continue
        if wording_key(one.category, one.code, one.reply) == wording:
            if not met:
                example.add(one.category, one.code, one.reply)
            met.setdefault(one.n, []).append(one)
    category, shown = next(((said.category, said.example) for said in example.said(1)), ("", ""))
    page = list(met)[skip : skip + most]
    files = reader.input_files(campaign.id)
    rows = []
    for found in reader.rows_at(campaign.id, [(n, met[n][0].provider) for n in page]):
        said_to = met[found.row.n]
        last = said_to[0]
        own = {"times": len(said_to), "said": last.reply, "said_code": last.code, "said_at": stamp(last.at)}
        rows.append({**plain_status_row(found, files), **own})
    behind = skip + len(page)
    return {
        "campaign": name,
        "provider": provider,
        "category": category,
        "reply": shown,
        "attempts": len(attempts),
        "whole": len(attempts) < ATTEMPTS,
        "count": sum(map(len, met.values())),
        "recipients": len(met),
        "rows": rows,
        "next": behind if behind < len(met) else None,
    }
