"""The clocks of one process: the reactor's, which waits are measured by, and the time of day, which is written down.

The machine's clock may be set while the process runs, and the machine may sleep. Between two checks the time of day
runs by the monotonic clock, so that no wait is cut short or stretched. A clock that was set forward is followed,
because what is written into messages should be right; the seconds that it skipped count as no recipient's waiting time.
A clock that was set back is not followed until the next start: every wait would last that much longer.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime

_TOLERATED = 2.0  # seconds: corrections by a time service, a leap second


class Clocks:
    """``now``: the monotonic clock of ``reactor``, in seconds. ``wall``: the time of day, in seconds since 1970.

    ``speed`` divides the waits that no setting names; a rehearsal's settings are divided already.
    """

    __slots__ = ("now", "reactor", "speed", "wall")

    def __init__(self, reactor: IReactorTime, wall: Callable[[], float], speed: float = 1.0) -> None:
        self.reactor = reactor
        self.now: Callable[[], float] = reactor.seconds
        self.wall = wall
        self.speed = speed

    def scaled(self, seconds: float) -> float:
        """Return ``seconds`` as a rehearsal waits them."""
        return seconds / self.speed


class WallClock:
    """Called, it gives the time of day in seconds. ``system``: the machine's clock; ``steady``: a monotonic one."""

    def __init__(self, system: Callable[[], float], steady: Callable[[], float]) -> None:
        self.steady = steady
        self._system = system
        self._offset = system() - steady()
        self._behind = 0.0

    def __call__(self) -> float:
        """Return the time of day, in seconds since 1970."""
        return self._offset + self.steady()

    def look(self) -> float:
        """Compare with the machine's clock: the seconds by which it was set since the last call, mostly 0."""
        off = self._system() - self()
        if off < -_TOLERATED:
            set_back, self._behind = off - self._behind, off
            return set_back if abs(set_back) > _TOLERATED else 0.0
        self._offset += off
        self._behind = 0.0
        return off if off > _TOLERATED else 0.0
