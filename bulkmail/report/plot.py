"""The plot of deliveries over time: from buckets to bars in per cent, ticks and words. Drawn by the template as SVG."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, tzinfo
from functools import partial
from typing import NamedTuple

from bulkmail.mail import count_of
from bulkmail.report.timeline import STEPS, Bucket, merged

_MOST_BARS = 90
_FEWEST_BARS = 16
_TICKS = 5
_DAY = 86_400
_PARTS = ("delivered", "failed", "deferred")  # as the style sheet names them


class Segment(NamedTuple):
    """A part of a bar: what it counts, and its top and height in per cent of the plot's height."""

    part: str
    top: float
    height: float


class Bar(NamedTuple):
    """One bucket: its place from the left, its segments from the bottom up, and what is shown when it is pointed at."""

    place: int
    segments: tuple[Segment, ...]
    words: str


class Tick(NamedTuple):
    """A label on an axis, in per cent from the left or from the top."""

    at: float
    label: str


class Plot(NamedTuple):
    """All that the template draws. ``parts`` are those that occur at all; ``caption`` says what one bar is."""

    bars: list[Bar]
    levels: list[Tick]
    times: list[Tick]
    parts: list[str]
    caption: str


def plot(timeline: Iterable[Bucket], zone: tzinfo = UTC) -> Plot | None:
    """Return the plot of ``timeline``, its times in ``zone``; None when nothing has happened yet."""
    width, buckets = merged(timeline, _MOST_BARS)
    if not buckets:
        return None
    while len(buckets) < _FEWEST_BARS:  # a few broad slabs would say nothing
        buckets.append((buckets[-1][0] + width, 0, 0, 0))
    highest = max(sum(bucket[1:]) for bucket in buckets)
    top = _round_up(highest)
    clock = _clock(width, days=buckets[-1][0] - buckets[0][0] >= _DAY)
    return Plot(
        bars=[_bar(place, bucket, top, partial(_at, clock=clock, zone=zone)) for place, bucket in enumerate(buckets)],
        levels=[Tick(0.0, f"{top:,}"), Tick(50.0, f"{top // 2:,}")],
        times=_times(width, buckets, zone),
        parts=[part for place, part in enumerate(_PARTS, 1) if any(bucket[place] for bucket in buckets)],
        caption=f"Each bar is {_span(width)}. Times are {_named(zone, buckets[0][0])}.",
    )


def _bar(place: int, bucket: Bucket, top: int, at: Callable[[float], str]) -> Bar:
    segments = []
    reached = 0
    said = []
    for part, count in zip(_PARTS, bucket[1:], strict=True):
        if count:
            reached += count
            segments.append(Segment(part, round(100 - 100 * reached / top, 3), round(100 * count / top, 3)))
            said.append(f"{count:,} {part}")
    return Bar(place, tuple(segments), f"{at(bucket[0])}: {', '.join(said)}" if said else "")


def _times(width: int, buckets: list[Bucket], zone: tzinfo) -> list[Tick]:
    """Return a label at every round time, about five of them."""
    every = next((step for step in STEPS if step % width == 0 and step * _TICKS >= width * len(buckets)), 0)
    every = every or width * -(-len(buckets) // _TICKS)
    days = buckets[-1][0] - buckets[0][0] >= _DAY
    clock = "%-d %b" if every >= _DAY else "%H:%M" if every >= 60 else "%H:%M:%S"
    if days and every < _DAY:
        clock = f"%-d %b {clock}"
    return [
        Tick(round(100 * place / len(buckets), 3), _at(bucket[0], clock, zone))
        for place, bucket in enumerate(buckets)
        if bucket[0] % every == 0
    ]


def _clock(width: int, *, days: bool) -> str:
    """Return the strftime format of a bar's time."""
    if width >= _DAY:
        return "%-d %b"
    clock = "%H:%M:%S" if width < 60 else "%H:%M"
    return f"%-d %b {clock}" if days else clock


def _named(zone: tzinfo, at: float) -> str:
    """Return the zone as people know it: the name of the database, and what its clocks are called then."""
    short, name = _at(at, "%Z", zone), str(zone)
    return name if short in (name, "") else f"those of {name} ({short})"


def _at(at: float, clock: str, zone: tzinfo) -> str:
    try:
        return datetime.fromtimestamp(at, zone).strftime(clock)
    except (OverflowError, ValueError, OSError):
        return ""


def _round_up(number: int) -> int:
    """Return the next of 2, 4, 10, 20, 40, 100, ...: round, and half of it is whole."""
    power = 1
    while True:
        for digit in (2, 4, 6, 10):
            if digit * power >= number:
                return digit * power
        power *= 10


def _span(seconds: int) -> str:
    for length, name in ((604_800, "week"), (_DAY, "day"), (3600, "hour"), (60, "minute")):
        if seconds % length == 0:
            return count_of(seconds // length, name)
    return count_of(seconds, "second")
