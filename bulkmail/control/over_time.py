"""What came of a campaign's attempts over time: from the spool, so that it survives a restart and adds up."""

from __future__ import annotations

from typing import Any

from bulkmail.control.overview import stamp
from bulkmail.mail import LateResult
from bulkmail.report import STEPS
from bulkmail.spool import Reading

MOST = 120
"""So many buckets at most."""
_LATE = frozenset(map(str, LateResult))
_RESULTS = ("delivered", "failed", "deferred", "unknown")


def over_time(reader: Reading, name: str, now: float, provider: str = "") -> dict[str, Any] | None:
    """Return it as `campaign_models.OverTimeAnswer` has it; None where there is no such campaign. Raises OwnFault."""
    campaign = reader.campaign(name)
    if campaign is None:
        return None
    began = campaign.started_at or now
    lasts = max(1.0, (campaign.ended_at or now) - began)
    width = next((step for step in STEPS if lasts / step < MOST - 1), STEPS[-1])
    found: dict[int, dict[str, int]] = {}
    took: dict[int, dict[int, int]] = {}
    for number, result, within, count in reader.over_time(campaign.id, width, provider):
        if result in _LATE:
            continue
        of = found.setdefault(number, dict.fromkeys(_RESULTS, 0))
        of[result] = of.get(result, 0) + count
        if result == "delivered":
            of_took = took.setdefault(number, {})
            of_took[within] = of_took.get(within, 0) + count
    first, last = min(found, default=0), max(found, default=-1)
    if last - first >= MOST:  # attempts later than its end
        first = last - MOST + 1
    buckets = [
        {
            "at": stamp(number * width),
            **found.get(number, dict.fromkeys(_RESULTS, 0)),
            "accepted_ms": _quantiles(took.get(number, {})),
        }
        for number in range(first, last + 1)
    ]
    return {"campaign": name, "provider": provider, "width": width, "buckets": buckets}


def _quantiles(took: dict[int, int]) -> tuple[int, int] | None:
    """Return within how many milliseconds half of them were accepted, and 95 %."""
    whole = sum(took.values())
    if not whole:
        return None

    def within(rank: int) -> int:
        reached = 0
        for milliseconds in sorted(took):
            reached += took[milliseconds]
            if reached >= rank:
                return milliseconds
        return max(took)

    return within((whole + 1) // 2), within(-(-whole * 95 // 100))
