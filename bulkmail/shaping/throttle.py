"""Slowing down when a receiver asks for it, and creeping back while it accepts our mail.

One signal halves the factor, at most once in `COMPLAINT_SETTLE` seconds: ten connections that hear the same complaint
in one second are one complaint. Success adds a tenth, at most once in ``_STEP`` seconds. From the floor of 1/1024 back
to the whole limit takes about 37 minutes of steady success. The field's tools drop to a fixed value for a fixed time
and then return to the rate that was refused; this finds the receiver's own level and stays near it.
"""

from __future__ import annotations

_FLOOR = 1 / 1024
COMPLAINT_SETTLE = 10.0  # seconds
_STEP = 30.0
_GROWTH = 1.1


class Throttle:
    """The factor of a limit that a receiver lets us use: 1.0 is all of it, ``floor`` the least. Times in seconds."""

    __slots__ = ("_deaf_until", "_floor", "_grow_at", "factor")

    def __init__(self, factor: float = 1.0, floor: float = _FLOOR) -> None:
        self.factor = min(1.0, max(floor, factor))
        self._floor = floor
        self._deaf_until = float("-inf")
        self._grow_at = float("-inf")

    def signal(self, now: float) -> bool:
        """Halve the factor after a complaint. Return whether it changed."""
        self._grow_at = now + _STEP
        if now < self._deaf_until or self.factor <= self._floor:
            return False
        self._deaf_until = now + COMPLAINT_SETTLE
        self.factor = max(self._floor, self.factor / 2)
        return True

    def success(self, now: float) -> bool:
        """Raise the factor by a tenth after an accepted message. Return whether it changed."""
        if self.factor >= 1.0 or now < self._grow_at:
            return False
        self._grow_at = now + _STEP
        self.factor = min(1.0, self.factor * _GROWTH)
        return True

    def __repr__(self) -> str:
        return f"<Throttle {self.factor:.4g}>"
