"""Campaigns beside each other: what became of each, in numbers that can be compared. Pure.

Shares are of the rows that were to be sent: those that are suppressed, doubled, invalid or cancelled say nothing of a
message. What came back is a share of what was delivered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from bulkmail.report import length, share
from bulkmail.web.views import NEVER_SENT, SHOWN, campaign_line, when

_SPANS = ("minute", "hour")
_LATE = ("returned", "complained", "unsubscribed")


def record(told: Mapping[str, Any], best: Mapping[str, Any]) -> dict[str, Any]:
    """Return a line of the list of campaigns that have ended. ``best``: its best minute and hour, if they are known."""
    took = length(took) if (took := _took(told)) else ""
    return {**campaign_line(told), **_shares(told), "took": took, "best": {span: best.get(span) for span in _SPANS}}


def side(told: Mapping[str, Any], recent: Mapping[str, Any], best: Mapping[str, Any]) -> dict[str, Any]:
    """Return one campaign for a comparison. ``recent``: what came of its last attempts; ``best``: as in `record`."""
    took = _took(told)
    delivered = told["by_status"].get("delivered", 0)
    return {
        **record(told, best),
        "speed": f"{delivered / took:,.1f}/s" if took and delivered else "",
        "accepted_by_all": _accepted(recent["accepted_ms"]),
        "accepted": {one["provider"]: one["accepted_ms"] for one in recent["providers"] if one["accepted_ms"]},
        "by_provider": {name: _of(counts) for name, counts in told["by_provider"].items()},
    }


def side_by_side(sides: Sequence[Mapping[str, Any]]) -> list[tuple[str, list[str]]]:
    """Return the rows of the comparison: a heading, and a cell for each campaign."""
    rows = [
        ("Rows", [f"{one['rows']:,}" for one in sides]),
        ("Of these to be sent", [f"{one['sent']:,}" for one in sides]),
        *((status, [one["of"][status] for one in sides]) for status in SHOWN),
        *((name, [one["late"][name] for one in sides]) for name in _LATE),
        ("clicks of people", [one["clicks"] for one in sides]),
        ("Began (UTC)", [one["started"] for one in sides]),
        ("Took", [one["took"] for one in sides]),
        ("Delivered on average", [one["speed"] for one in sides]),
        *((f"Best {span}", [_best(one["best"][span]) for one in sides]) for span in _SPANS),
        ("Accepted within", [one["accepted_by_all"] for one in sides]),
    ]
    providers = sorted({name for one in sides for name in one["by_provider"]})
    rows += [(f"{name}: delivered", [one["by_provider"].get(name, "") for one in sides]) for name in providers]
    timed = [name for name in providers if any(name in one["accepted"] for one in sides)]
    rows += [(f"{name}: accepted within", [_accepted(one["accepted"].get(name)) for one in sides]) for name in timed]
    return rows


def _best(found: Mapping[str, Any] | None) -> str:
    return "" if found is None else f"{found['accepted']:,} ({when(found['at'])})"


def _accepted(quantiles: Sequence[int] | None) -> str:
    return "" if quantiles is None else f"{quantiles[0]:,} ms (half), {quantiles[1]:,} ms (95 %)"


def _shares(told: Mapping[str, Any]) -> dict[str, Any]:
    by_status, late, clicks = told["by_status"], told["late"], told["clicks"]
    sent = sum(count for status, count in by_status.items() if status not in NEVER_SENT)
    delivered = by_status.get("delivered", 0)
    return {
        "sent": sent,
        "of": {status: _part(by_status.get(status, 0), sent) for status in SHOWN},
        "late": {name: _part(late.get(name, 0), delivered) for name in _LATE},
        "clicks": "" if clicks is None else _part(clicks["people"], delivered),
    }


def _of(counts: Mapping[str, int]) -> str:
    return _part(counts.get("delivered", 0), sum(counts.values()))


def _part(part: int, whole: int) -> str:
    return f"{part:,} ({share(part, whole)})"


def _took(told: Mapping[str, Any]) -> float:
    """Return how long it took in seconds, 0.0 where it has not both begun and ended."""
    if not told["started_at"] or not told["ended_at"]:
        return 0.0
    return (datetime.fromisoformat(told["ended_at"]) - datetime.fromisoformat(told["started_at"])).total_seconds()
