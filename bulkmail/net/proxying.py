"""Connections through an outgoing proxy, which has the address that receivers see.

Two protocols: HAProxy's PROXY protocol, version 2 (proxy-protocol.txt 2.2), whose one header tells a proxy where to
connect to, and SOCKS 5 without a sign-in (RFC 1928). With the first nothing tells whether the proxy has connected: a
receiver that cannot be reached looks like one that closes without a greeting. The header goes in one write, in front of
everything: several servers take no header in two segments.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any, NamedTuple

from twisted.internet.interfaces import IAddress, IConnector
from twisted.internet.protocol import ClientFactory, Protocol, connectionDone
from twisted.python.failure import Failure

from bulkmail.mail import Category, Stage
from bulkmail.net.connection import Connection
from bulkmail.smtp import Closed

_SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
_PROXY_COMMAND = 0x21  # version 2, PROXY
SOCKS_GREETING = b"\x05\x01\x00"  # SOCKS 5, one method: no authentication
_UNREACHED = {
    1: "general failure",
    3: "network unreachable",
    4: "host unreachable",
    5: "connection refused",
    6: "the time to live has run out",
}
"""What SOCKS 5 says of the receiver (RFC 1928 6); every other answer is about the proxy."""


class Proxy(NamedTuple):
    """An outgoing proxy. ``protocol``: ``haproxy`` or ``socks5``; ``ip`` and ``port``: where it listens."""

    protocol: str
    ip: str
    port: int

    @classmethod
    def of(cls, text: str) -> Proxy:
        """Return the proxy that a setting names: ``socks5://192.0.2.5:1080``, an IPv6 address in brackets."""
        protocol, _, place = text.partition("://")
        ip, _, port = place.rpartition(":")
        return cls(protocol, ip.strip("[]"), int(port))

    def __str__(self) -> str:
        ip = f"[{self.ip}]" if ":" in self.ip else self.ip
        return f"{self.protocol}://{ip}:{self.port}"


def header(source_ip: str, ip: str, port: int) -> bytes:
    """Return the header of version 2 for a connection from ``source_ip``, any port, to ``ip``; of one family."""
    source, target = ip_address(source_ip), ip_address(ip)
    family = 0x11 if target.version == 4 else 0x21  # TCP over IPv4 or IPv6
    addresses = source.packed + target.packed + struct.pack("!HH", 0, port)
    return _SIGNATURE + struct.pack("!BBH", _PROXY_COMMAND, family, len(addresses)) + addresses


class SocksClient:
    """The client's side of SOCKS 5, without a socket.

    ``failure``: why there is no connection, "" while that is open; ``blames_proxy``: it is the proxy's fault.
    ``rest``: what came behind the last answer and is the receiver's, once ``connected``.
    """

    def __init__(self, ip: str, port: int) -> None:
        target = ip_address(ip)
        kind = b"\x01" if target.version == 4 else b"\x04"
        self._request = b"\x05\x01\x00" + kind + target.packed + struct.pack("!H", port)
        self._read = b""
        self._asked = self.connected = self.blames_proxy = False
        self.failure = ""
        self.rest = b""

    def receive(self, data: bytes) -> bytes:
        """Read what the proxy says; return what is to be written."""
        self._read += data
        written = b""
        if not self._asked and len(self._read) >= 2:
            if self._read[:2] != b"\x05\x00":
                return self._fail("it does not speak SOCKS 5, or wants a sign-in")
            self._read, self._asked, written = self._read[2:], True, self._request
        if self._asked and len(self._read) >= 2 and not self.failure and not self.connected:
            self._answer()
        return written

    def _answer(self) -> None:
        version, code = self._read[:2]
        if version != 5:
            self._fail("it does not speak SOCKS 5")
        elif code:
            self.failure, self.blames_proxy = _UNREACHED.get(code, f"SOCKS 5 answer {code}"), code not in _UNREACHED
        elif len(self._read) >= 5:
            kinds = {1: 4, 4: 16, 3: 1 + self._read[4]}
            size = 4 + kinds.get(self._read[3], 0) + 2
            if self._read[3] not in kinds:
                self._fail("its answer names an address of no known kind")
            elif len(self._read) >= size:
                self.connected, self.rest = True, self._read[size:]

    def _fail(self, words: str) -> bytes:
        self.failure, self.blames_proxy = words, True
        return b""


class _Through(Protocol):
    """Speaks with the proxy, then hands the transport to the connection."""

    def __init__(self, connection: Connection, proxy: Proxy, ip: str, port: int, over: Callable[[], None]) -> None:
        self._connection = connection
        self._proxy = proxy
        self._target = ip, port
        self._over = over
        self._socks = SocksClient(ip, port)

    def connectionMade(self) -> None:
        transport: Any = self.transport
        if self._connection.closed:
            transport.abortConnection()
        elif self._proxy.protocol == "haproxy":
            transport.write(header(self._connection.peer.source_ip, *self._target))
            self._hand_over(b"")
        else:
            transport.write(SOCKS_GREETING)

    def dataReceived(self, data: bytes) -> None:
        transport: Any = self.transport
        written = self._socks.receive(data)
        if written:
            transport.write(written)
        if self._socks.failure:
            self.fail(self._socks.failure, blames_proxy=self._socks.blames_proxy)
        elif self._socks.connected:
            self._hand_over(self._socks.rest)

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: ARG002
        self.fail("it has closed the connection", blames_proxy=True)

    def fail(self, words: str, *, blames_proxy: bool) -> None:
        """Report that there is no connection to the receiver."""
        self._over()
        if not self._connection.closed:
            self._connection.connect_failed(not_connected(self._proxy, words, blames_proxy=blames_proxy))
        transport: Any = self.transport
        transport.abortConnection()

    def _hand_over(self, rest: bytes) -> None:
        self._over()
        transport, connection = self.transport, self._connection
        assert transport is not None
        transport.protocol = connection  # type: ignore[attr-defined]
        connection.makeConnection(transport)  # type: ignore[no-untyped-call]
        if rest:
            connection.dataReceived(rest)


class _Once(ClientFactory):
    noisy = False

    def __init__(self, reactor: Any, connection: Connection, proxy: Proxy, ip: str, port: int, patience: float) -> None:
        self._connection = connection
        self._proxy = proxy
        self._through = _Through(connection, proxy, ip, port, self._over)
        self._late = reactor.callLater(patience, self._too_late, patience)
        self._made = False

    def buildProtocol(self, addr: IAddress | None) -> Protocol:  # noqa: ARG002
        self._made = True
        return self._through

    def clientConnectionFailed(self, connector: IConnector, reason: Failure) -> None:  # noqa: ARG002
        self._over()
        words = f"it cannot be connected to: {reason.getErrorMessage()}"
        self._connection.connect_failed(not_connected(self._proxy, words, blames_proxy=True))

    def clientConnectionLost(self, connector: Any, reason: Failure) -> None:  # noqa: ARG002
        connector.transport = None  # which holds the connector

    def _too_late(self, patience: float) -> None:
        if self._made:
            self._through.fail(f"it has not connected to the receiver within {patience:g} s", blames_proxy=False)

    def _over(self) -> None:
        if self._late.active():
            self._late.cancel()


class _Stopping:
    """What a connection needs of the connector while it connects: giving up works in each state."""

    def __init__(self, connector: IConnector) -> None:
        self._connector = connector

    def stopConnecting(self) -> None:
        self._connector.disconnect()


def connect_through(
    reactor: Any, proxy: Proxy, ip: str, port: int, connection: Connection, patience: float
) -> _Stopping:
    """Connect to ``ip`` through a proxy; ``patience``: seconds for the proxy, and again for what it does."""
    once = _Once(reactor, connection, proxy, ip, port, 2 * patience)
    return _Stopping(reactor.connectTCP(proxy.ip, proxy.port, once, patience))


def not_connected(proxy: Proxy, words: str, *, blames_proxy: bool) -> Closed:
    """Return what it means that a proxy has brought no connection: the proxy's fault is ours, the receiver's is not."""
    text = f"the proxy {proxy}: {words}" if blames_proxy else f"{words} (told by the proxy {proxy})"
    return Closed(Stage.CONNECT, None, text, Category.CONNECTION, own_fault=blames_proxy, source_fault=blames_proxy)
