"""Connecting to one address, and telling our own faults from the peer's."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.error import ConnectBindError, TCPTimedOutError
from twisted.internet.error import TimeoutError as ConnectTimedOut
from twisted.internet.interfaces import IAddress, IConnector
from twisted.internet.protocol import ClientFactory
from twisted.python.failure import Failure

from bulkmail.mail import Category, Peer, Stage
from bulkmail.net.binding import connect_from
from bulkmail.net.connection import Connection
from bulkmail.net.interfaces import ConnectionListener, Timeouts
from bulkmail.net.proxying import Proxy, connect_through
from bulkmail.net.tls import TlsContexts
from bulkmail.smtp import Closed, Credentials, Session, TlsMode

# Nothing another address of the receiver could cure.
_OURS = {
    errno.EMFILE,
    errno.ENFILE,
    errno.ENOBUFS,
    errno.ENOMEM,
    errno.EADDRNOTAVAIL,
    errno.EADDRINUSE,
    errno.EPERM,
    errno.ENETUNREACH,
    errno.ENETDOWN,
}
# Of these, what another address of ours may cure. EINVAL: such as from loopback to the world.
_OF_SOURCE = {
    errno.EADDRNOTAVAIL,
    errno.EADDRINUSE,
    errno.EACCES,
    errno.EPERM,
    errno.EINVAL,
    errno.EAFNOSUPPORT,
    errno.ENETUNREACH,
    errno.ENETDOWN,
}
# A machine without IPv6 is a common machine: for an IPv6 address these only mean "take another address".
_NO_IPV6 = {errno.ENETUNREACH, errno.ENETDOWN, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}


@dataclass(frozen=True, slots=True)
class SessionOptions:
    """How a session is spoken: the name to greet with, TLS, PIPELINING and CHUNKING, and the credentials to sign in.

    ``implicit_tls``: TLS begins with the connection, as on port 465, not with STARTTLS. ``allow_own_name``: the server
    may have the name that we greet with. ``small_hello``: TLS begins with a hello that fits in one TCP segment.
    """

    hostname: str
    tls: TlsMode | str = TlsMode.OPPORTUNISTIC
    pipelining: bool = True
    chunking: bool = True
    implicit_tls: bool = False
    credentials: Credentials | None = None
    allow_own_name: bool = False
    small_hello: bool = False


def connect(
    reactor: Any,
    peer: Peer,
    port: int,
    *,
    session_options: SessionOptions,
    timeouts: Timeouts,
    tls_contexts: TlsContexts,
    listener: ConnectionListener,
    forbidden: Callable[[str], str | None],
    proxy: Proxy | None = None,
) -> Connection:
    """Start to connect to ``peer``; the listener hears the rest, never before this returns.

    Its ``ip`` is an address literal and ``host`` the MX's name, for TLS and the report; ``source_ip`` may be ``""``.
    ``forbidden`` says why an address must not be connected to, or None: it is asked about the very address used.
    ``proxy``: connect through it; ``source_ip`` is then the address that receivers see, and the proxy's. The clock of
    the reactor is to be monotonic.
    """
    options, ip, source_ip = session_options, peer.ip, peer.source_ip
    connection = Connection(
        reactor,
        Session(
            hostname=options.hostname,
            tls=options.tls,
            implicit_tls=options.implicit_tls,
            pipelining=options.pipelining,
            chunking=options.chunking,
            credentials=options.credentials,
            allow_own_name=options.allow_own_name,
        ),
        peer=peer,
        listener=listener,
        timeouts=timeouts,
        handshake=tls_contexts.handshake(options.tls, peer.host, small=options.small_hello),
        clock=reactor.seconds,
    )
    refusal = forbidden(ip) if isIPAddress(ip) or isIPv6Address(ip) else f"{ip!r} is not an IP address"
    if refusal:
        closed = Closed(Stage.CONNECT, None, refusal, Category.ROUTING)
        reactor.callLater(0, connection.connect_failed, closed)
        return connection
    if proxy is not None:
        connection.proxied = True
        connection.connector = connect_through(reactor, proxy, ip, port, connection, timeouts.connect)
        return connection
    once = _Once(connection, timeouts.connect)
    connect_tcp = reactor.connectTCP if not source_ip else partial(connect_from, reactor, source_ip)
    connection.connector = connect_tcp(ip, port, once, timeouts.connect)
    return connection


class _Once(ClientFactory):
    """Hands the one connection that was asked for to Twisted, and lets go of it.

    A connection that lived for long and ends in a cycle of references waits for a full garbage collection, which a
    process with so many objects makes rarely: thousands of slow receivers would be felt in its memory.
    """

    noisy = False

    def __init__(self, connection: Connection, patience: float) -> None:
        self._connection: Connection | None = connection
        self._patience = patience

    def buildProtocol(self, addr: IAddress | None) -> Connection | None:  # noqa: ARG002
        connection, self._connection = self._connection, None
        return connection

    def clientConnectionFailed(self, connector: IConnector, reason: Failure) -> None:  # noqa: ARG002
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.connect_failed(connect_failure(reason.value, connection.peer, self._patience))

    def clientConnectionLost(self, connector: Any, reason: Failure) -> None:  # noqa: ARG002
        connector.transport = None  # which holds the connector


def connect_failure(error: BaseException | None, peer: Peer, patience: float) -> Closed:
    """Return what a failed connect means: whose fault it is, in words."""
    number = getattr(error, "osError", None)
    of_source = bool(peer.source_ip) and number in _OF_SOURCE
    ours = number in _OURS or of_source or isinstance(error, ConnectBindError)
    if number in _NO_IPV6 and ":" in peer.ip and not peer.source_ip:
        ours = False
    if isinstance(error, (ConnectTimedOut, TCPTimedOutError)):
        words = f"connection timed out after {patience:g} s"
    elif of_source and isinstance(error, ConnectBindError) and number == errno.EADDRNOTAVAIL:
        words = f"{peer.source_ip} is not an address of this machine"
    elif of_source and number in (errno.EADDRNOTAVAIL, errno.EADDRINUSE):
        words = f"no port of {peer.source_ip} is free for another connection to {peer.ip}"
    elif of_source and isinstance(number, int):
        words = f"{peer.ip} cannot be connected to from {peer.source_ip}: {os.strerror(number).lower()}"
    elif isinstance(number, int) and number > 0:
        words = os.strerror(number).lower()
    else:
        words = str(error)
    return Closed(Stage.CONNECT, None, words, Category.CONNECTION, own_fault=ours, source_fault=of_source)
