"""The time of day for a process whose machine's clock may be set under its feet, or that was asleep.

Between two looks it runs by the monotonic clock, so no wait is cut short or stretched. A clock set forward is followed,
for what is written into messages should be right; the time that was left out is nobody's waiting time. A clock set back
is not followed until the next start: what waits would wait for that much longer.
"""

from __future__ import annotations

from collections.abc import Callable

_TOLERATED = 2.0  # seconds: corrections by a time service, a leap second


class WallClock:
    """Called, it gives the time of day in seconds. ``system``: the machine's clock; ``steady``: a monotonic one."""

    def __init__(self, system: Callable[[], float], steady: Callable[[], float]) -> None:
        self._system = system
        self._steady = steady
        self._offset = system() - steady()
        self._behind = 0.0

    def __call__(self) -> float:
        """The time of day."""
        return self._offset + self._steady()

    def look(self) -> float:
        """Compare with the machine's clock: by how many seconds somebody set it since the last look; mostly 0."""
        off = self._system() - self()
        if off < -_TOLERATED:
            set_back, self._behind = off - self._behind, off
            return set_back if abs(set_back) > _TOLERATED else 0.0
        self._offset += off
        self._behind = 0.0
        return off if off > _TOLERATED else 0.0
