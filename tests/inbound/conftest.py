"""The inbound server without a socket: a session that is talked to, and a connection on a transport in memory."""

from __future__ import annotations

import datetime as dt
import queue
from tempfile import TemporaryFile
from types import SimpleNamespace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from bulkmail.inbound import (
    Accepted,
    Connection,
    Limits,
    Lines,
    OwnAddresses,
    Purpose,
    Received,
    Reception,
    Room,
    Session,
)
from bulkmail.inbound.octets import Octets
from bulkmail.inbound.session import Message

OURS = "in.example.com"


class Talk:
    """One session, and what it has said and handed out."""

    def __init__(self, *, rest=True, tls=False, limits=None):
        self.limits = limits or Limits()
        self.room = Room(self.limits.memory)
        self.session = Session(
            hostname=OURS,
            accepts=OwnAddresses([OURS, "bücher.example"], rest=rest),
            limits=self.limits,
            share=self.room.share("192.0.2.1"),
            spill=TemporaryFile,
            tls_ready=lambda: tls,
        )
        self.events = []
        self.session.greet()
        assert self.session.take_output() == b"220 in.example.com ESMTP\r\n"

    def say(self, data: bytes) -> bytes:
        """What is answered to these octets."""
        self.events += self.session.receive(data)
        return self.session.take_output()

    def line(self, line: str) -> str:
        """The answer to one command."""
        return self.say(line.encode() + b"\r\n").decode().removesuffix("\r\n")

    def envelope(self, *recipients: str, sender="<>") -> None:
        """EHLO to DATA, all taken."""
        assert self.line("EHLO client.example").startswith("250")
        assert self.line(f"MAIL FROM:{sender}").startswith("250")
        for recipient in recipients or ("bounces+tok@in.example.com",):
            assert self.line(f"RCPT TO:<{recipient}>").startswith("250"), recipient
        assert self.line("DATA").startswith("354")

    def answer(self, refusal=None, name="ID") -> bytes:
        """What is said once the sink has answered."""
        self.events += self.session.answer(refusal, name)
        return self.session.take_output()

    @property
    def messages(self):
        return [event for event in self.events if isinstance(event, Message)]


class Wire(StringTransport):
    """A transport whose client has an address; it keeps whether it was paused, closed, aborted or put under TLS."""

    def __init__(self):
        super().__init__()
        self.aborted = False
        self.tls = []

    def abortConnection(self):
        self.aborted = True

    def startTLS(self, context):
        self.tls.append(context)


class Line:
    """One connection on a transport in memory."""

    def __init__(self, reception, ip="192.0.2.1", *, greeted=True):
        self.reception = reception
        self.conn = Connection(reception, ip)
        self.wire = Wire()
        self.conn.makeConnection(self.wire)
        if greeted:
            reception.reactor.advance(reception.limits.greet_after)
            assert self.said().startswith(b"220 ")

    def said(self) -> bytes:
        value = self.wire.value()
        self.wire.clear()
        return value

    def hear(self, data: bytes) -> bytes:
        self.conn.dataReceived(data)
        return self.said()

    def lose(self):
        self.conn.connectionLost()


class Sink:
    """Takes messages; each waits for `done` or `fail`."""

    def __init__(self):
        self.taken = []
        self.waiting = []

    def __call__(self, received):
        self.taken.append(received)
        waiting = Deferred()
        self.waiting.append(waiting)
        return waiting

    def done(self):
        self.waiting.pop(0).callback(None)

    def fail(self, error):
        self.waiting.pop(0).errback(error)


def reception(sink=None, *, certificate=None, rest=True, **limits):
    clock = Clock()
    log: list[str] = []
    return SimpleNamespace(
        log=log,
        clock=clock,
        shared=Reception(
            reactor=clock,
            hostname=OURS,
            accepts=OwnAddresses([OURS], rest=rest),
            take=sink or Sink(),
            limits=Limits(**limits),
            wall=lambda: 1_700_000_000.0 + clock.seconds(),
            taken=Lines(log.append, clock.seconds, 1000),
            refused=Lines(log.append, clock.seconds, 1000),
            spill=TemporaryFile,
            certificate=certificate,
        ),
    )


def write_certificate(folder, name="in.example.com", *, key=None):
    """cert.pem and key.pem; returns the key."""
    made = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, name)])
    start = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(made.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + dt.timedelta(days=36500))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(made, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private = made.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "key.pem").write_bytes(private)
    return made


@pytest.fixture
def kit():
    return SimpleNamespace(
        Talk=Talk,
        Wire=Wire,
        Line=Line,
        Sink=Sink,
        reception=reception,
        write_certificate=write_certificate,
        ours=OURS,
    )


class Loop:
    """Stands for a reactor whose threads answer while a test waits."""

    def __init__(self):
        self._calls = queue.SimpleQueue()

    def callFromThread(self, function, *args):
        self._calls.put((function, args))

    def wait(self, deferred):
        """What it fires with; raises what it fails with."""
        found = []
        deferred.addBoth(found.append)
        while not found:
            function, args = self._calls.get(timeout=60)
            function(*args)
        if isinstance(found[0], Failure):
            found[0].raiseException()
        return found[0]


def received(*, to="anna@in.example.com", purpose=Purpose.FORWARD, body=b"Subject: x\r\n\r\nhello\r\n", **more):
    recipients = (Accepted(to, purpose),)
    facts = {"id": "ID1", "ip": "192.0.2.1", "helo": "a.example", "tls": "", "sender": "s@t.example", "at": 1.7e9}
    return Received(**{**facts, "recipients": recipients, "body": Octets(body), **more})


@pytest.fixture
def loop():
    return Loop()


@pytest.fixture
def message():
    return received
