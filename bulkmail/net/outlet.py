"""Writing: straight to the socket while it takes all we have, and large messages as fast as the peer takes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IPushProducer
from twisted.internet.main import CONNECTION_LOST
from zope.interface import implementer

from bulkmail.failpoints import failpoint
from bulkmail.smtp import Session


@implementer(IPushProducer)
class Outlet:
    """Drains one session into one transport.

    ``pouring``: a large message is under way, piece by piece; ``progressed`` is called when the transport took what
    it had of it, and once more when all of it is handed over.
    """

    def __init__(self, transport: Any, session: Session, progressed: Callable[[], None]) -> None:
        self.pouring = False
        self._paused = False
        self._transport = transport
        self._session = session
        self._progressed = progressed
        self._send = _read_before_lost(transport)

    def flush(self) -> None:
        """Write what the session has to say."""
        if self.pouring:
            return
        data = self._session.take_output()
        if not data:
            return
        if not self._session.output_pending:
            self._write(data)
            return
        self.pouring = True
        self._paused = False
        self._send = None
        self._transport.registerProducer(self, True)
        self._transport.write(data)
        self._pour()

    def start_tls(self, handshake: Any) -> None:
        """From now on everything goes through TLS."""
        self._send = None
        self._transport.startTLS(handshake)

    def stop(self) -> None:
        """Pour no more."""
        if self.pouring:
            self.pouring = False
            self._transport.unregisterProducer()

    def lost(self) -> None:
        """The transport is gone."""
        self.pouring = False
        vars(self._transport).pop("writeSomeData", None)  # it holds the transport, which holds us

    def _write(self, data: bytes) -> None:
        """Twisted only sends once epoll says that it may: a system call and a turn of the loop more for each write.

        From the first time the socket takes less than all, Twisted's buffer is used.
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

    def _pour(self) -> None:
        while self.pouring and not self._paused:
            data = self._session.take_output()
            if data:
                self._transport.write(data)
            else:
                self.stop()
        self._progressed()

    # -- what the transport calls

    def pauseProducing(self) -> None:
        """It has enough for now."""
        self._paused = True

    def resumeProducing(self) -> None:
        """The peer took what was written."""
        self._paused = False
        self._pour()

    def stopProducing(self) -> None:
        """It takes no more; the connection hears why."""
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
