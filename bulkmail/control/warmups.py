"""Where sources that warm up are at the providers, as `status --sites` and `explain` tell it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bulkmail.control.overview import stamp
from bulkmail.mail import count_of, provider_behind
from bulkmail.shaping import DAY, OTHER, WarmupDay, WarmupPlan

Days = Mapping[tuple[str, str], WarmupDay]
"""Where each source was last at each provider: (source, provider) -> day."""


def warmups_at(provider: str, plans: Mapping[str, WarmupPlan], days: Days, now: float) -> list[dict[str, Any]]:
    """Return where each source that warms up is at ``provider`` ("": none), as `site_models.WarmupAnswer` has it."""
    at = provider_behind(provider) or OTHER
    return [_warmup(source, at, plan, days, now) for source, plan in plans.items()]


def all_warmups(plans: Mapping[str, WarmupPlan], days: Days, now: float) -> list[dict[str, Any]]:
    """Return where sources that warm up are at all providers that they have sent to."""
    return [_warmup(source, at, plans[source], days, now) for source, at in sorted(days) if source in plans]


def next_day(warmups: list[dict[str, Any]], sources: int) -> float | None:
    """Return when a provider is sent to again where no source may send to it today; None where one may.

    ``sources``: how many there are, with those that do not warm up.
    """
    if not warmups or len(warmups) < sources or any(one["left"] is None or one["left"] for one in warmups):
        return None
    return min(float(one["again"]) for one in warmups)


def plain(warmup: dict[str, Any]) -> dict[str, Any]:
    """Return one as the API gives it."""
    return {**warmup, "again": stamp(warmup["again"])}


def _warmup(source: str, provider: str, plan: WarmupPlan, days: Days, now: float) -> dict[str, Any]:
    today = int(now // DAY)
    known = days.get((source, provider), WarmupDay(today)).on(today, plan)
    left, budget, day = known.left(plan), plan.budget(known.step), max(known.day + 1, plan.start)
    told = {
        "source": source,
        "provider": provider,
        "day": None if budget is None else known.step + 1,
        "days": len(plan.budgets),
        "budget": budget,
        "taken": known.taken,
        "delivered": known.delivered,
        "left": left,
        "again": None if left is None or left else day * DAY,
    }
    return {**told, "words": _words(told, begun=known.day >= plan.start)}


def _words(told: Mapping[str, Any], *, begun: bool) -> str:
    where = f"source {told['source']} at {told['provider']}"
    if told["budget"] is None:
        return f"{where}: is warm, nothing is counted any more"
    step = f"day {told['day']} of {told['days']} of its warm-up"
    again = "" if told["again"] is None else f"{stamp(told['again'])}"[:10]
    if not begun:
        first = count_of(told["budget"], "message")
        return f"{where}: its warm-up begins on {again} with {first}; nothing is sent before"
    used = f"{told['taken']:,} of today's {told['budget']:,} messages are used, {told['delivered']:,} delivered"
    return f"{where}: {step}, {used}" + (f"; the next are sent on {again} (UTC)" if again else "")
