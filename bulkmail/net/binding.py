"""Connections from an address that we choose.

A socket that is bound before it connects takes a port for itself at once, whatever it connects to, so all ports of an
address are used up by as many connections to all receivers together. Linux offers IP_BIND_ADDRESS_NO_PORT (ip(7),
since 4.2): the port is chosen by connect(), which may use one port for many receivers. Twisted does not set it.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import Any

from twisted.internet.interfaces import IConnector
from twisted.internet.protocol import ClientFactory
from twisted.internet.tcp import Client, Connector

_NO_PORT = getattr(socket, "IP_BIND_ADDRESS_NO_PORT", 24)  # Python names it since 3.12; for IPv6 sockets it is the same
_HAS_NO_PORT = hasattr(socket, "SO_BINDTODEVICE")  # Linux


def without_port(bound: socket.socket) -> None:
    """Have a socket that is going to be bound to an address take its port when it connects, where the system can."""
    if _HAS_NO_PORT:
        with suppress(OSError):  # an old kernel: a port for each connection
            bound.setsockopt(socket.IPPROTO_IP, _NO_PORT, 1)


def connect_from(
    reactor: Any, source_ip: str, ip: str, port: int, factory: ClientFactory[Any], timeout: float
) -> IConnector:
    """Connect as ``reactor.connectTCP`` does, from ``source_ip``; ``timeout`` in seconds.

    A failure to bind reaches the factory as ConnectBindError.
    """
    connector = _FromSource(ip, port, factory, timeout, (source_ip, 0), reactor)
    connector.connect()
    return connector


def may_bind(address: str) -> OSError | None:
    """Return why no connection can be made from an address; None where it is one of this machine's."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as bound:
            without_port(bound)
            bound.bind((address, 0))
    except OSError as error:
        return error
    return None


class _FromSource(Connector):
    def _makeTransport(self) -> Client:
        return _Bound(self.host, self.port, self.bindAddress, self, self.reactor)  # type: ignore[no-untyped-call]


class _Bound(Client):
    _made: socket.socket | None = None

    def createInternetSocket(self) -> socket.socket:
        made: socket.socket = super().createInternetSocket()  # type: ignore[no-untyped-call]
        self._made = made
        without_port(made)
        return made

    def failIfNotConnected(self, err: BaseException) -> None:
        # Twisted keeps no socket that could not be bound, and does not close it either.
        if self._made is not None and not hasattr(self, "socket"):
            self._made.close()
        super().failIfNotConnected(err)  # type: ignore[no-untyped-call]
