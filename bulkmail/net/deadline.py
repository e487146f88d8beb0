"""One deadline that moves often, on one timer that moves rarely.

Each command moves the deadline; cancelling and making a timer each time would cost more than the command. So the
timer stays where it is as long as it fires no later than the deadline, and looks again when it fires.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime

_ASLEEP = 1.0  # seconds: no event loop of ours is that late
_GRACE = 0.1


def _ignore() -> None:
    """Stand in for ``expired`` once the deadline is cancelled."""


class Deadline:
    """Calls ``expired`` once the time set has passed. ``clock`` gives monotonic seconds."""

    __slots__ = ("_at", "_clock", "_expired", "_reactor", "_timer", "_timer_at")

    def __init__(self, reactor: IReactorTime, clock: Callable[[], float], expired: Callable[[], None]) -> None:
        self._reactor = reactor
        self._clock = clock
        self._expired = expired
        self._at: float | None = None
        self._timer: IDelayedCall | None = None
        self._timer_at = 0.0

    def start(self, seconds: float) -> None:
        """Expire in ``seconds``, whatever was set before."""
        now = self._clock()
        self._at = at = now + seconds
        if self._timer is None:
            self._arm(at, seconds)
        elif self._timer_at > at:
            # Not `reset`: to move a timer forward, the reactor looks for it among all timers, one by one
            self._timer.cancel()
            self._arm(at, seconds)

    def stop(self) -> None:
        """Do not expire until started again."""
        self._at = None

    def cancel(self) -> None:
        """Stop for good: no timer stays behind, and ``expired`` is let go."""
        self._at = None
        self._expired = _ignore  # else the two hold each other until a garbage collection
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self, at: float, seconds: float) -> None:
        self._timer_at = at
        self._timer = self._reactor.callLater(seconds, self._fired)

    def _fired(self) -> None:
        self._timer = None
        if self._at is None:
            return
        left = self._at - self._clock()
        if left < -_ASLEEP:
            # The process was stopped, or the machine slept: what has arrived meanwhile is read before this fires again.
            self._at += _GRACE - left
            left = _GRACE
        if left > 0:
            self._arm(self._at, left)
        else:
            self._at = None
            self._expired()
