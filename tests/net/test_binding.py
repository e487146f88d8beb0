"""Real sockets on loopback: 127.0.0.0/8 has addresses enough."""

from __future__ import annotations

import errno
import socket

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectBindError
from twisted.internet.protocol import ClientFactory, Protocol
from twisted.trial.unittest import TestCase

from bulkmail.net import may_bind
from bulkmail.net.binding import connect_from, without_port


class Heard(ClientFactory):
    noisy = False

    def __init__(self):
        self.end: Deferred = Deferred()

    def buildProtocol(self, addr):
        factory = self

        class Once(Protocol):
            def connectionMade(self):
                factory.end.callback(self.transport.getHost().host)
                self.transport.abortConnection()

        return Once()

    def clientConnectionFailed(self, connector, reason):
        self.end.callback(reason.value)


def listening():
    made = socket.create_server(("127.0.0.1", 0))
    return made, made.getsockname()[1]


class FromAnAddress(TestCase):
    def connect(self, source, port, ip="127.0.0.1"):
        from twisted.internet import reactor

        heard = Heard()
        connect_from(reactor, source, ip, port, heard, 5.0)
        return heard.end

    async def test_the_server_sees_the_address(self):
        server, port = listening()
        with server:
            self.assertEqual(await self.connect("127.0.1.1", port), "127.0.1.1")
            peer, (seen, _) = server.accept()
            peer.close()
            self.assertEqual(seen, "127.0.1.1")

    async def test_an_address_of_another_machine_is_a_failure_to_bind(self):
        failed = await self.connect("192.0.2.77", 9)
        self.assertIsInstance(failed, ConnectBindError)
        self.assertEqual(failed.osError, errno.EADDRNOTAVAIL)


def test_one_port_serves_many_receivers():
    """With a port taken at bind() the second connection from it would be refused (EADDRINUSE)."""
    first, second = listening(), listening()
    with socket.socket() as one:
        without_port(one)
        one.bind(("127.0.1.2", 0))
        if one.getsockname()[1] != 0:
            pytest.skip("this system has no IP_BIND_ADDRESS_NO_PORT")
        one.connect(("127.0.0.1", first[1]))
        assert one.getsockname()[0] == "127.0.1.2"
        assert one.getsockname()[1] != 0
    for server, _ in (first, second):
        server.close()


def test_whether_an_address_is_there():
    assert may_bind("127.0.1.3") is None
    refused = may_bind("192.0.2.77")
    assert refused is not None
    assert refused.errno == errno.EADDRNOTAVAIL
