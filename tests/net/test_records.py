"""Records of a real TLS: OpenSSL's on our side below Twisted's layer, Python's own ssl as the server, bytes by hand."""

from __future__ import annotations

import ssl
from collections import Counter

import pytest
from OpenSSL import SSL
from OpenSSL._util import lib
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IHandshakeListener
from twisted.internet.main import CONNECTION_LOST
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from zope.interface import implementer

from bulkmail.net import records
from bulkmail.net.records import Records
from bulkmail.net.tls import TlsContexts, tls_fault


@implementer(IHandshakeListener)
class Client(Protocol):
    """What is above TLS: keeps what is delivered and how it ended; says ``first`` once the handshake is done."""

    def __init__(self, first=b""):
        self.first = first
        self.read = []
        self.lost = None
        self.records = None

    def dataReceived(self, data):
        self.read.append(data)

    def handshakeCompleted(self):
        self.records.established()
        if self.first:
            self.records.write(self.first)

    def connectionLost(self, reason):
        self.lost = reason.value
        self.records.lost()


class Pair:
    """A connection and its server. ``sent``: what went to the socket at once, write by write; ``takes``: its answer."""

    def __init__(self, pem, newest=ssl.TLSVersion.TLSv1_3, *, first=b"", tickets=2):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        context.maximum_version = newest
        context.num_tickets = tickets
        self.into, self.out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.server = context.wrap_bio(self.into, self.out, server_side=True)
        self.sent = []
        self.takes = len
        self.wire = StringTransport()
        self.client = Client(first)
        handshake = TlsContexts().handshake("required", "mx.example")
        factory = TLSMemoryBIOFactory(handshake, True, None, clock=Clock())
        self.clock = factory._clock
        self.layer = factory.protocol(factory, self.client, False)
        self.client.records = self.records = Records(self.layer, self.send, self.client.dataReceived)
        self.layer.makeConnection(self.wire)
        self.shake()

    def send(self, data):
        took = self.takes(data)
        self.sent.append(data[:took] if isinstance(took, int) else b"")
        return took

    def arrived(self):
        """What the server has got, decrypted; what Twisted's transport has goes out behind what was sent at once."""
        self.into.write(b"".join(self.sent) + self.wire.value())
        self.wire.clear()
        self.sent.clear()
        read = b""
        while True:
            try:
                got = self.server.read(65536)
            except ssl.SSLWantReadError:
                return read
            if not got:
                return read
            read += got

    def shake(self):
        done = False
        for _ in range(5):
            self.into.write(self.wire.value() + b"".join(self.sent))
            self.wire.clear()
            self.sent.clear()
            try:
                if not done:
                    self.server.do_handshake()
                    done = True
            except ssl.SSLWantReadError:
                pass
            if self.out.pending:
                self.layer.dataReceived(self.out.read())
        assert done, "no handshake"

    def say(self, *texts):
        """What the server says, each in a record of its own, as it arrives."""
        for text in texts:
            self.server.write(text)
        return self.out.read()


@pytest.fixture(params=[ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def pair(request, pem):
    return Pair(pem, request.param)


def test_a_write_is_one_record_and_leaves_at_once(pair):
    letter = b"x" * 12_000
    assert pair.records.write(letter) == len(letter)
    (sent,) = pair.sent
    assert len(letter) < len(sent) < len(letter) + 64
    assert int.from_bytes(sent[3:5]) == len(sent) - 5, "one record"
    assert pair.wire.value() == b"", "nothing waits for the next turn of the loop"
    assert pair.arrived() == letter


def test_a_long_write_is_full_records_in_one_piece(pair):
    letter = bytes(range(256)) * 300
    assert pair.records.write(letter) == len(letter)
    assert len(pair.sent) == 1
    assert pair.arrived() == letter


def test_what_the_handshake_leaves_goes_out_with_the_first_write(pem):
    pair = Pair(pem, first=b"EHLO me\r\n")
    assert pair.server.read(100) == b"EHLO me\r\n"


def test_what_is_read_is_delivered_once_a_segment(pair):
    pair.layer.dataReceived(pair.say(b"250 a\r\n", b"250 b\r\n", b"354 c\r\n"))
    pair.layer.dataReceived(pair.say(b"250 d\r\n"))
    assert pair.client.read == [b"250 a\r\n250 b\r\n354 c\r\n", b"250 d\r\n"]


@pytest.mark.parametrize("size", [1, 2, 4, 7, 29, 31, 100])
def test_records_in_any_pieces_are_read(pair, size):
    said = [b"250 %d\r\n" % n for n in range(20)]
    data = pair.say(*said)
    for at in range(0, len(data), size):
        pair.layer.dataReceived(data[at : at + size])
    pair.layer.dataReceived(pair.say(b"end"))
    assert b"".join(pair.client.read) == b"".join(said) + b"end"
    assert pair.client.read[-1] == b"end"


class Counting:
    """OpenSSL's functions; counts how often each is called."""

    def __init__(self):
        self.calls = Counter()

    def __getattr__(self, name):
        self.calls[name] += 1
        return getattr(lib, name)


def test_openssl_is_asked_once_for_each_record(pem, monkeypatch):
    pair = Pair(pem, tickets=0)
    said = pair.say(b"250 a\r\n"), pair.say(b"250 b\r\n", b"250 c\r\n")
    monkeypatch.setattr(records, "lib", counting := Counting())
    for data in said:
        pair.layer.dataReceived(data)
    assert pair.client.read == [b"250 a\r\n", b"250 b\r\n250 c\r\n"]
    assert counting.calls["SSL_read"] == 3
    pair.records.write(b"x" * 12_000)
    assert (counting.calls["SSL_write"], counting.calls["BIO_read"]) == (1, 1)


def test_tickets_between_replies_deliver_nothing(pem):
    pair = Pair(pem, tickets=2)  # in the server's first flight after the handshake
    pair.layer.dataReceived(pair.say(b"250 a\r\n"))
    assert pair.client.read == [b"250 a\r\n"]
    assert pair.layer.getHandle().get_session() is not None


def test_a_socket_that_takes_less_gets_the_rest_in_order(pair):
    pair.takes = lambda _data: 10
    assert pair.records.write(b"first") == 5
    assert pair.wire.value(), "the rest is with Twisted's transport"
    assert pair.records.write(b"second") == 0, "which all that follows goes through"
    pair.layer.write(b"second")
    pair.clock.advance(0)
    assert pair.arrived() == b"firstsecond"


def test_a_broken_socket_is_found_by_twisted(pair):
    pair.takes = lambda _data: CONNECTION_LOST
    assert pair.records.write(b"gone") == 4
    assert pair.wire.value()


def test_nothing_is_sealed_after_our_end(pair):
    pair.layer.loseConnection()
    assert pair.records.write(b"late") == 0
    assert pair.sent == []


def test_replies_before_the_end_of_tls_are_read_and_the_end_is_answered(pair):
    said = pair.say(b"221 bye\r\n")
    with pytest.raises(ssl.SSLWantReadError):
        pair.server.unwrap()
    pair.layer.dataReceived(said + pair.out.read())
    assert pair.client.read == [b"221 bye\r\n"]
    assert pair.wire.disconnecting
    assert pair.wire.value(), "our own close_notify"
    pair.layer.connectionLost(Failure(ConnectionDone()))
    assert isinstance(pair.client.lost, ConnectionDone)


def test_an_end_without_a_word_of_tls_is_a_lost_connection(pair):
    pair.layer.connectionLost(Failure(ConnectionDone()))
    assert isinstance(pair.client.lost, ConnectionLost)


def test_a_forged_record_ends_the_connection_with_openssls_words(pair):
    good, bad = pair.say(b"250 a\r\n"), bytearray(pair.say(b"250 b\r\n"))
    bad[-1] ^= 1
    pair.layer.dataReceived(good + bytes(bad))
    assert pair.client.read == [b"250 a\r\n"]
    assert pair.wire.disconnecting
    pair.layer.connectionLost(Failure(ConnectionDone()))
    assert isinstance(pair.client.lost, SSL.Error)
    assert "bad record mac" in tls_fault(pair.client.lost)


def test_nothing_is_delivered_after_an_error(pair):
    bad = bytearray(pair.say(b"250 a\r\n"))
    bad[-1] ^= 1
    pair.layer.dataReceived(bytes(bad))
    pair.layer.dataReceived(pair.say(b"250 b\r\n"))
    assert pair.client.read == []
