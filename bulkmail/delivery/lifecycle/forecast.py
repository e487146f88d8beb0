"""When a campaign ends as it goes now, and why that is later than it was planned."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from bulkmail.campaign import schedule_from
from bulkmail.delivery.lane import Lane
from bulkmail.delivery.run import Run
from bulkmail.mail import Status, count_of, format_duration, is_late
from bulkmail.shaping import OTHER

_SLOWEST = 0.01  # messages a second; what is slower says nothing of the end
_OPENINGS = 60  # of a schedule that are looked ahead
_MANY = 0.01  # of the rows
_OTHERS = "other receivers"


class Forecast(NamedTuple):
    """``ends_at``: epoch seconds, None where it cannot be told; ``because``: why that is late, "" where it is not.

    It cannot be told while the first messages at a provider are waited for: how fast the rest is sent is not seen yet.
    """

    ends_at: float | None = None
    because: str = ""


def forecast(run: Run, rate: float, lanes: Iterable[Lane], now: float) -> Forecast:
    """Tell the end of a campaign that has a plan. ``rate``: outcomes a second; ``now``: on the wall clock."""
    if run.plan is None or not run.import_done:
        return Forecast()
    ends_at = _end(run, rate, now)
    if not is_late(run.plan.begins_at, run.plan.ends_at, ends_at):
        return Forecast(ends_at)
    assert ends_at is not None
    assert run.plan.ends_at is not None
    if _held(run, run.plan.begins_at, now) > (ends_at - run.plan.ends_at) / 2:
        return Forecast(ends_at, f"it was held for {format_duration(_held(run, run.plan.begins_at, now))}")
    return Forecast(ends_at, _because(run, rate, run.plan.per_second, lanes))


def _end(run: Run, rate: float, now: float) -> float | None:
    by = run.by_status
    pending, deferred = by[Status.PENDING], by[Status.DEFERRED]
    retried = max(run.next_try_at or now, now) if deferred else now
    if not pending:
        return retried if deferred else None
    if rate < _SLOWEST or first_messages(run):
        return None
    through = _through(run, pending / rate, now)
    return None if through is None else max(through, retried)


def first_messages(run: Run) -> list[str]:
    """Return the providers to which the rest of a campaign goes once its first messages there are answered."""
    if run.guard is None or not run.by_status[Status.PENDING]:
        return []
    return [_OTHERS if name == OTHER else name for name in run.guard.waiting]


def _through(run: Run, seconds: float, now: float) -> float | None:
    """Return when so many ``seconds`` of sending are over, None where the schedule has not so many."""
    plain = run.content.get("schedule")
    if plain is None:
        return now + seconds
    schedule, at = schedule_from(plain), now
    for _ in range(_OPENINGS):
        for start, end in schedule.openings(at, 1):
            if end is None or end - start >= seconds:
                return start + seconds
            seconds, at = seconds - (end - start), end
    return None


def _held(run: Run, since: float, now: float) -> float:
    """Return for how many seconds it was held, without those in which its schedule was closed: they were planned."""
    held = run.holds.seconds(None, since, now)
    plain = run.content.get("schedule")
    return held if not held or plain is None else max(0.0, held - schedule_from(plain).closed_between(since, now))


def _because(run: Run, rate: float, planned: float, lanes: Iterable[Lane]) -> str:
    """Return what keeps most of its rows, and else how slow it is; "" where it is as fast as ``planned`` by now."""
    deferred: Counter[str] = Counter()
    for (provider, status, _), count in run.totals.items():
        if status == Status.DEFERRED:
            deferred[provider or _OTHERS] += count
    most = deferred.most_common(1)
    if most and most[0][1] > _MANY * run.input_rows:
        name, count = most[0]
        return f"{name} {'defer' if name == _OTHERS else 'defers'} {count_of(count, 'message')}"
    standing = max((lane for lane in lanes if lane.suspended), key=lambda lane: lane.held, default=None)
    if standing is not None and standing.held:
        why = standing.suspension.standstill.why
        return f"{standing.site.name} takes nothing now" + (f": {why}" if why else "")
    return f"{_pace(rate)} are sent and {_pace(planned)} were planned" if rate < planned else ""


def _pace(rate: float) -> str:
    return f"{rate:,.0f}/s" if rate >= 1 else f"{rate * 3600:,.0f}/h"
