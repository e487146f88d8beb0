"""TLS records between OpenSSL and the socket, without the turns of the loop and the copies that Twisted's layer takes.

Twisted's TLS keeps what is written until the next turn of the loop, and from there its transport keeps it until epoll
says that it may write; of what it reads it asks OpenSSL three times for each segment. Here, once the handshake is done,
a write is sealed and goes out at once, as in clear, and OpenSSL is asked once for each whole record. Handshake, end,
what comes in pieces, and what goes wrong stay with Twisted's layer.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from OpenSSL import SSL
from twisted.python.failure import Failure

_HEADER = 5  # bytes: type, version, length (RFC 8446 5.1)
_RECORD = 2**14  # bytes of plaintext, at most
_ROOM = 2048  # more than a record's header, padding and tag, and the end of a handshake that has not left yet


class Records:
    """The records of one connection. ``layer``: Twisted's TLS of it, before anything arrived.

    ``send`` gives bytes to the socket and returns how many it took, or an error. ``deliver`` gets the plaintext.
    Call `established` once the handshake is done, from within the layer's call.
    """

    __slots__ = ("_begun", "_behind", "_connection", "_deliver", "_layer", "_missing", "_received", "_send")

    def __init__(
        self, layer: Any, send: Callable[[bytes], int | BaseException], deliver: Callable[[bytes], None]
    ) -> None:
        self._layer = layer
        self._send = send
        self._behind = False  # Twisted's transport has records of ours, which go before all others
        self._deliver = deliver
        self._connection: SSL.Connection | None = None  # once established
        self._missing = 0  # bytes of the record that was begun, of which the header is known
        self._begun = b""  # of a header
        self._received: Callable[[bytes], None] = layer.dataReceived
        layer.dataReceived = self.received

    def established(self) -> None:
        """Take over reading and writing."""
        self._connection = self._layer.getHandle()

    def lost(self) -> None:
        """Let go of the layer, which holds this: nothing comes any more."""
        self._connection = None
        vars(self._layer).pop("dataReceived", None)

    def write(self, data: bytes) -> int:
        """Send ``data`` as records; return how much was sealed. The rest is for Twisted's layer, and all later."""
        if self._behind:
            return 0
        connection: Any = self._connection
        sealed: list[bytes] = []
        rest = memoryview(data)
        # an error, such as a handshake within the session that has not ended: the layer keeps data until then
        with suppress(SSL.Error):
            while rest:
                rest = rest[connection.send(rest[:_RECORD]) :]
                sealed.append(connection.bio_read(_RECORD + _ROOM))
        out = sealed[0] if len(sealed) == 1 else b"".join(sealed)
        sent = self._send(out) if out else 0
        if sent != len(out):
            self._behind = True
            self._layer.transport.write(out[sent:] if isinstance(sent, int) else out)
        return len(data) - len(rest)

    def received(self, data: bytes) -> None:
        """Read what Twisted's transport has received."""
        count, connection, layer = self._count(data), self._connection, self._layer
        if not count or connection is None or layer._appSendBuffer or layer._lostTLSConnection:  # noqa: SLF001
            self._received(data)
            return
        connection.bio_write(data)
        read: list[bytes] = []
        waits = over = False
        failures: list[Failure] = []  # popped below: a frame that holds its own traceback is a cycle
        size = len(data)
        try:
            while count:
                read.append(connection.recv(size))
                count -= 1
        except SSL.WantReadError:  # a ticket, or a change of keys
            waits = True
        except SSL.ZeroReturnError:
            over = True
        except SSL.Error:
            failures.append(Failure())  # type: ignore[no-untyped-call]
        if read:
            self._deliver(read[0] if len(read) == 1 else b"".join(read))
        if not count or layer._lostTLSConnection:  # noqa: SLF001
            return
        # As in the layer's own reading
        if waits:
            layer._flushSendBIO()  # noqa: SLF001
            return
        if over:
            layer._shutdownTLS()  # noqa: SLF001
        layer._tlsShutdownFinished(failures.pop() if failures else None)  # noqa: SLF001

    def _count(self, data: bytes) -> int:
        """Count the records in ``data``, 0 where it does not begin and end with whole ones."""
        at, whole = self._missing, not (self._missing or self._begun)
        if self._begun:
            data = self._begun + data
        size, count = len(data), 0
        while at + _HEADER <= size:
            at += _HEADER + (data[at + 3] << 8 | data[at + 4])
            count += 1
        self._missing = max(0, at - size)
        self._begun = data[at:]
        return count if whole and at == size else 0
