"""The open connections of one lane that carry nothing, and from when on they are anybody's.

A connection whose place another lane wants is given up, but not while the lane's own next messages are on their way
(claimed, being composed): that takes some hundredths of a second, and a new connection takes more, of both sides. So a
connection to one of a hoster's many sites carries what it may, and not the handful that was ready. Whoever waits longer
than `EXPECTED` (about what a new connection takes), for messages, for a meter or in a pause, does so at nobody's cost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from bulkmail.delivery.background import Wakeup

if TYPE_CHECKING:
    from bulkmail.delivery.lane import Lane
    from bulkmail.delivery.seats import Seats
    from bulkmail.net import Connection

EXPECTED = 0.25  # seconds


class Idle:
    """Idle connections, each with the time since when; the last one in is the first one out."""

    __slots__ = ("_lane", "_later", "_now", "_seats", "_since")

    def __init__(self, lane: Lane, seats: Seats, reactor: Any) -> None:
        self._lane = lane
        self._seats = seats
        self._now: Callable[[], float] = reactor.seconds
        self._later = Wakeup(reactor, self.offer)
        self._since: dict[Connection, float] = {}

    def __len__(self) -> int:
        """How many."""
        return len(self._since)

    def __iter__(self) -> Iterator[Connection]:
        return iter(list(self._since))

    def last(self) -> Connection:
        """The one that has been idle for the shortest time. Raises StopIteration where there is none."""
        return next(reversed(self._since))

    def add(self, connection: Connection, now: float) -> None:
        """It has nothing to do."""
        self._since[connection] = now

    def discard(self, connection: Connection, now: float) -> None:
        """It works, or is of no more use."""
        if self._since.pop(connection, None) is not None:
            self._seats.busy(connection, now)

    def offer(self) -> None:
        """Those that nothing is on its way for are anybody's: known as idle, or let go where somebody waits already."""
        if not self._since:
            return
        now, lane = self._now(), self._lane
        wait = EXPECTED if lane.held > lane.in_flight else 0.0
        last = self._since[self.last()] + wait
        if last > now:
            self._later.at(last)
        for connection in self.longer_than(wait):
            if connection in self._since:  # one that leaves may wake somebody who wakes this lane
                self._seats.park(connection, lane, now)

    def longer_than(self, seconds: float) -> list[Connection]:
        """Those that have been idle for so long."""
        now = self._now()
        return [connection for connection, since in self._since.items() if since + seconds <= now]
