"""TLS records between OpenSSL and the socket, without the turns of the loop and the copies that Twisted's layer takes.

Twisted's TLS keeps what is written until the next turn of the loop, and from there its transport keeps it until epoll
says that it may write; of what it reads it asks OpenSSL three times for each segment. Here, once the handshake is done,
a write is sealed and goes out at once, as in clear, and OpenSSL is asked once for each record. Its functions are called
below pyOpenSSL's methods, which allocate and copy for each call; they serve where a call fails. Handshake, end, and
what goes wrong stay with Twisted's layer.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from OpenSSL import SSL
from OpenSSL._util import ffi, lib
from twisted.python.failure import Failure

_RECORD = 2**14  # bytes of plaintext, at most
_SIZE = _RECORD + 2048  # more than a record's header, padding and tag, and the end of a handshake that has not left yet
_ROOM = memoryview(bytearray(_SIZE))  # of all connections: nothing stays in it between two calls
_BUFFER = ffi.from_buffer(_ROOM)


class Records:
    """The records of one connection. ``layer``: Twisted's TLS of it, before anything arrived.

    ``send`` gives bytes to the socket and returns how many it took, or an error. ``deliver`` gets the plaintext.
    Call `established` once the handshake is done, from within the layer's call.
    """

    __slots__ = ("_behind", "_connection", "_deliver", "_from_ssl", "_into_ssl", "_layer", "_received", "_send", "_ssl")

    def __init__(
        self, layer: Any, send: Callable[[bytes], int | BaseException], deliver: Callable[[bytes], None]
    ) -> None:
        self._layer = layer
        self._send = send
        self._behind = False  # Twisted's transport has records of ours, which go before all others
        self._deliver = deliver
        self._connection: Any = None  # once established, and what OpenSSL has of it
        self._ssl = self._into_ssl = self._from_ssl = None
        self._received: Callable[[bytes], None] = layer.dataReceived
        layer.dataReceived = self.received

    def established(self) -> None:
        """Take over reading and writing."""
        connection = self._connection = self._layer.getHandle()
        self._ssl, self._into_ssl, self._from_ssl = connection._ssl, connection._into_ssl, connection._from_ssl  # noqa: SLF001

    def lost(self) -> None:
        """Let go of the layer, which holds this: nothing comes any more."""
        self._connection = self._ssl = self._into_ssl = self._from_ssl = None
        vars(self._layer).pop("dataReceived", None)

    def write(self, data: bytes) -> int:
        """Send ``data`` as records; return how much was sealed. The rest is for Twisted's layer, and all later."""
        if self._behind:
            return 0
        ssl, size, at = self._ssl, len(data), 0
        out: Any = b""
        while at < size:
            piece = data[at : at + _RECORD]  # most often all of it, which copies nothing
            taken = lib.SSL_write(ssl, piece, len(piece))
            if taken <= 0:
                # such as a handshake within the session that has not ended: the layer keeps data until then
                with suppress(SSL.Error):
                    self._connection._raise_ssl_error(ssl, taken)  # noqa: SLF001
                break
            at += taken
            sealed = _ROOM[: lib.BIO_read(self._from_ssl, _BUFFER, _SIZE)]
            # most writes are one record, and are sent from where they are
            out = sealed if at == size and not out else out + sealed
        if at:
            self._leave(out)
        return at

    def _leave(self, out: Any) -> None:
        """Send records to the socket; what it does not take leaves by Twisted's transport."""
        sent = 0 if self._behind else self._send(out)
        if sent != len(out):
            self._behind = True
            self._layer.transport.write(bytes(out[sent if isinstance(sent, int) else 0 :]))

    def received(self, data: bytes) -> None:
        """Read what Twisted's transport has received."""
        layer = self._layer
        if self._connection is None or layer._appSendBuffer or layer._lostTLSConnection:  # noqa: SLF001
            self._received(data)
            return
        bio = self._into_ssl
        lib.BIO_write(bio, data, len(data))
        result = lib.SSL_read(self._ssl, _BUFFER, _SIZE)
        # OpenSSL takes no more from there than the record that it reads
        if result > 0 and not lib.BIO_get_mem_data(bio, ffi.NULL):
            self._deliver(ffi.unpack(_BUFFER, result))
        else:
            self._read_on(result)

    def _read_on(self, result: int) -> None:
        """Read all that there is; ``result`` is what OpenSSL said to the first question."""
        connection, layer = self._connection, self._layer
        read: list[bytes] = []
        while result > 0:
            read.append(ffi.unpack(_BUFFER, result))
            if not lib.BIO_get_mem_data(self._into_ssl, ffi.NULL):
                break
            result = lib.SSL_read(self._ssl, _BUFFER, _SIZE)
        failures: list[Failure] = []  # popped below: a frame that holds its own traceback is a cycle
        waits = over = False
        try:
            if result <= 0:
                connection._raise_ssl_error(self._ssl, result)  # noqa: SLF001
        except SSL.WantReadError:  # a ticket, a change of keys, or a record that is not whole yet
            waits = True
        except SSL.ZeroReturnError:
            over = True
        except SSL.Error:
            failures.append(Failure())  # type: ignore[no-untyped-call]
        if read:
            self._deliver(read[0] if len(read) == 1 else b"".join(read))
        if waits and lib.BIO_get_mem_data(self._from_ssl, ffi.NULL):
            self._leave(connection.bio_read(_SIZE))  # our side of a change of keys, before anything that is sealed next
        if not (over or failures) or layer._lostTLSConnection:  # noqa: SLF001
            return
        # As in the layer's own reading
        if over:
            layer._shutdownTLS()  # noqa: SLF001
        layer._tlsShutdownFinished(failures.pop() if failures else None)  # noqa: SLF001
