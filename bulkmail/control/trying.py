"""What is said to those who want deferred recipients tried at once: how many are, and what still keeps some back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bulkmail.spool import HOLD_KINDS, Tried


def tried_answer(told: Mapping[str, Any], tried: Tried, provider: str = "") -> dict[str, Any]:
    """Return it as `campaign_models.TriedAnswer` has it. ``told``: the campaign, as the API tells it."""
    return {
        "campaign": told["campaign"],
        "done": "tried now",
        "situation": told["situation"],
        "rows": tried.rows,
        "doubtful": tried.doubtful,
        "kept_back": kept_back(told, provider),
    }


def kept_back(told: Mapping[str, Any], provider: str = "") -> list[str]:
    """Return what keeps rows of a campaign waiting (at one provider): holds, and sites that cannot be used now."""
    holds = [hold for hold in told["holds"] if not hold["provider"] or provider in ("", hold["provider"])]
    found = [
        f"{hold['provider'] or 'All of it'}: {HOLD_KINDS.get(hold['kind'], hold['kind'])}"
        + (f" ({hold['reason']})" if hold["reason"] else "")
        for hold in holds
    ]
    found += [
        f"{site['site']} is left alone{_until(site['until'])}" + (f": {site['why']}" if site["why"] else "")
        for site in told["waiting_sites"]
    ]
    return found


def tried_words(answer: Mapping[str, Any]) -> list[str]:
    """Return the answer in lines for people."""
    rows, doubtful = answer["rows"], answer["doubtful"]
    lines = [f"{answer['campaign']}: {rows:,} deferred {'row is' if rows == 1 else 'rows are'} tried at once."]
    if doubtful:
        lines.append(f"{doubtful:,} wait for their time, for a copy may have arrived.")
    lines += [f"Kept back: {words}" for words in answer["kept_back"]]
    return [*lines, "Limits count as before."]


def _until(at: str | None) -> str:
    return f" until {at[:10]} {at[11:16]} UTC" if at else ""
