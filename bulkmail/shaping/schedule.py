"""When a campaign may send: open or closed at an instant, and when that changes next.

A campaign is open from ``not_before`` to ``not_after``, on its days, within its hours. Hours and days are those of its
zone. Each window of a day opens once and closes once, whatever the clocks do (see `clock.instant`), and belongs to the
day on which it starts: ``22:00-06:00`` on ``fri`` ends on Saturday.

Laws (tests/shaping/test_schedule.py), against a clock that is looked at minute by minute: the schedule is open in just
these minutes, and each answer holds until the instant that it names.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta, tzinfo
from typing import NamedTuple

from bulkmail.mail import Rate
from bulkmail.shaping.clock import ClockChange, clock_changes, instant, wall_time
from bulkmail.shaping.hours import EVERY_DAY, WHOLE_DAY, Hours, always_open

_AHEAD = 16  # days: where a window opens at all it opens within a week, or a week later if the clocks skip it
_EVER = (float("-inf"), float("inf"))


class Opening(NamedTuple):
    """Whether it is open, and the instant (epoch seconds) at which that may change; None: never."""

    open: bool
    until: float | None


@dataclass(frozen=True)
class Schedule:
    """Instants are epoch seconds. ``hours`` and ``days`` are those of ``zone``; see `hours` for their forms.

    ``rate``: messages of the campaign over all receivers; ``per_day``: messages within one day of ``zone``.
    """

    zone: tzinfo
    not_before: float | None = None
    not_after: float | None = None
    hours: Hours = WHOLE_DAY
    days: frozenset[int] = EVERY_DAY
    rate: Rate | None = None
    per_day: int | None = None

    def in_zone(self, zone: tzinfo) -> Schedule:
        """Return the same hours and days by another zone's clocks."""
        return replace(self, zone=zone)

    def at(self, now: float, sent_today: int = 0) -> Opening:
        """Say whether a message may be sent at ``now``, when ``sent_today`` were sent within the zone's day."""
        begins = now if self.not_before is None else max(now, self.not_before)
        if self.per_day is not None and sent_today >= self.per_day:
            begins = max(begins, self.day(now)[1])
        opening = next(self._openings(begins), None)
        if opening is None:
            return Opening(open=False, until=None)
        start, end = opening
        if max(start, begins) <= now:
            return Opening(open=True, until=None if end == _EVER[1] else end)
        return Opening(open=False, until=max(start, begins))

    def over(self, now: float) -> bool:
        """Return whether nothing may be sent any more."""
        return self.not_after is not None and now >= self.not_after

    def day(self, now: float) -> tuple[float, float]:
        """Return the start and the end of the zone's day at ``now``: the instants of its midnights."""
        today = wall_time(now, self.zone).date()
        for days in (0, 1, 2):  # where an hour comes twice at midnight, the clocks go back into the day before
            start, end = (self._midnight(today + timedelta(days + n)) for n in (0, 1))
            if start <= now < end:
                return start, end
        raise AssertionError(f"no day of {self.zone} holds {now}")

    def closed_between(self, since: float, until: float) -> float:
        """Return the seconds from ``since`` to ``until`` in which it was closed; ``per_day`` is not looked at."""
        left = max(0.0, until - since)
        at = since
        while at < until:
            opening = next(self._openings(at), None)
            if opening is None or opening[0] >= until:
                break
            start, end = max(opening[0], at), min(opening[1], until)
            left -= end - start
            at = end
        return left

    def openings(self, since: float, count: int) -> list[tuple[float, float | None]]:
        """Return up to ``count`` openings that end after ``since``, each with its end; None: it stays open."""
        found: list[tuple[float, float | None]] = []
        at = since
        while len(found) < count and (opening := next(self._openings(at), None)) is not None:
            start, end = opening
            found.append((max(start, at), None if end == _EVER[1] else end))
            at = end
            if end == _EVER[1]:
                break
        return found

    def never_opens(self, now: float) -> bool:
        """Return whether no instant from ``now`` on is within the schedule."""
        begins = now if self.not_before is None else max(now, self.not_before)
        return next(self._openings(begins), None) is None

    def clock_changes(self, since: float, until: float) -> list[ClockChange]:
        """Return the changes of the zone's clocks between two instants."""
        return clock_changes(self.zone, since, until)

    def _openings(self, since: float) -> Iterator[tuple[float, float]]:
        """Give the openings that end after ``since`` within the next days, in order, joined where they touch."""
        low = _EVER[0] if self.not_before is None else self.not_before
        high = _EVER[1] if self.not_after is None else self.not_after
        for start, end in self._joined(max(since, low)):
            if min(end, high) > max(start, low, since):
                yield max(start, low), min(end, high)
            elif start >= high:
                return

    def _joined(self, since: float) -> Iterator[tuple[float, float]]:
        if always_open(self.hours, self.days):
            yield _EVER
            return
        start = end = _EVER[0]
        for opens, closes in self._windows(since):
            if opens <= end:
                end = max(end, closes)
                continue
            if end > start:
                yield start, end
            start, end = opens, closes
        if end > start:
            yield start, end

    def _windows(self, since: float) -> Iterator[tuple[float, float]]:
        """Give each day's windows as instants, from two days before ``since``: one may have begun then."""
        today = wall_time(since, self.zone).date()
        for n in range(-2, _AHEAD):
            day = today + timedelta(n)
            if day.weekday() in self.days:
                midnight = datetime.combine(day, time())
                for start, end in self.hours:
                    opens, closes = (instant(midnight + timedelta(minutes=at), self.zone) for at in (start, end))
                    if closes > opens:
                        yield opens, closes

    def _midnight(self, day: date) -> float:
        return instant(datetime.combine(day, time()), self.zone)
