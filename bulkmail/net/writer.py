"""Writes to a server: straight to the socket while it takes everything, large messages as fast as the peer reads."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from twisted.internet.interfaces import IPushProducer
from twisted.internet.main import CONNECTION_LOST
from zope.interface import implementer

from bulkmail.failpoints import failpoint
from bulkmail.net.records import Records
from bulkmail.smtp import Session

_KERNEL_WAITS = 0.035  # seconds; Linux waits 40 ms and more to acknowledge what was read


@implementer(IPushProducer)
class SessionWriter:
    """Writes what one session has to say to one transport.

    ``streaming``: a large message is under way, piece by piece; ``progressed`` is called when the transport took what
    it had of it, and once more when all of it is handed over. ``clock`` gives monotonic seconds.
    """

    def __init__(
        self, transport: Any, session: Session, progressed: Callable[[], None], clock: Callable[[], float]
    ) -> None:
        self.streaming = False
        self._paused = False
        self._transport = transport
        self._session = session
        self._progressed = progressed
        self._send = self._to_socket = _read_before_lost(transport)
        self._records: Records | None = None  # under TLS
        self._clock = clock
        self._quiet_since = 0.0  # since when what was read is not acknowledged by anything written; 0: it is
        self._nagle = False  # it seems to use Nagle's algorithm
        self._socket: socket.socket | None = getattr(transport, "socket", None)

    def flush(self) -> None:
        """Write what the session has to say."""
        if self.streaming or not (data := self._session.take_output()):
            if self._nagle:
                self._acknowledge()
            self._quiet_since = self._clock()
            return
        if self._quiet_since:
            self._nagle, self._quiet_since = self._nagle or self._clock() - self._quiet_since >= _KERNEL_WAITS, 0.0
        if not self._session.output_pending:
            self._write(data)
            return
        self.streaming = True
        self._paused = False
        self._send = None
        self._transport.registerProducer(self, True)
        self._transport.write(data)
        self._stream()

    def start_tls(self, handshake: Any, deliver: Callable[[bytes], None]) -> None:
        """Write everything through TLS from now on; ``deliver`` gets what is read."""
        self._send = None
        self._transport.startTLS(handshake)
        if self._to_socket is not None:
            self._records = Records(self._transport.protocol, self._to_socket, deliver)

    def tls_established(self) -> None:
        """Send at once again: the handshake is done, and all that it had Twisted write was answered."""
        if self._records is not None:
            self._records.established()
            self._send = self._records.write

    def stop(self) -> None:
        """Stop streaming the body."""
        if self.streaming:
            self.streaming = False
            self._transport.unregisterProducer()

    def lost(self) -> None:
        """Let go of the transport: it is gone."""
        self.streaming = False
        vars(self._transport).pop("writeSomeData", None)  # it holds the transport, which holds us
        self._send = self._to_socket = self._socket = None
        if self._records is not None:
            self._records.lost()
            self._records = None

    def _write(self, data: bytes) -> None:
        """Send at once, as long as the socket takes all.

        Twisted only sends once epoll says that it may: a system call and a turn of the loop more for each write. From
        the first time the socket takes less than all, Twisted's buffer is used.
        """
        send = self._send
        if send is not None:
            sent = send(data)
            if sent == len(data):
                failpoint("after-write")
                return
            self._send = None
            if isinstance(sent, int):
                data = data[sent:]
        self._transport.write(data)

    def _acknowledge(self) -> None:
        """Acknowledge at once what was read, for nothing is written that does it, and the server waits for it.

        A server that writes its replies in pieces, with Nagle's algorithm, keeps the second piece until the first is
        acknowledged (RFC 9293 3.7.4), and the kernel waits 40 ms with that for something to write. To acknowledge
        always would cost a fifth of the CPU of a message with servers that keep nothing back.
        """
        if self._socket is not None:
            with suppress(OSError):
                self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)

    def _stream(self) -> None:
        while self.streaming and not self._paused:
            data = self._session.take_output()
            if data:
                self._transport.write(data)
            else:
                self.stop()
        self._progressed()

    # -- what the transport calls

    def pauseProducing(self) -> None:
        """Stop until asked to go on: the transport's buffer is full."""
        self._paused = True

    def resumeProducing(self) -> None:
        """Go on: the peer took what was written."""
        self._paused = False
        self._stream()

    def stopProducing(self) -> None:
        """Stop for good: the transport takes no more, and the connection hears the reason."""
        self._paused = True


def _read_before_lost(transport: Any) -> Callable[[bytes], int | BaseException] | None:
    """Read what the server said before it broke the connection, where a write finds it broken.

    A server that refuses a message in the middle says so and closes; Twisted's transport, finding on a write that
    it cannot, drops the connection with the refusal unread. Gives the transport's own way to write to the socket.
    """
    write_some: Callable[[bytes], int | BaseException] | None = getattr(transport, "writeSomeData", None)
    if write_some is None:
        return None

    def write_some_data(data: bytes) -> int | BaseException:
        written = write_some(data)
        if written is CONNECTION_LOST:
            transport.doRead()
        return written

    transport.writeSomeData = write_some_data
    return write_some
