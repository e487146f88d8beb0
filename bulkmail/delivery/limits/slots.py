"""What one lane takes of the limits: the slots of its connections, and the permit of its next message."""

from __future__ import annotations

from bulkmail.delivery.limits.limiters import BoundedPool, Limiters, SharedLimiter, SlotPool, Waiter
from bulkmail.net import LiveConnection
from bulkmail.shaping import ANY_SOURCE, Source

SOON = 0.0005  # seconds: what is permitted this soon is done now, since a timer would cost more
ON_ITS_WAY = 1.0  # seconds: what a close or a greeting says may be about what was handed over so long ago


class ConnectionSlots:
    """The slots that one site's connections take: of the whole process, of its ``limiter``, and of the remote address.

    ``proven``: the site has answered the last message; until then its connections count as unproven. The permit of the
    next message is booked ahead on the meters and kept until it is used.
    """

    __slots__ = (
        "_limiters",
        "_open",
        "_parked",
        "_permit_at",
        "_permit_of",
        "_provider",
        "_source",
        "limiter",
        "proven",
    )

    def __init__(self, limiters: Limiters, limiter: SharedLimiter, provider: str, source: Source = ANY_SOURCE) -> None:
        self._limiters = limiters
        self.limiter = limiter
        self._provider = provider
        self._source = source
        self._parked: set[LiveConnection] = set()  # registered as idle with the pools
        self._open = 0
        self._permit_at: float | None = None
        self._permit_of = 0  # what the limiter had voided when it was booked
        self.proven = False

    def message_at(self, connection: LiveConnection, now: float) -> float:
        """Return when the next message may go over this connection, on the reactor's clock."""
        at, limiter = self._permit_at, self.limiter.limiter
        if at is None or self._permit_of != limiter.voided:
            at = limiter.reserve(now)
            self._permit_of = limiter.voided
            address = self._limiters.of_address(connection.peer.ip, self._provider, now, self._source)
            if address is not None:
                at = max(at, address.limiter.reserve(now))
            self._permit_at = at
        return at

    def use_permit(self) -> None:
        """Use the permit: the next message needs another one."""
        self._permit_at = None

    def take_permit(self, connection: LiveConnection, now: float) -> bool:
        """Use the permit if the message may go now; whether it may."""
        permitted = self.message_at(connection, now) <= now + SOON
        if permitted:
            self._permit_at = None
        return permitted

    @property
    def scarce(self) -> bool:
        """Whether few connections of the process are left."""
        return self._limiters.total.scarce

    def connection_at(self, now: float) -> float | SlotPool:
        """Return when the next connection may be opened, or the pool that has no slot left."""
        at = self.limiter.limiter.may_open(now)
        if at is None:
            return self.limiter
        if at > now + SOON:
            return at
        return self._lacking() or at

    def park(self, connection: LiveConnection, owner: Waiter, now: float) -> None:
        """Register as evictable; close it if another lane waits or the limiter is over its limit."""
        if connection in self._parked:
            return
        pools = self._pools(connection, now)
        for pool in pools:
            if pool.waiting:
                owner.let_go(connection)
                return
        if self.limiter.limiter.surplus:
            owner.let_go(connection)
            return
        self._parked.add(connection)
        for pool in pools:
            pool.park(connection, owner)

    def unpark(self, connection: LiveConnection, now: float) -> None:
        """Remove from the evictable connections, if registered: it is in use, or closed."""
        if connection in self._parked:
            self._parked.discard(connection)
            for pool in self._pools(connection, now):
                pool.unpark(connection)

    def opened(self, now: float) -> None:
        """Take the slots of a connection that is being opened; its address is not known yet."""
        self.limiter.limiter.opened(now)
        self._limiters.total.opened()
        self._open += 1
        if not self.proven:
            self._limiters.total.unproven.opened()

    def _lacking(self) -> BoundedPool | None:
        total = self._limiters.total
        if not (self.proven or total.unproven.room):
            return total.unproven
        return None if total.room else total

    def refused(self, now: float, signal: str) -> None:
        """Slow down: the receiver complained instead of taking one more connection, whose slots are free already."""
        limiter = self.limiter.limiter
        if signal == "connections":
            limiter.refuse_connection(now, limiter.open)
        else:
            limiter.slow_down(now, signal, now - ON_ITS_WAY)

    def prove(self, proven: bool) -> None:
        """Count the site's connections as proven, or not: a message was answered, or it was not."""
        if proven is self.proven:
            return
        self.proven = proven
        unproven = self._limiters.total.unproven
        for _ in range(self._open):
            if proven:
                unproven.closed()
            else:
                unproven.opened()

    def closed(self, connection: LiveConnection, ip: str, now: float) -> None:
        """Free the slots of a connection to ``ip`` that has ended."""
        self.unpark(connection, now)
        address = self._limiters.of_address(ip, self._provider, now, self._source)
        if address is not None:
            address.closed(now)
        self.not_opened(now)

    def not_opened(self, now: float) -> None:
        """Free the slots of a connection that did not come about."""
        self._open -= 1
        self.limiter.closed(now)
        self._limiters.total.closed()
        if not self.proven:
            self._limiters.total.unproven.closed()

    def _pools(self, connection: LiveConnection, now: float) -> list[SlotPool]:
        address = self._limiters.of_address(connection.peer.ip, self._provider, now, self._source)
        pools: list[SlotPool] = [self._limiters.total, self.limiter]
        return pools if address is None else [*pools, address]
