"""Whether the relay lets us in, asked once before anything is sent: greeting, EHLO, STARTTLS, AUTH, QUIT.

What is wrong between our settings and the relay (`Smarthost.fault_of`) refuses the start. A relay that cannot be
reached or is busy does not: while the program runs that is an outage, and at the start it is nothing else.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from bulkmail.delivery.relay import Smarthost
from bulkmail.mail import OwnFault, Peer, Stage
from bulkmail.net import LiveConnection, NothingSent, SessionOptions, Timeouts, TlsContexts, connect
from bulkmail.routing import Site, relay_router
from bulkmail.settings import Settings
from bulkmail.smtp import Closed, TlsMode

_log = Logger("bulkmail")

_WITHIN = 10.0  # seconds for all of it, a token's command included
_CONNECT_WITHIN = 5.0


class Tried(NamedTuple):
    """What came of it: the ``peer`` that lets us in, or why none could be tried."""

    peer: Peer | None
    why: str


async def check_relays(
    relays: Mapping[str, Smarthost], settings: Settings, *, ask: Any, reactor: Any, hostname: str
) -> None:
    """Check each relay of the settings before anything is sent. Raises OwnFault where one does not want us."""
    for name, relay in relays.items():
        site = await relay_router(settings, ask, reactor.seconds, name).route("")
        await RelayCheck(relay, site, reactor=reactor, hostname=hostname, timeouts=settings.smtp.timeouts).passed()


class RelayCheck(NothingSent):
    """Tries the relay's addresses in turn, until one lets us in or shows a fault that no other could cure."""

    def __init__(self, relay: Smarthost, site: Site, *, reactor: Any, hostname: str, timeouts: Any) -> None:
        self._relay = relay
        self._stops = deque((host.name, ip) for host in site.hosts for ip in host.addresses)
        self._reactor = reactor
        self._options = SessionOptions(hostname, TlsMode(relay.limits.tls or TlsMode.OFF))
        self._timeouts: Timeouts = timeouts.model_copy(update={"connect": min(timeouts.connect, _CONNECT_WITHIN)})
        self._contexts = TlsContexts(relay.ca_file)
        self._connection: LiveConnection | None = None
        self._answer: Deferred[str] = Deferred()
        self._renewed = self._small_hello = False
        self._last = "it has no address"
        self._fault = ""
        self._peer: Peer | None = None

    async def passed(self) -> Tried:
        """Wait for what comes of it. Raises OwnFault where the relay does not want us."""
        late = self._reactor.callLater(_WITHIN, self._late)
        self._try()
        fault = await self._answer
        if late.active():
            late.cancel()
        if fault:
            raise OwnFault(fault)
        return Tried(self._peer, "" if self._peer is not None else self._last)

    def _try(self, fault: str = "") -> None:
        if self._answer.called:
            return
        if fault:
            self._answer.callback(fault)
        elif not self._stops:
            self._go_on()
        elif not self._relay.prepared:
            self._relay.prepare(self._try)
        else:
            host, ip = self._stops[0]
            self._connection = connect(
                self._reactor,
                Peer(host, ip),
                self._relay.port,
                session_options=replace(self._relay.options(self._options), small_hello=self._small_hello),
                timeouts=self._timeouts,
                tls_contexts=self._contexts,
                listener=self,
                forbidden=lambda _: None,  # the operator named it, wherever it is
            )

    def _go_on(self) -> None:
        """End the check: no address of the relay let us in, and there is no more to be learnt now."""
        if not self._fault:
            relay = f"the relay {self._relay.host}, port {self._relay.port},"
            _log.warn("{relay} could not be tried before the start: {why}", relay=relay, why=self._last)
        self._answer.callback(self._fault)

    def _late(self) -> None:
        self._stops.clear()
        self._last = f"it did not answer within {_WITHIN:g} s"
        if self._connection is not None:
            self._connection.abort("not waited for any longer")
        elif not self._answer.called:
            self._go_on()

    # what the connection tells

    def connection_ready(self, conn: LiveConnection) -> None:
        """Note that the relay lets us in, and leave."""
        self._peer = conn.peer
        conn.quit()
        if not self._answer.called:
            self._answer.callback("")

    def connection_closed(self, conn: LiveConnection, closed: Closed, peer: Peer) -> None:
        """Try the next address unless the relay has let us in."""
        del peer
        self._connection = None
        if self._answer.called:
            return
        if closed.stage is Stage.AUTH and closed.own_fault and not self._renewed and self._relay.renew():
            self._renewed = True  # the token may only have been too old
        elif conn.wants_small_hello and not self._small_hello:
            self._small_hello = True
        elif self._stops:
            self._stops.popleft()
            self._last = closed.reason
            # one that does not answer says less than one whose certificate is for another name
            self._fault = self._fault or self._relay.fault_of(closed)
            if closed.own_fault:
                self._stops.clear()
        self._try()
