"""The open connections of one lane that carry nothing, and from when on other lanes may have them closed.

A connection whose slot another lane wants is closed, but not while the lane's own next messages are on their way
(claimed, being composed): that takes some hundredths of a second, and a new connection takes longer, on both sides. So
a connection to one of a hoster's many sites carries what it may, and not just the handful that was ready. Once a lane
has waited longer than `EXPECTED` (about what a new connection takes), for messages, for a meter or in a pause, its idle
connections are offered for eviction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from twisted.internet.interfaces import IReactorTime

from bulkmail.delivery.background import Wakeup
from bulkmail.delivery.limits import ConnectionSlots, Waiter
from bulkmail.net import LiveConnection

EXPECTED = 0.25  # seconds


class Idle:
    """Idle connections of ``owner``, each with the time since when; the last one in is the first one out.

    ``expecting()``: whether messages of the lane are claimed and not in flight yet.
    """

    __slots__ = ("_expecting", "_later", "_now", "_owner", "_since", "_slots")

    def __init__(
        self, owner: Waiter, slots: ConnectionSlots, reactor: IReactorTime, expecting: Callable[[], bool]
    ) -> None:
        self._owner = owner
        self._slots = slots
        self._expecting = expecting
        self._now: Callable[[], float] = reactor.seconds
        self._later = Wakeup(reactor, self.offer)
        self._since: dict[LiveConnection, float] = {}

    def __len__(self) -> int:
        return len(self._since)

    def __iter__(self) -> Iterator[LiveConnection]:
        return iter(list(self._since))

    def last(self) -> LiveConnection | None:
        """Return the connection that has been idle for the shortest time."""
        return next(reversed(self._since)) if self._since else None

    def add(self, connection: LiveConnection, now: float) -> None:
        """Add a connection that carries nothing any more."""
        self._since[connection] = now

    def discard(self, connection: LiveConnection, now: float) -> None:
        """Remove a connection that is in use or closed, if present."""
        if self._since.pop(connection, None) is not None:
            self._slots.unpark(connection, now)

    def offer(self) -> None:
        """Offer idle connections for eviction once no message is expected."""
        if not self._since:
            return
        now = self._now()
        wait = EXPECTED if self._expecting() else 0.0
        last = next(reversed(self._since.values())) + wait
        if last > now:
            self._later.at(last)
        for connection in self.longer_than(wait):
            if connection in self._since:  # closing one may wake another lane, and that one wakes this lane
                self._slots.park(connection, self._owner, now)

    def longer_than(self, seconds: float) -> list[LiveConnection]:
        """Return the connections that have been idle for so long."""
        now = self._now()
        return [connection for connection, since in self._since.items() if since + seconds <= now]
