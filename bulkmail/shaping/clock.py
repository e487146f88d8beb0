"""From what a clock on the wall shows to an instant: both changes of the clocks by one rule.

The instant of a wall time is the first at which a clock of the zone shows that time or a later one. So an hour that
does not exist is over at the end of the gap, and an hour that comes twice counts the first time only.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from typing import NamedTuple

from bulkmail.shaping.hours import DAY_NAMES

_STEP = 3 * 3600  # seconds; no zone has changed its offset and changed it back within this time since 1970


class ClockChange(NamedTuple):
    """The clocks of a zone are set at ``at`` (epoch seconds): from the wall time ``before`` to ``after``."""

    at: float
    before: datetime
    after: datetime

    @property
    def skipped(self) -> bool:
        """Whether they are set forward: the time between does not exist; else it comes twice."""
        return self.after > self.before


def wall_time(at: float, zone: tzinfo) -> datetime:
    """Return what a clock of the zone shows at ``at``, without a zone."""
    return datetime.fromtimestamp(at, UTC).astimezone(zone).replace(tzinfo=None, fold=0)


def instant(wall: datetime, zone: tzinfo) -> float:
    """Return the first instant, in epoch seconds, at which a clock of the zone shows ``wall`` or a later time."""
    at = wall.replace(tzinfo=zone, fold=0).timestamp()
    if wall_time(at, zone) == wall:
        return at
    earlier = wall.replace(tzinfo=zone, fold=1).timestamp()
    return _first(min(earlier, at) - 1, max(earlier, at), lambda moment: wall_time(moment, zone) >= wall)


def clock_changes(zone: tzinfo, since: float, until: float) -> list[ClockChange]:
    """Return the changes of the zone's clocks from ``since`` up to ``until``, in order."""
    found = []
    low, offset = since, _offset(since, zone)
    while low < until:
        high = min(low + _STEP, until)
        if (changed := _offset(high, zone)) != offset:
            at = _first(low, high, _changed(zone, offset))
            after = wall_time(at, zone)
            found.append(ClockChange(at, after - changed + offset, after))
            offset = changed
        low = high
    return found


def moment(at: float, zone: tzinfo) -> str:
    """Return an instant for people: ``Mon 2026-12-07 09:00 Europe/Berlin (08:00 UTC)``, seconds where there are any."""
    local, utc = wall_time(at, zone), wall_time(at, UTC)
    name = str(zone)
    if name.endswith("UTC"):
        return f"{_day(utc)} {_clock(utc)} UTC"
    universal = _clock(utc) if local.date() == utc.date() else f"{_day(utc)} {_clock(utc)}"
    return f"{_day(local)} {_clock(local)} {name} ({universal} UTC)"


def _first(low: float, high: float, test: Callable[[float], bool]) -> float:
    """Return the first whole second in (low, high] of which the test is true; it is of ``high``, not of ``low``."""
    first, last = int(low), int(high)
    while last - first > 1:
        middle = (first + last) // 2
        if test(middle):
            last = middle
        else:
            first = middle
    return float(last)


def _changed(zone: tzinfo, offset: timedelta) -> Callable[[float], bool]:
    return lambda at: _offset(at, zone) != offset


def _offset(at: float, zone: tzinfo) -> timedelta:
    return datetime.fromtimestamp(at, UTC).astimezone(zone).utcoffset() or timedelta()


def _day(time: datetime) -> str:
    return f"{DAY_NAMES[time.weekday()].title()} {time:%Y-%m-%d}"


def _clock(time: datetime) -> str:
    return f"{time:%H:%M:%S}" if time.second else f"{time:%H:%M}"
