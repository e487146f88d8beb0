"""Writes to a server: straight to the socket while it takes everything, large messages as fast as the peer reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IPushProducer
from twisted.internet.main import CONNECTION_LOST
from zope.interface import implementer

from bulkmail.failpoints import failpoint
from bulkmail.smtp import Session


@implementer(IPushProducer)
class SessionWriter:
    """Writes what one session has to say to one transport.

    ``streaming``: a large message is under way, piece by piece; ``progressed`` is called when the transport took what
    it had of it, and once more when all of it is handed over.
    """

    def __init__(self, transport: Any, session: Session, progressed: Callable[[], None]) -> None:
        self.streaming = False
        self._paused = False
        self._transport = transport
        self._session = session
        self._progressed = progressed
        self._send = _read_before_lost(transport)

    def flush(self) -> None:
        """Write what the session has to say."""
        if self.streaming or not (data := self._session.take_output()):
            return
        if not self._session.output_pending:
            self._write(data)
            return
        self.streaming = True
        self._paused = False
        self._send = None
        self._transport.registerProducer(self, True)
        self._transport.write(data)
        self._stream()

    def start_tls(self, handshake: Any) -> None:
        """Write everything through TLS from now on."""
        self._send = None
        self._transport.startTLS(handshake)

    def stop(self) -> None:
        """Stop streaming the body."""
        if self.streaming:
            self.streaming = False
            self._transport.unregisterProducer()

    def lost(self) -> None:
        """Let go of the transport: it is gone."""
        self.streaming = False
        vars(self._transport).pop("writeSomeData", None)  # it holds the transport, which holds us

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
    """When a write finds the connection broken, read what the server said before it broke it.

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
