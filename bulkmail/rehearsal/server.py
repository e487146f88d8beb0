"""The sockets of an exchanger: a Twisted protocol around one `ServerSession`."""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IAddress, IHandshakeListener, IPullProducer
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from bulkmail.rehearsal.behaviour import Tls
from bulkmail.rehearsal.certificates import TlsOf
from bulkmail.rehearsal.network import Exchanger, SimulatedNetwork
from bulkmail.rehearsal.session import ServerSession

_BACKLOG_CAP = 262_144  # bytes that wait while a reply does
_PATIENCE = 300.0  # seconds; RFC 5321 4.5.3.2.7
_LINGER = 900.0  # seconds that a connection on which nothing more is said is kept
_REPEAT_CAP = 64 << 20  # bytes
_REPEAT_BLOCK = 65_536  # bytes at once


@implementer(IHandshakeListener)
class MxConnection(Protocol):
    """One client's connection: the `Link` of a `ServerSession`, and its limits of time and memory."""

    transport: Any

    def __init__(self, network: SimulatedNetwork, exchanger: Exchanger, tls_of: TlsOf) -> None:
        self._network = network
        self._exchanger = exchanger
        self._tls_of = tls_of
        self._active_at = 0.0
        self._paused = False
        self._inside = False
        self._slow: Any = None  # the timer of a persona that reads slowly
        self._session: ServerSession | None = None

    def connectionMade(self) -> None:
        """Greet."""
        network, exchanger = self._network, self._exchanger
        network.totals.connections += 1
        network.connections[self] = None
        self._active_at = network.clock()
        client = self.transport.getPeer().host
        self._group = (exchanger.group, client)
        self._inside = True
        welcome = network.enter(self._group, exchanger.persona.connections)
        self._session = ServerSession(network, exchanger, self, client, network.totals.connections)
        self.transport.setTcpNoDelay(True)
        self._session.begin(welcome=welcome)

    def dataReceived(self, data: bytes) -> None:
        """Read what came, deciphered."""
        session = self._session
        assert session is not None, "data comes on a connection"
        if session.finished:
            return
        self._active_at = self._network.clock()
        session.receive(data)
        if session.held and session.backlog > _BACKLOG_CAP and not self._paused:
            self._paused = True
            self.transport.pauseProducing()
        reads = self._exchanger.persona.reads
        if reads and not self._slow:
            self.transport.pauseProducing()
            self._slow = self._network.call_later(len(data) / reads / self._network.speed, self._read_on)

    def _read_on(self) -> None:
        self._slow = None
        if self._session is not None and not self._session.finished:
            self.transport.resumeProducing()

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: ARG002
        """Stop: one side has closed."""
        if self._slow is not None:
            self._slow.cancel()
            self._slow = None
        if self._session is not None:
            self._session.lost()
        self._leave()
        self._network.connections.pop(self, None)

    def handshakeCompleted(self) -> None:
        """Tell the session that TLS is established."""
        if self._session is not None:
            self._session.tls_started()

    def _leave(self) -> None:
        if self._inside:
            self._inside = False
            self._network.leave(self._group)

    # The session's Link

    def write(self, data: bytes) -> None:
        """Send."""
        if self._paused:
            self._paused = False
            self.transport.resumeProducing()
        self.transport.write(data)

    def close(self) -> None:
        """Send what is written, then close."""
        self._leave()
        self.transport.loseConnection()

    def abort(self) -> None:
        """Reset the connection."""
        self._leave()
        self.transport.abortConnection()

    def half_close(self) -> None:
        """Send what is written, then close this direction; what is read is forgotten."""
        self.transport.loseWriteConnection()

    def repeat(self, data: bytes) -> None:
        """Send ``data`` again and again, as fast as it is taken, up to 64 MiB."""
        self.transport.registerProducer(_RepeatingProducer(self.transport, data), False)

    def stop_reading(self) -> None:
        """Take nothing from the client any more."""
        self.transport.pauseProducing()

    def start_tls(self, hello: bytes = b"") -> None:
        """Shake hands with the client; ``hello``: the bytes of its handshake that were read already."""
        persona = self._exchanger.persona
        self.transport.startTLS(self._tls_of(self._exchanger.name, persona.certificate, persona.tls is Tls.OLD))
        if hello:
            self.transport.protocol.dataReceived(hello)

    def tls_version(self) -> str:
        """Name the protocol, such as TLSv1.3."""
        return str(self.transport.getHandle().get_protocol_version_name())

    def sweep(self, now: float) -> None:
        """Close if the client has been silent too long; never within 10 real seconds, whatever the speed."""
        session = self._session
        if session is None or session.held:
            return
        patience = max(10.0, (_LINGER if session.finished else _PATIENCE) / self._network.speed)
        if now - self._active_at > patience:
            if session.finished:
                self.abort()
            else:
                session.time_out()


@implementer(IPullProducer)
class _RepeatingProducer:
    """Writes the same bytes again and again."""

    def __init__(self, transport: Any, data: bytes) -> None:
        self._transport = transport
        self._data = data * max(1, _REPEAT_BLOCK // max(1, len(data)))
        self._left = _REPEAT_CAP if data else 0

    def resumeProducing(self) -> None:
        """Write more."""
        if self._left > 0:
            self._left -= len(self._data)
            self._transport.write(self._data)
        else:
            self._transport.unregisterProducer()

    def stopProducing(self) -> None:
        """Stop: the connection is gone."""
        self._left = 0


class MxFactory(Factory):
    """Makes the connections of one exchanger."""

    noisy = False

    def __init__(self, network: SimulatedNetwork, exchanger: Exchanger, tls_of: TlsOf) -> None:
        self._network = network
        self._exchanger = exchanger
        self._tls_of = tls_of

    def buildProtocol(self, addr: IAddress | None) -> MxConnection:  # noqa: ARG002
        """Make the protocol of a client that has connected."""
        return MxConnection(self._network, self._exchanger, self._tls_of)
