"""When a campaign ends as it goes now, and why that is later than it was planned."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from bulkmail.campaign import schedule_from
from bulkmail.delivery.lane import Lane
from bulkmail.delivery.run import Run
from bulkmail.mail import Status, format_duration, is_late

_SLOWEST = 0.01  # messages a second; what is slower says nothing of the end
_OPENINGS = 60  # of a schedule that are looked ahead
_MANY = 0.01  # of the rows
_OTHERS = "other receivers"


class Forecast(NamedTuple):
    """``ends_at``: epoch seconds, None where it cannot be told; ``because``: why that is late, "" where it is not."""

    ends_at: float | None = None
    because: str = ""


def forecast(run: Run, rate: float, lanes: Iterable[Lane], now: float) -> Forecast:
    """Tell the end of a campaign that has a plan. ``rate``: outcomes a second; ``now``: on the wall clock."""
    if run.plan is None or not run.import_done:
        return Forecast()
    ends_at = _end(run, rate, now)
    if not is_late(run.plan.begins_at, run.plan.ends_at, ends_at):
        return Forecast(ends_at)
    return Forecast(ends_at, _because(run, rate, lanes, now))


def _end(run: Run, rate: float, now: float) -> float | None:
    by = run.by_status
    pending, deferred = by[Status.PENDING], by[Status.DEFERRED]
    retried = max(run.next_try_at or now, now) if deferred else now
    if not pending:
        return retried if deferred else None
    if rate < _SLOWEST:
        return None
    through = _through(run, pending / rate, now)
    return None if through is None else max(through, retried)


def _through(run: Run, seconds: float, now: float) -> float | None:
    """Return when so many ``seconds`` of sending are over, None where the schedule has not so many."""
    plain = run.content.get("schedule")
    if plain is None:
        return now + seconds
    for start, end in schedule_from(plain).openings(now, _OPENINGS):
        if end is None or end - start >= seconds:
            return start + seconds
        seconds -= end - start
    return None


def _because(run: Run, rate: float, lanes: Iterable[Lane], now: float) -> str:
    """Return why it is late: what keeps most of its rows, and else how slow it is."""
    plan = run.plan
    assert plan is not None
    held = run.holds.seconds("", plan.begins_at, now)
    if held > (now - plan.begins_at) / 2:
        return f"it was held for {format_duration(held)}"
    deferred: Counter[str] = Counter()
    for (provider, status, _), count in run.totals.items():
        if status == Status.DEFERRED:
            deferred[provider or _OTHERS] += count
    most = deferred.most_common(1)
    if most and most[0][1] > _MANY * run.input_rows:
        name, count = most[0]
        return f"{name} {'defer' if name == _OTHERS else 'defers'} {count:,} messages"
    standing = max((lane for lane in lanes if lane.suspended), key=lambda lane: lane.held, default=None)
    if standing is not None and standing.held:
        why = standing.suspension.standstill.why
        return f"{standing.site.name} takes nothing now" + (f": {why}" if why else "")
    return f"{_pace(rate)} are sent and {_pace(plan.per_second)} were planned"


def _pace(rate: float) -> str:
    return f"{rate:,.0f}/s" if rate >= 1 else f"{rate * 3600:,.0f}/h"
