"""SOCKS 5 byte by byte, the header of HAProxy's PROXY protocol, and a proxy of the test's own on loopback."""

from __future__ import annotations

import socket
import struct
import threading

import pytest
from twisted.trial.unittest import TestCase

from bulkmail.mail import Peer, Stage
from bulkmail.net import Proxy, SessionOptions, TlsContexts, connect
from bulkmail.net.proxying import SocksClient, header, not_connected

OK = b"\x05\x00\x00\x01\x7f\x00\x03\x01\x04\x00"


def test_the_header_of_version_2():
    assert header("192.0.2.10", "198.51.100.25", 25) == (
        b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c" + bytes([192, 0, 2, 10, 198, 51, 100, 25]) + b"\x00\x00\x00\x19"
    )
    six = header("2001:db8::1", "2001:db8::2", 25)
    assert six[12:16] == b"\x21\x21\x00\x24"
    assert len(six) == 16 + 36


def test_a_proxy_is_named_in_one_word():
    assert Proxy.of("socks5://192.0.2.5:1080") == ("socks5", "192.0.2.5", 1080)
    assert Proxy.of("haproxy://[2001:db8::5]:25") == ("haproxy", "2001:db8::5", 25)
    assert str(Proxy.of("haproxy://[2001:db8::5]:25")) == "haproxy://[2001:db8::5]:25"
    assert str(Proxy.of("socks5://192.0.2.5:1080")) == "socks5://192.0.2.5:1080"


@pytest.mark.parametrize("size", [1, 3, 100])
@pytest.mark.parametrize(
    "bound", [b"\x01\x7f\x00\x03\x01", b"\x03\x09localhost", b"\x04" + bytes(16)], ids=["v4", "name", "v6"]
)
def test_a_connection_is_asked_for_and_what_follows_is_the_receivers(bound, size):
    socks = SocksClient("192.0.2.25", 25)
    said = b"\x05\x00" + b"\x05\x00\x00" + bound + b"\x04\x00" + b"220 mx.example"
    written, rest = b"", b""
    for start in range(0, len(said), size):
        piece = said[start : start + size]
        if socks.connected:
            rest += piece
        else:
            written += socks.receive(piece)
            rest += socks.rest
    assert written == b"\x05\x01\x00\x01" + bytes([192, 0, 2, 25]) + struct.pack("!H", 25)
    assert (socks.connected, socks.failure, rest) == (True, "", b"220 mx.example")


@pytest.mark.parametrize(
    ("said", "words", "blames"),
    [
        (b"\x05\x00\x05\x05\x00\x01" + bytes(6), "connection refused", False),
        (b"\x05\x00\x05\x04\x00\x01" + bytes(6), "host unreachable", False),
        (b"\x05\x00\x05\x02\x00\x01" + bytes(6), "SOCKS 5 answer 2", True),
        (b"\x05\xff", "wants a sign-in", True),
        (b"HTTP/1.0 400", "does not speak SOCKS 5", True),
        (b"\x05\x00HT", "does not speak SOCKS 5", True),
        (b"\x05\x00\x05\x00\x00\x09" + bytes(9), "no known kind", True),
    ],
)
def test_whose_fault_it_is(said, words, blames):
    socks = SocksClient("2001:db8::25", 25)
    socks.receive(said)
    assert words in socks.failure
    assert (socks.blames_proxy, socks.connected) == (blames, False)
    closed = not_connected(Proxy("socks5", "192.0.2.5", 1080), socks.failure, blames_proxy=blames)
    assert (closed.stage, closed.own_fault, closed.source_fault) == (Stage.CONNECT, blames, blames)


class Server(threading.Thread):
    """Accepts once, reads ``expected`` octets for each of ``answers``, and keeps what it read."""

    def __init__(self, *answers):
        super().__init__(daemon=True)
        self._answers = answers
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.read = b""
        self.start()

    def run(self):
        with self._socket, self._socket.accept()[0] as one:
            for expected, answer in self._answers:
                had = len(self.read)
                while len(self.read) < had + expected:
                    self.read += one.recv(100)
                one.sendall(answer)


class Loopback(TestCase):
    @pytest.fixture(autouse=True)
    def _kit(self, kit):
        self.kit = kit

    async def talk(self, protocol, *answers, port=0):
        from twisted.internet import reactor

        server = Server(*answers) if answers else None
        listener = self.kit.Listener()
        connection = connect(
            reactor,
            Peer("mx.example", "192.0.2.25", "192.0.2.10"),
            25,
            session_options=SessionOptions("me.example"),
            timeouts=self.kit.timeouts(),
            tls_contexts=TlsContexts(),
            listener=listener,
            forbidden=lambda _ip: None,
            proxy=Proxy(protocol, "127.0.0.1", server.port if server else port),
        )
        closed = await listener.done
        if server:
            server.join(5)
        return closed, server.read if server else b"", connection.peer

    async def test_through_socks(self):
        closed, read, peer = await self.talk("socks5", (3, b"\x05\x00"), (10, OK + b"554 5.7.1 go away\r\n"))
        self.assertEqual(read[:13], b"\x05\x01\x00\x05\x01\x00\x01" + bytes([192, 0, 2, 25, 0, 25]))
        self.assertEqual((closed.stage, closed.reply.code, peer.source_ip), (Stage.GREETING, 554, "192.0.2.10"))

    async def test_through_haproxy(self):
        closed, read, peer = await self.talk("haproxy", (28, b"554 5.7.1 go away\r\n"))
        self.assertEqual(read[:28], header("192.0.2.10", "192.0.2.25", 25))
        self.assertEqual((closed.stage, closed.reply.code, peer.source_ip), (Stage.GREETING, 554, "192.0.2.10"))

    async def test_a_receiver_that_the_proxy_cannot_reach_is_not_our_fault(self):
        closed, _, _ = await self.talk("socks5", (3, b"\x05\x00"), (10, b"\x05\x05\x00\x01" + bytes(6)))
        self.assertEqual((closed.stage, closed.own_fault), (Stage.CONNECT, False))
        self.assertIn("connection refused (told by the proxy socks5://127.0.0.1:", closed.reason)

    async def test_a_proxy_that_is_not_there_or_closes_is_the_sources_fault(self):
        for answers, words in (((), "it cannot be connected to"), (((3, b""),), "it has closed the connection")):
            closed, _, _ = await self.talk("socks5", *answers, port=9)
            self.assertEqual((closed.stage, closed.own_fault, closed.source_fault), (Stage.CONNECT, True, True))
            self.assertIn(words, closed.reason)
