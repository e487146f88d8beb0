"""What came of a campaign's attempts over time: from the spool, so that it survives a restart and adds up."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import Any

from bulkmail.control.overview import stamp
from bulkmail.report import STEPS, Timeline
from bulkmail.spool import CampaignRow, Reading

MOST = 120
"""So many buckets at most."""
_KEPT = 8  # campaigns, of a megabyte at most
_RESULTS = ("delivered", "failed", "deferred", "unknown")


class OverTime:
    """Tells it. The sums of the campaigns that were asked for last are kept, and only newer attempts are read."""

    def __init__(self, kept: int = _KEPT) -> None:
        self._kept = kept
        self._timelines: dict[int, Timeline] = {}  # by the id of the campaign; the one asked for last is the last

    def tell(self, reader: Reading, name: str, now: float, provider: str = "") -> dict[str, Any] | None:
        """Return it as `campaign_models.OverTimeAnswer` has it; None where there is no such campaign.

        Not for two threads at once. Raises OwnFault.
        """
        campaign = reader.campaign(name)
        if campaign is None:
            return None
        width, spans = self._followed(reader, campaign.id).spans(_width(campaign, now), provider)
        first, last = min(spans, default=0), max(spans, default=-1)
        if last - first >= MOST:  # attempts later than its end
            first = last - MOST + 1
        buckets = [_bucket(n * width, spans.get(n, Counter())) for n in range(first, last + 1)]
        return {"campaign": name, "provider": provider, "width": width, "buckets": buckets}

    def _followed(self, reader: Reading, campaign_id: int) -> Timeline:
        """Return the sums of a campaign, up to date."""
        timeline = self._timelines.pop(campaign_id) if campaign_id in self._timelines else Timeline()
        self._timelines[campaign_id] = timeline
        if len(self._timelines) > self._kept:
            del self._timelines[next(iter(self._timelines))]
        timeline.follow(partial(reader.attempt_sums, campaign_id))
        return timeline


def _width(campaign: CampaignRow, now: float) -> int:
    """Return the seconds of a bucket: the fewest with which the campaign fits."""
    began = campaign.started_at or now
    lasts = max(1.0, (campaign.ended_at or now) - began)
    return next((step for step in STEPS if lasts / step < MOST - 1), STEPS[-1])


def _bucket(at: int, counts: Counter[tuple[str, int]]) -> dict[str, Any]:
    results = dict.fromkeys(_RESULTS, 0)
    took: dict[int, int] = {}
    for (result, within), attempts in counts.items():
        results[result] = results.get(result, 0) + attempts
        if result == "delivered":
            took[within] = took.get(within, 0) + attempts
    return {"at": stamp(at), **results, "accepted_ms": _quantiles(took)}


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
