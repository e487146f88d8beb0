"""A listener that keeps what it hears, a transport in memory, a scripted server on loopback, certificates."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Callable, Generator
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.internet.protocol import ServerFactory
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.protocols.basic import LineReceiver
from twisted.python.failure import Failure
from zope.interface import implementer

from bulkmail.mail import Peer
from bulkmail.net import Connection
from bulkmail.net.tls import Handshake
from bulkmail.smtp import Session, TlsMode, Transaction

MESSAGE = b"Subject: hi\r\n\r\n.dots\r\nbye\r\n"
GREETING = b"220 mx.example\r\n", b"250-mx.example\r\n250 PIPELINING\r\n"
STUFFED = b"Subject: hi\r\n\r\n..dots\r\nbye\r\n.\r\n"
DEFAULTS = {
    "connect": 30.0,
    "greeting": 60.0,
    "ehlo": 60.0,
    "starttls": 30.0,
    "auth": 60.0,
    "mail": 60.0,
    "rcpt": 60.0,
    "data": 120.0,
    "body": 180.0,
    "dot": 600.0,
    "quit": 10.0,
}


def timeouts(**changed: float) -> SimpleNamespace:
    return SimpleNamespace(**{**DEFAULTS, **changed})


def message(*recipients: str, body: bytes = MESSAGE) -> Transaction:
    return Transaction("s@me.example", recipients or ("r@you.example",), body)


class Listener:
    """Submits what is in ``queue`` as soon as it may, quits when that is empty (unless told not to).

    ``follows``: it has each message followed by the next one.
    """

    def __init__(self, *queue: Transaction, quits: bool = True, follows: bool = False) -> None:
        self.follows = follows
        self.queue = list(queue)
        self.quits = quits
        self.heard: list[str] = []
        self.settlements: list[Any] = []
        self.answers = []
        self.closed: Any = None
        self.peer: Any = None
        self.done: Deferred[Any] = Deferred()
        self.at_ready: Callable[[Connection], None] | None = None
        self.at_dot: Callable[[Connection], None] | None = None
        self.at_settled: Callable[[Connection], None] | None = None

    def connection_ready(self, conn: Connection) -> None:
        assert conn.ready
        self.heard.append("ready")
        if self.at_ready is not None:
            self.at_ready(conn)
        elif self.queue:
            conn.submit(self.queue.pop(0))
        elif self.quits:
            conn.quit()

    def about_to_dot(self, conn: Connection, transaction: Transaction) -> None:
        self.heard.append("dot")
        if self.at_dot is not None:
            self.at_dot(conn)

    def may_pipeline(self, conn: Connection) -> None:
        if self.follows and self.queue:
            conn.submit_behind(self.queue.pop(0))

    def settled(self, conn, transaction, index, event, peer) -> None:
        assert (event.transaction, event.index) == (transaction, index)
        self.heard.append(str(event.fate))
        self.settlements.append(event)
        self.peer = peer
        if self.at_settled is not None:
            self.at_settled(conn)

    def answered(self, conn, event, peer) -> None:
        self.answers.append((event, list(self.heard)))

    def transaction_over(self, conn, transaction) -> None:
        self.heard.append("over")

    def connection_closed(self, conn, closed, peer) -> None:
        assert self.closed is None, "closed is told once"
        self.heard.append("closed")
        self.closed = closed
        self.peer = peer
        self.done.callback(closed)


class Wire(StringTransport):
    """What the connection asks of a TCP transport, in memory."""

    def __init__(self) -> None:
        super().__init__()
        self.nodelay = False
        self.aborting = False
        self.tls: Any = None

    def setTcpNoDelay(self, enabled: bool) -> None:
        self.nodelay = enabled

    def abortConnection(self) -> None:
        self.aborting = True
        super().abortConnection()

    def startTLS(self, creator: Any) -> None:
        self.tls = creator

    def said(self) -> bytes:
        said = self.value()
        self.clear()
        return said


class Line:
    """A connection, its transport and its clock."""

    def __init__(
        self, kit, listener, *, wire=None, greet=True, mode=TlsMode.OFF, handshake=None, implicit_tls=False, **timeouts
    ) -> None:
        self.clock = Clock()
        self.listener = listener
        self.wire = wire or kit.Wire()
        self.conn = Connection(
            self.clock,
            Session(hostname="me.example", tls=mode, implicit_tls=implicit_tls),
            peer=Peer("mx.example", "192.0.2.1"),
            listener=listener,
            timeouts=kit.timeouts(**timeouts),
            handshake=handshake or Handshake(None, "mx.example", verify=False),
            clock=self.clock.seconds,
        )
        self.conn.makeConnection(self.wire)
        for data in GREETING if greet else ():
            self.conn.dataReceived(data)

    def hear(self, data: bytes) -> bytes:
        self.wire.said()
        self.conn.dataReceived(data)
        return self.wire.said()

    def lose(self, error: Exception | None = None) -> None:
        self.conn.connectionLost(Failure(error or ConnectionDone()))
        assert self.clock.getDelayedCalls() == []


Script = Callable[["Scripted"], Generator[None, bytes, None]]


class Scripted(LineReceiver):
    """A server that plays a generator: it says what it likes and yields for each line it wants to read."""

    MAX_LENGTH = 1 << 24

    def __init__(self, script: Script) -> None:
        self.script = script
        self.lines: list[bytes] = []
        self.lost: Deferred[None] = Deferred()

    def connectionMade(self) -> None:
        self.play = self.script(self)
        next(self.play, None)

    def say(self, *lines: str) -> None:
        self.transport.write("".join(line + "\r\n" for line in lines).encode())

    def lineReceived(self, line: bytes) -> None:
        self.lines.append(line)
        with contextlib.suppress(StopIteration):
            self.play.send(line)

    rawDataReceived = lineReceived

    def connectionLost(self, reason=None) -> None:
        self.lost.callback(None)


class FakeServers(ServerFactory):
    """Plays one script for each connection; the last one again when there are no more."""

    noisy = False

    def __init__(self, *scripts: Script) -> None:
        self.scripts = list(scripts)
        self.servers: list[Scripted] = []

    def buildProtocol(self, addr: Any) -> Scripted:
        script = self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]
        self.servers.append(Scripted(script))
        return self.servers[-1]


@implementer(IOpenSSLServerConnectionCreator)
class ServerTls:
    """A server's TLS with one certificate. ``name`` is what the last client asked for by SNI."""

    def __init__(self, pem: str, *, newest: int | None = None) -> None:
        self.name: bytes | None = None
        self.connections: list[SSL.Connection] = []
        self.context = SSL.Context(SSL.TLS_METHOD)
        self.context.set_cipher_list(b"DEFAULT:@SECLEVEL=0")
        self.context.use_privatekey_file(pem)
        self.context.use_certificate_file(pem)
        self.context.set_tlsext_servername_callback(self._named)
        self.context.set_session_id(b"mx")
        if newest is not None:
            self.context.set_max_proto_version(newest)

    def _named(self, connection: SSL.Connection) -> None:
        self.name = connection.get_servername()

    def serverConnectionForTLS(self, protocol: Any) -> SSL.Connection:
        self.connections.append(SSL.Connection(self.context, None))
        return self.connections[-1]

    @property
    def resumed(self) -> list[bool]:
        """Of each connection, whether it took up an earlier session: what OpenSSL says on the server's side."""
        return [bool(SSL._lib.SSL_session_reused(one._ssl)) for one in self.connections]


@pytest.fixture(scope="session")
def pem(tmp_path_factory) -> str:
    """A self-signed certificate for mx.example and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mx.example")])
    start = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + dt.timedelta(days=36500))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("mx.example")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "mx.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return str(path)


@pytest.fixture
def kit(pem) -> SimpleNamespace:
    """All of the above by name, also for trial's TestCases."""
    return SimpleNamespace(
        Listener=Listener,
        Wire=Wire,
        Line=Line,
        FakeServers=FakeServers,
        ServerTls=ServerTls,
        timeouts=timeouts,
        message=message,
        pem=pem,
        MESSAGE=MESSAGE,
        STUFFED=STUFFED,
        DEFAULTS=DEFAULTS,
    )
