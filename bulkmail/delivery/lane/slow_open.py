"""The connections that one lane is opening, and the back-off after attempts that brought none ("slow open")."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Protocol

from bulkmail.delivery.background import Wakeup
from bulkmail.delivery.clocks import Clocks
from bulkmail.delivery.lane.backlog import Backlog
from bulkmail.delivery.lane.mx_attempt import MxAttempt
from bulkmail.delivery.limits import ConnectionSlots, SharedLimiter, Waiter
from bulkmail.mail import Outcome
from bulkmail.net import LiveConnection
from bulkmail.shaping import classify

_REFUSED_WAIT = 60.0  # seconds without another connection after one was refused while others work
_LATE = 2.0  # seconds for which a server may still count a connection that has ended
_FIRST_BACK_OFF = 1.0  # seconds; doubles. A server may count a connection for a moment longer than it lasts
_PROVEN = 10.0  # seconds for which an attempt that worked stands for the next ones
_FULL = 1.0  # seconds until retrying an address at its connection limit, unless woken earlier


class OpeningLane(Waiter, Protocol):
    """The lane that connections are opened for."""

    @property
    def closed(self) -> bool:
        """Whether it needs no connections any more."""

    @property
    def connections(self) -> int:
        """Open connections."""

    def session_ready(self, connection: LiveConnection) -> None:
        """A session takes its first transaction."""


class SlowOpen:
    """Attempts under way. Times are on the reactor's clock.

    ``new_attempt(owner)`` makes one, ``refused(outcome)`` hears of those that failed. ``not_before``: no connection is
    opened before. ``no_more_before``: none is while the lane has others.
    """

    def __init__(
        self,
        lane: OpeningLane,
        backlog: Backlog,
        slots: ConnectionSlots,
        *,
        clocks: Clocks,
        wakeup: Wakeup,
        refused: Callable[[Outcome], None],
        new_attempt: Callable[[SlowOpen], MxAttempt],
    ) -> None:
        self.not_before = 0.0
        self.no_more_before = 0.0
        self.gained_at = -inf
        self._lane = lane
        self._backlog = backlog
        self._slots = slots
        self._clocks = clocks
        self._wakeup = wakeup
        self._refused = refused
        self._new_attempt = new_attempt
        self._attempts: set[MxAttempt] = set()
        self._back_off = _FIRST_BACK_OFF
        self._worked_at = -inf
        self._window = 1  # attempts at once, as far as those of the last seconds worked
        self._full: list[SharedLimiter] = []  # addresses without a slot, as the last attempt found
        self._full_until = 0.0

    def __len__(self) -> int:
        return len(self._attempts)

    @property
    def connections(self) -> int:
        """Open connections of the lane."""
        return self._lane.connections

    @property
    def waiting_since(self) -> float:
        """Since when messages have been ready without a break, on the reactor's clock."""
        return self._backlog.waiting_since

    def room(self, now: float) -> bool:
        """Return whether one more attempt may begin: one at a time at first, and one more with each that works.

        As many as there are connections may always be under way. That alone would starve a lane whose connections carry
        few messages and are slow to open: nearly all of them would be opening, and few open.
        """
        window = self._window if self._proven(now) else 1
        return len(self._attempts) < max(window, self._lane.connections + 1)

    def _proven(self, now: float) -> bool:
        """Return whether an attempt worked a moment ago."""
        return now < self.gained_at + self._clocks.scaled(_PROVEN)

    def open(self, now: float) -> None:
        """Start an attempt to open one more connection."""
        self._slots.opened(now)
        attempt = self._new_attempt(self)
        self._attempts.add(attempt)
        attempt.start()

    def waits(self, now: float, *, connected: bool) -> bool:
        """Return whether no address could be used a moment ago, and none of the full ones has woken the lane since."""
        if now >= self._full_until:
            return False
        return connected or all(address.waits(self._lane) for address in self._full)

    def connection_closed(self, now: float) -> None:
        """Note that a connection that worked is gone."""
        self._worked_at = now

    def stop(self) -> None:
        """Give up all attempts."""
        for attempt in list(self._attempts):
            attempt.stop()

    # what an attempt tells

    def attempt_connected(self, attempt: MxAttempt, connection: LiveConnection) -> None:
        """Hand the session to the lane."""
        self._attempts.discard(attempt)
        self._back_off = _FIRST_BACK_OFF
        now = self._clocks.now()
        self._window = max(self._window, self._lane.connections) + 1 if self._proven(now) else 2
        self.gained_at = now
        self._backlog.suspension.reached()
        self._lane.session_ready(connection)

    def attempt_failed(self, attempt: MxAttempt, outcome: Outcome) -> None:
        """Open fewer connections where others work, else call the site failed: no host could be used.

        Where the server speaks of a limit, its count of the connections that we had may only be late.
        """
        self._window = 1
        self.attempt_abandoned(attempt)
        self._refused(outcome)
        now, signal = self._clocks.now(), classify(outcome).signal
        late = now <= self._worked_at + self._clocks.scaled(_LATE)
        if not (signal == "connections" and late):
            self._slots.refused(now, signal)
        if self._lane.connections or self._attempts:
            # the limiter knows by now how many it takes, so those that end may be replaced
            wait = _LATE if signal == "connections" else _REFUSED_WAIT
            self.no_more_before = now + self._clocks.scaled(wait)
        elif signal and now <= self._worked_at + self._clocks.scaled(_REFUSED_WAIT):
            self.not_before = now + self._clocks.scaled(self._back_off)
            self._back_off *= 2
            self._wakeup.at(self.not_before)
        else:
            self._slots.prove(False)
            self._backlog.fail(outcome, attempt.began)

    def attempt_abandoned(self, attempt: MxAttempt) -> None:
        """Forget an attempt that brought no connection; no recipient is charged for it."""
        self._attempts.discard(attempt)
        self._slots.not_opened(self._clocks.now())
        if self._lane.closed:
            return
        if attempt.again_at < inf:
            self._wakeup.at(attempt.again_at)
        if not attempt.full:
            return
        if any(address.room for address in attempt.full):
            # A slot is free by now: another host took its time. A limiter may even have been dropped meanwhile, and a
            # lane that waits in a dropped one would never be woken.
            self._wakeup.now()
            return
        self._full, self._full_until = attempt.full, min(self._clocks.now() + _FULL, attempt.again_at)
        if not self._lane.connections:
            for address in attempt.full:
                address.wait(self._lane, self._backlog.next_run)
