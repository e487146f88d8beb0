"""Hours and days of the week as people write them: ``09:00-18:00``, ``22:00-06:00``, ``mon-fri``."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from itertools import pairwise

DAY = 24 * 60
"""Minutes of a day, as clocks show them."""

DAY_NAMES = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
EVERY_DAY = frozenset(range(7))
WHOLE_DAY = ((0, DAY),)

Hours = tuple[tuple[int, int], ...]
"""Windows of a day, (start, end) in minutes since its midnight; an end over `DAY` lies in the next day."""

_LONG = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_WINDOW = re.compile(r"(\d\d?):(\d\d)\s*(?:-|\u2013|to)\s*(\d\d?):(\d\d)", re.ASCII)


def parse_hours(texts: str | Iterable[str]) -> Hours:
    """Return the windows in ``09:00-12:00, 13:00-18:00``, or in several such texts, sorted. Raises ValueError.

    A window that ends before it starts ends on the next day. 24:00 is the end of the day.
    """
    windows = sorted(_window(part.strip()) for text in _texts(texts) for part in text.split(","))
    if not windows:
        raise ValueError("must hold at least one window, such as 09:00-18:00")
    for (start, end), (after, _) in pairwise(windows):
        if after < end:
            raise ValueError(f"{_shown(start, end)} overlaps the window that starts at {_clock(after)}")
    return tuple(windows)


def parse_days(texts: str | Iterable[str]) -> frozenset[int]:
    """Return the days in ``mon-fri`` or ``mon, wed, sat-sun``, 0 for Monday. Raises ValueError."""
    days: set[int] = set()
    for part in [part.strip() for text in _texts(texts) for part in text.split(",")]:
        first, dash, last = (piece.strip() for piece in part.partition("-"))
        start = _day(first)
        length = (_day(last) - start) % 7 if dash else 0
        days |= {(start + n) % 7 for n in range(length + 1)}
    if not days:
        raise ValueError("must hold at least one day, such as mon-fri")
    return frozenset(days)


def format_hours(hours: Hours) -> str:
    """Return the windows as `parse_hours` takes them."""
    return ", ".join(_shown(start, end) for start, end in hours)


def format_days(days: Iterable[int]) -> str:
    """Return the days as `parse_days` takes them, neighbours joined: ``mon-fri``."""
    left, parts = sorted(days), []
    while left:
        first = last = left.pop(0)
        while left and left[0] == last + 1:
            last = left.pop(0)
        parts.append(DAY_NAMES[first] if first == last else f"{DAY_NAMES[first]}-{DAY_NAMES[last]}")
    return ", ".join(parts)


@lru_cache
def always_open(hours: Hours, days: frozenset[int]) -> bool:
    """Return whether the windows of these days cover the whole week."""
    minutes = bytearray(7 * DAY)
    for day in days:
        for start, end in hours:
            for minute in range(day * DAY + start, day * DAY + end):
                minutes[minute % len(minutes)] = 1
    return all(minutes)


def _texts(texts: str | Iterable[str]) -> Iterable[str]:
    return [texts] if isinstance(texts, str) else texts


def _window(text: str) -> tuple[int, int]:
    found = _WINDOW.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is not a window; write it like 09:00-18:00")
    start, end = (_minute(*found.group(n, n + 1)) for n in (1, 3))
    if start == DAY:
        raise ValueError(f"{text!r} starts at the end of the day; write 00:00")
    if start == end:
        raise ValueError(f"{text!r} opens and closes at the same minute; for the whole day leave `hours` out")
    return start, end if end > start else end + DAY


def _minute(hour: str, minute: str) -> int:
    if int(minute) > 59 or int(hour) * 60 + int(minute) > DAY:
        raise ValueError(f"{hour}:{minute} is not a time of the day; write 00:00 to 24:00")
    return int(hour) * 60 + int(minute)


def _day(name: str) -> int:
    for names in (DAY_NAMES, _LONG):
        if name.lower() in names:
            return names.index(name.lower())
    raise ValueError(f"{name!r} is not a day; write {', '.join(DAY_NAMES)}, or a range such as mon-fri")


def _shown(start: int, end: int) -> str:
    return f"{_clock(start)}-{_clock(end if end <= DAY else end - DAY)}"


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"
