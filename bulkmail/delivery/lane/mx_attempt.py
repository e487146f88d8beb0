"""One attempt to get one connection: to at most five addresses of the site, in preference order, until one is ready.

The next address is tried after a connect failure, a greeting that is no 2xx, EHLO and HELO refused, a failed TLS
handshake (after the same address once in clear, where TLS is opportunistic), and a 421 before MAIL. Once a session is
ready the attempt is over and its owner listens to the connection.

An address is passed over, and does not count, where other sites hold all its slots or its pace allows no connection
just now. It has not failed, so only hosts of the same preference may be tried in its stead: one of a worse preference
is for when the better ones fail (RFC 5321 5.1); backup hosts greylist, or take what the first would refuse. The same
holds for a host that says that we have too many connections, while some connections of the site work. An attempt that
passed an address over has not failed, whatever the other addresses say, and it does not try addresses that are
remembered dead: it is abandoned, and its owner tries again.
"""

from __future__ import annotations

from math import inf
from typing import Protocol

from bulkmail.delivery.connector import Connector
from bulkmail.delivery.lane.quirks import ServerQuirks
from bulkmail.delivery.limits import Limiters, SharedLimiter
from bulkmail.delivery.pause import Pause
from bulkmail.delivery.relay import Destination
from bulkmail.delivery.sources import Sources
from bulkmail.mail import Category, Fate, Outcome, OwnFault, Peer, Stage
from bulkmail.net import ConnectionListener, LiveConnection, NothingSent
from bulkmail.routing import ENFORCED, WALK, Site, Stop, tls_policy
from bulkmail.shaping import ANY_SOURCE, Limits, Source, classify
from bulkmail.smtp import Closed, TlsMode

_NO_ADDRESS = Outcome(Fate.LOST, Stage.DNS, note="none of its hosts has an address", category=Category.ROUTING)
_ENFORCED = "the receiver's own policy (MTA-STS) lets no mail through without TLS and a valid certificate"
_NO_WAY = _NO_ADDRESS._replace(note="its hosts have no address of the IP versions that this machine sends over")


class AttemptOwner(Protocol):
    """What an attempt was made for: it hears of its end."""

    @property
    def connections(self) -> int:
        """Open connections to the site."""

    def attempt_connected(self, attempt: MxAttempt, connection: LiveConnection) -> None:
        """A host of the site has answered and the session is ready."""

    def attempt_failed(self, attempt: MxAttempt, outcome: Outcome) -> None:
        """No host of the site could be used; ``outcome`` is the last one's."""

    def attempt_abandoned(self, attempt: MxAttempt) -> None:
        """The attempt was given up for a reason of our own; no recipient is charged."""


class MxAttempt(NothingSent):
    """Listens to the connections that it opens until one is ready, then makes ``listener`` that one's.

    ``began``: when it was made, on the wall clock. ``full``: the addresses that were passed over for want of a slot.
    ``again_at``: the time, on the reactor's clock, when the first of the others that were passed over may be connected
    to.
    """

    def __init__(
        self,
        owner: AttemptOwner,
        destination: Destination,
        *,
        listener: ConnectionListener,
        tls: TlsMode,
        quirks: ServerQuirks,
        connector: Connector,
        limiters: Limiters,
        pause: Pause,
        sources: Sources,
    ) -> None:
        self._owner = owner
        self._site, self._source, self._relay = destination
        self._sources = sources
        self._listener = listener
        self._tls = tls
        self._quirks = quirks
        self._connector = connector
        self._limiters = limiters
        self._clocks = connector.clocks
        self._pause = pause
        self.began = self._clocks.wall()
        self._stops = connector.plan(self._site, self._source)
        self._at = 0
        self._tried: set[str] = set()  # the addresses that it has connected to
        self._worst = inf  # hosts of a worse preference than this are left alone
        self.full: list[SharedLimiter] = []
        self.again_at = inf
        self._in_clear = False
        self._connection: LiveConnection | None = None
        self._last: Outcome | None = None
        self._fault = ""  # what the operator has to mend at the relay, as the first address showed it
        self._renewed = False
        self._stopped = False

    def start(self) -> None:
        """Try the first address."""
        self._try()

    def stop(self) -> None:
        """Give up; the owner hears `attempt_abandoned`."""
        self._stopped = True
        if self._connection is not None:
            self._connection.abort("stopped")

    def _try(self) -> None:
        if self._stopped:
            self._owner.attempt_abandoned(self)
            return
        now = self._clocks.now()
        while self._at < len(self._stops) and not self._enough:
            stop = self._stops[self._at]
            if self._leave_alone(stop, now):
                self._step()
                continue
            if self._relay is not None and not self._relay.prepared:
                self._relay.prepare(self._prepared)
                return
            address = self._limiters.of_address(stop.ip, self._site.provider, now, self._source)
            at = now if address is None else address.limiter.may_open(now)
            if address is not None and (at is None or at > now):
                self._pass_over(stop, address, at)
                continue
            self._connect(stop, address, now)
            return
        self._exhausted()

    def _connect(self, stop: Stop, address: SharedLimiter | None, now: float) -> None:
        if address is not None:
            address.limiter.opened(now)
        self._tried.add(stop.ip)
        try:
            self._connection = self._connector.connect(
                stop,
                tls=TlsMode.OFF if self._in_clear else self._tls,
                tls_policy=tls_policy(self._site.policy, str(self._tls)),
                groups=self._quirks.groups,
                chunks=self._quirks.chunks,
                patient=self._at == len(self._stops) - 1 or len(self._tried) == WALK,
                listener=self,
                source=self._source,
                site=self._site,
            )
        except OwnFault as fault:
            if address is not None:
                address.closed(now)
            self._pause.own_fault(str(fault))
            self._owner.attempt_abandoned(self)

    def _leave_alone(self, stop: Stop, now: float) -> bool:
        worse = stop.preference > self._worst
        return worse or (self._passed_over and self._connector.hosts(self._source).dead_until(stop.ip, now) is not None)

    @property
    def _enough(self) -> bool:
        """Whether the next address would be one too many; the last one may be tried again, in clear."""
        return len(self._tried) >= WALK and self._stops[self._at].ip not in self._tried

    def _prepared(self, fault: str) -> None:
        """Go on with a token to sign in with; ``fault`` says why there is none."""
        if fault and not self._stopped:
            self._relay_fault(fault)
            self._owner.attempt_abandoned(self)
        else:
            self._try()

    def _relay_fault(self, text: str) -> None:
        assert self._relay is not None
        self._relay.pause_for(text)

    def _exhausted(self) -> None:
        if self._fault:
            self._relay_fault(self._fault)
        if self._fault or self._passed_over:
            self._owner.attempt_abandoned(self)
        else:
            unreached = _NO_WAY if any(host.addresses for host in self._site.hosts) else _NO_ADDRESS
            self._owner.attempt_failed(self, self._last or unreached)

    @property
    def _passed_over(self) -> bool:
        return bool(self.full) or self.again_at < inf

    def _pass_over(self, stop: Stop, address: SharedLimiter, at: float | None) -> None:
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

    def connection_ready(self, conn: LiveConnection) -> None:
        """Hand the connection to the owner."""
        self._connector.hosts(self._source).worked(conn.peer.ip)
        self._connector.met.ready(self._site, self._source, conn.peer)
        self._sources.worked(self._source)
        conn.listener = self._listener
        self._owner.attempt_connected(self, conn)

    def connection_closed(self, conn: LiveConnection, closed: Closed, peer: Peer) -> None:
        """Remember that the address does not work, and try the next one."""
        stop = self._stops[self._at]
        ip = stop.ip
        now = self._clocks.now()
        address = self._limiters.of_address(ip, self._site.provider, now, self._source)
        if address is not None:
            address.closed(now)
        self._connection = None
        if self._stopped:
            self._owner.attempt_abandoned(self)
            return
        if closed.own_fault:
            self._own_fault(closed)
            return
        if self._relay is not None and not self._fault:
            self._fault = self._relay.fault_of(closed)
        self._last = closed.outcome(peer)
        if self._site.policy == ENFORCED and closed.stage is Stage.STARTTLS:
            self._last = self._last._replace(note=f"{closed.reason}; {_ENFORCED}")
        if closed.stage is Stage.STARTTLS and conn.resuming:
            self._try()  # the session that was offered may be at fault; it is forgotten: once more without
        elif conn.wants_small_hello:
            self._connector.hello_unanswered(ip)
            self._try()
        elif closed.tls_failed and not self._in_clear and self._tls is TlsMode.OPPORTUNISTIC:
            self._connector.tls_failed(ip)
            self._connector.tls_broken(ip)
            self._in_clear = True
            self._try()
        else:
            if closed.tls_failed:
                self._connector.tls_failed(ip)
            again = None
            if not classify(self._last).signal:
                connected = closed.stage is not Stage.CONNECT
                tried = connected or closed.category is Category.CONNECTION
                again = self._connector.hosts(self._source).failed(
                    ip, self._clocks.now(), connected=connected if tried else None
                )
            elif self._owner.connections:
                self._worst = min(self._worst, stop.preference)
            self._connector.met.failed(self._site, self._source, peer, closed.reason, again)
            self._next()

    def _own_fault(self, closed: Closed) -> None:
        relay = self._relay
        if closed.source_fault:
            self._sources.rest(self._source, closed.reason)
        elif relay is None or closed.stage is not Stage.AUTH:
            self._pause.own_fault(closed.reason)
        elif not self._renewed and relay.renew():
            self._renewed = True  # the token may only have been too old: once more with another
            self._try()
            return
        else:
            self._relay_fault(relay.fault_of(closed))
        self._owner.attempt_abandoned(self)


class MxAttempts:
    """Makes attempts: what the attempts of all lanes share."""

    def __init__(self, *, connector: Connector, limiters: Limiters, pause: Pause, sources: Sources) -> None:
        self._connector = connector
        self._limiters = limiters
        self._pause = pause
        self._sources = sources

    def new(
        self,
        owner: AttemptOwner,
        site: Site,
        source: Source = ANY_SOURCE,
        *,
        listener: ConnectionListener,
        limits: Limits,
        quirks: ServerQuirks,
    ) -> MxAttempt:
        """Make one attempt to connect to ``site`` from ``source``; ``listener`` will listen to the session."""
        return MxAttempt(
            owner,
            Destination(site, source, self._connector.relays.get(site.provider)),
            listener=listener,
            tls=self._connector.tls_mode(site, limits),
            quirks=quirks,
            connector=self._connector,
            limiters=self._limiters,
            pause=self._pause,
            sources=self._sources,
        )
