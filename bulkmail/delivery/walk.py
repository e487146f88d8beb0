"""One attempt to get one connection: to at most five addresses of the site, in preference order, until one is ready.

The next address is tried after a connect failure, a greeting that is no 2xx, EHLO and HELO refused, a failed TLS
handshake (after the same address once in clear, where TLS is opportunistic), and a 421 before MAIL. Once a session is
ready the walk is over and the lane owns the connection.

An address is passed over, and does not count, where other sites hold all its places or its pace allows no connection
just now. It has not failed, so only hosts of the same preference may be tried in its stead: one of a worse preference
is for when the better ones fail (RFC 5321 5.1); backup hosts greylist, or take what the first would refuse. So it is
with a host that says that we have too many connections, while the lane has some that work. A walk that passed an
address over has not failed, whatever the others say, and it does not try those that are remembered dead: it steps
back, and the lane comes again.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from bulkmail.mail import Category, Fate, Outcome, OwnFault, Peer, Stage
from bulkmail.routing import WALK, Stop
from bulkmail.shaping import classify
from bulkmail.smtp import Closed, Settled, Transaction

if TYPE_CHECKING:
    from bulkmail.delivery.gates import SharedGate
    from bulkmail.delivery.lane import Lane
    from bulkmail.delivery.street import Street
    from bulkmail.net import Connection

_NOWHERE = Outcome(Fate.LOST, Stage.DNS, note="none of its hosts has an address", category=Category.ROUTING)


class NothingSent:
    """What a connection tells of messages, to somebody who sends none."""

    def about_to_dot(self, conn: Connection, transaction: Transaction) -> None:
        """It cannot come to that."""
        raise AssertionError((conn, transaction))

    def may_follow(self, conn: Connection) -> None:
        """It cannot come to that."""
        raise AssertionError(conn)

    def settled(self, conn: Connection, transaction: Transaction, index: int, event: Settled, peer: Peer) -> None:
        """It cannot come to that."""
        raise AssertionError((conn, transaction, index, event, peer))

    def answered(self, conn: Connection, event: Settled, peer: Peer) -> None:
        """It cannot come to that."""
        raise AssertionError((conn, event, peer))

    def transaction_over(self, conn: Connection, transaction: Transaction) -> None:
        """It cannot come to that."""
        raise AssertionError((conn, transaction))


class Walk(NothingSent):
    """Listens to the connections it opens until one is ready, then makes the lane their listener.

    ``began``: when it started, on the wall clock.
    """

    def __init__(self, lane: Lane, street: Street) -> None:
        self._lane = lane
        self._street = street
        self.began = street.wall()
        self._stops = street.plan(lane.site)
        self._at = 0
        self._tried: set[str] = set()  # the addresses that it has connected to
        self._worst = inf  # hosts of a worse preference than this are left alone
        self.full: list[SharedGate] = []  # passed over: other sites hold all their places
        self.again_at = inf  # passed over: the first of them that may be connected to again
        self._in_clear = False
        self._connection: Connection | None = None
        self._last: Outcome | None = None
        self._closed: Closed | None = None  # how the last connection ended
        self._renewed = False
        self._stopped = False

    def start(self) -> None:
        """Try the first address."""
        self._try()

    def stop(self) -> None:
        """Give up; the lane hears `walk_stopped`."""
        self._stopped = True
        if self._connection is not None:
            self._connection.abort("stopped")

    def _try(self) -> None:
        street, lane = self._street, self._lane
        if self._stopped:
            lane.walk_stopped(self)
            return
        now = street.now()
        while self._at < len(self._stops) and not self._enough:
            stop = self._stops[self._at]
            if self._leave_alone(stop, now):
                self._step()
                continue
            if street.relay is not None and not street.relay.prepared:
                street.relay.prepare(self._prepared)
                return
            address = street.gates.of_address(stop.ip, lane.site.provider, now)
            at = now if address is None else address.gate.may_open(now)
            if address is not None and (at is None or at > now):
                self._pass_over(stop, address, at)
                continue
            self._connect(stop, address, now)
            return
        self._exhausted()

    def _connect(self, stop: Stop, address: SharedGate | None, now: float) -> None:
        street, lane = self._street, self._lane
        if address is not None:
            address.gate.opened(now)
        self._tried.add(stop.ip)
        patient = self._at == len(self._stops) - 1 or len(self._tried) == WALK
        try:
            self._connection = street.connect(
                lane, stop.host, stop.ip, in_clear=self._in_clear, patient=patient, listener=self
            )
        except OwnFault as fault:
            if address is not None:
                address.closed()
            street.own_fault(str(fault))
            lane.walk_stopped(self)

    def _leave_alone(self, stop: Stop, now: float) -> bool:
        worse = stop.preference > self._worst
        return worse or (self._passed_over and self._street.memory.dead_until(stop.ip, now) is not None)

    @property
    def _enough(self) -> bool:
        """Whether the next address would be one too many; the last one may be tried again, in clear."""
        return len(self._tried) >= WALK and self._stops[self._at].ip not in self._tried

    def _prepared(self, fault: str) -> None:
        """There is a token to sign in with, or ``fault`` says why there is none."""
        if fault and not self._stopped:
            self._street.relay_fault(fault)
            self._lane.walk_stopped(self)
        else:
            self._try()

    def _exhausted(self) -> None:
        relay = self._street.relay
        fault = relay.fault_of(self._closed) if relay is not None and self._closed is not None else ""
        if fault:
            self._street.relay_fault(fault)
        if fault or self._passed_over:
            self._lane.walk_stopped(self)
        else:
            self._lane.walk_failed(self, self._last or _NOWHERE)

    @property
    def _passed_over(self) -> bool:
        return bool(self.full) or self.again_at < inf

    def _pass_over(self, stop: Stop, address: SharedGate, at: float | None) -> None:
        self._worst = min(self._worst, stop.preference)
        if at is None:
            self.full.append(address)
        else:
            self.again_at = min(self.again_at, at)
        self._step()

    def _next(self) -> None:
        self._step()
        self._try()

    def _step(self) -> None:
        self._in_clear = False  # that was for this address only
        self._at += 1

    # what a connection tells

    def connection_ready(self, conn: Connection) -> None:
        """It works: the lane takes over."""
        self._street.memory.worked(conn.peer.ip)
        conn.listener = self._lane
        self._lane.walk_arrived(self, conn)

    def connection_closed(self, conn: Connection, closed: Closed, peer: Peer) -> None:
        """It does not: remember that, and try the next address."""
        street, lane = self._street, self._lane
        stop = self._stops[self._at]
        ip = stop.ip
        address = street.gates.of_address(ip, lane.site.provider, street.now())
        if address is not None:
            address.closed()
        self._connection = None
        if self._stopped:
            lane.walk_stopped(self)
            return
        self._closed = closed
        if closed.own_fault:
            self._own_fault(closed)
            return
        self._last = closed.outcome(peer)
        if closed.stage is Stage.STARTTLS and conn.resuming:
            self._try()  # it may be the session that was offered, which is forgotten now: the same once more, without
        elif conn.wants_small_hello:
            street.hello_unanswered(ip)
            self._try()
        elif closed.tls_failed and not self._in_clear and street.may_go_in_clear(lane):
            street.tls_failed(ip)
            street.tls_broken(ip)
            self._in_clear = True
            self._try()
        else:
            if closed.tls_failed:
                street.tls_failed(ip)
            if not classify(self._last).signal:
                street.memory.failed(ip, street.now())
            elif lane.connections:
                self._worst = min(self._worst, stop.preference)
            self._next()

    def _own_fault(self, closed: Closed) -> None:
        relay = self._street.relay
        if relay is None or closed.stage is not Stage.AUTH:
            self._street.own_fault(closed.reason)
        elif not self._renewed and relay.renew():
            self._renewed = True  # the token may only have been too old: once more with another
            self._try()
            return
        else:
            self._street.relay_fault(relay.fault_of(closed))
        self._lane.walk_stopped(self)
