"""Durations, rates and moments as they are written: ``500ms 30s 10m 2h 3d``, ``100/s``, ``5000/h,burst=10``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction

from bulkmail.mail.errors import UnitError

_SECONDS = {"ms": Fraction(1, 1000), "s": Fraction(1), "m": Fraction(60), "h": Fraction(3600), "d": Fraction(86400)}
_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h|d)", re.ASCII)
_SAID = re.compile(r"(\d{1,9}(?:\.\d{1,3})?)\s*([a-z]{1,7})", re.ASCII)
_UNITS = {
    "ms": "ms",
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), "s"),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), "m"),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), "h"),
    **dict.fromkeys(("d", "day", "days"), "d"),
}
_RATE = re.compile(r"(\d{1,9})/(s|m|h|d)(?:,\s*burst=(\d{1,9}))?", re.ASCII)
_SHORTEST = Fraction(1, 10)
# seconds: a tenth above the rate after a quiet time, so that no second has more than a fifth above it at the receiver,
# though some messages take a tenth of a second longer than others to get there
_AT_ONCE = 0.1


def parse_duration(text: object) -> float:
    """Return the seconds of ``500ms``, ``30s``, ``10m``, ``2h``, ``3d``. Raises UnitError, also under 100 ms."""
    found = _DURATION.fullmatch(text.strip()) if isinstance(text, str) else None
    if found is None:
        raise UnitError(f"{text!r} is not a duration; write a number and a unit, such as 500ms, 30s, 10m, 2h or 3d")
    seconds = Fraction(found.group(1)) * _SECONDS[found.group(2)]
    if seconds < _SHORTEST:
        raise UnitError(f"{text!r} is too short; the shortest duration is 100ms")
    return float(seconds)


def read_duration(text: str) -> float:
    """Return the seconds of a duration that a person types: also ``2 hours``, ``30 min``, ``1 Day``. Raises UnitError.

    What files have is read by `parse_duration`: there each duration is written in one way.
    """
    found = _SAID.fullmatch(text.strip().lower())
    unit = _UNITS.get(found.group(2)) if found else None
    if found is None or unit is None:
        raise UnitError(f"{text!r} is not a duration; write a number and a unit, such as 30 min, 2 hours, 2h or 3 days")
    return parse_duration(found.group(1) + unit)


def parse_moment(text: str) -> float:
    """Return the epoch seconds of a time in a CSV file (ISO 8601), which is UTC where it names no offset.

    Raises UnitError.
    """
    try:
        moment = datetime.fromisoformat(text.strip())
        return (moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)).timestamp()
    except (ValueError, OverflowError):
        raise UnitError(f"{text!r} is not a time such as 2026-12-01T09:30:00Z") from None


def format_duration(seconds: float) -> str:
    """Return the largest unit that says it without a fraction of more than one digit: ``90.0`` becomes ``1.5m``."""
    for unit in ("d", "h", "m", "s"):
        size = float(_SECONDS[unit])
        if seconds >= size:
            value = seconds / size
            return f"{value:.0f}{unit}" if abs(value - round(value)) < 0.05 else f"{value:.1f}{unit}"
    return f"{seconds * 1000:.0f}ms"


@dataclass(frozen=True, slots=True)
class Rate:
    """``count`` events each ``period`` seconds, with at most ``burst`` at once after a quiet time."""

    count: int
    period: float
    burst: int

    @property
    def interval(self) -> float:
        """Seconds between two events at an even pace."""
        return self.period / self.count

    def __str__(self) -> str:
        unit = {1.0: "s", 60.0: "m", 3600.0: "h", 86400.0: "d"}.get(self.period, f"{self.period:g}s")
        return f"{self.count}/{unit},burst={self.burst}"


def parse_rate(text: object) -> Rate:
    """Read ``100/s``, ``5000/h,burst=10``, ``20000/d``. Without ``burst`` that is a tenth of a second's, at least 1."""
    found = _RATE.fullmatch(text.strip()) if isinstance(text, str) else None
    if found is None:
        raise UnitError(f"{text!r} is not a rate; write count/unit, such as 100/s, 5000/h or 20000/d,burst=10")
    count, period = int(found.group(1)), float(_SECONDS[found.group(2)])
    if count == 0:
        raise UnitError(f"{text!r} would never send anything; the count must be at least 1")
    burst = int(found.group(3)) if found.group(3) else max(1, int(count / period * _AT_ONCE))
    if burst == 0:
        raise UnitError(f"{text!r}: a burst must be at least 1")
    return Rate(count, period, burst)


class Divided(float):
    """``/2``: this part (0.5) of what is in use."""

    def __str__(self) -> str:
        return f"/{1 / self:g}"


def count_of(number: int, one: str, many: str | None = None) -> str:
    """Return a figure with its noun: ``1 person``, ``1,893 people``; without ``many`` the noun with an s."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
