"""One connection: a Twisted protocol that moves bytes between a transport and an SMTP session.

It decides nothing about mail. It reads, has the `SessionWriter` write and `Patience` keep the deadline, starts TLS, and
reports the session's events in their order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from OpenSSL import SSL
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHandshakeListener, IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from bulkmail.mail import OwnFault, Peer, Stage, count_of
from bulkmail.net.interfaces import ConnectionListener, Stoppable, Timeouts
from bulkmail.net.patience import Patience
from bulkmail.net.tls import Handshake, agreed_group, tls_fault
from bulkmail.net.writer import SessionWriter
from bulkmail.smtp import (
    Capabilities,
    Closed,
    DotNext,
    Event,
    Phase,
    Ready,
    Session,
    Settled,
    Tell,
    Transaction,
    TransactionOver,
    UpgradeToTls,
    What,
)

_log = Logger("bulkmail")


@implementer(IHandshakeListener)
class Connection(Protocol):
    """Made by `connect`. ``peer`` is filled in as it becomes known; ``started_at``: the clock's seconds then."""

    def __init__(
        self,
        reactor: IReactorTime,
        session: Session,
        *,
        peer: Peer,
        listener: ConnectionListener,
        timeouts: Timeouts,
        handshake: Handshake,
        clock: Callable[[], float],
    ) -> None:
        self.peer = peer
        self.started_at = clock()
        self.closed = False  # `connection_closed` was called, or is about to be
        self.connector: Stoppable | None = None  # while connecting
        self.proxied = False
        self._session = session
        self.listener = listener  # another one may take over between two calls
        self._handshake = handshake
        self._clock = clock
        self._patience = Patience(reactor, clock, session, timeouts=timeouts, handshake=handshake, late=self._late)
        self._events: deque[Event] = deque()
        self._reporting = False
        self._writer: SessionWriter | None = None  # while connected
        self._silent = False  # the server said nothing at all to our TLS hello
        self._tell: Tell | None = None

    # -- what the caller reads and does

    @property
    def ready(self) -> bool:
        """Whether `submit` takes a transaction."""
        return self._session.ready

    @property
    def messages(self) -> int:
        """Count the transactions that were started on it."""
        return self._session.submitted

    @property
    def chunking(self) -> bool:
        """Whether it takes a window of messages, by BDAT; else one behind the one under way."""
        return self._session.chunking

    @property
    def capabilities(self) -> Capabilities:
        """Return what the server offers."""
        return self._session.capabilities

    @property
    def resuming(self) -> bool:
        """Whether a TLS session of an earlier connection was offered."""
        return self._handshake.resuming

    @property
    def wants_small_hello(self) -> bool:
        """Whether a large TLS hello went unanswered: the server may answer a small one."""
        return self._silent and self._handshake.large

    def __repr__(self) -> str:
        return f"<Connection to {self.peer.host}[{self.peer.ip}]: {self._session!r}>"

    def submit(self, transaction: Transaction) -> None:
        """Send a transaction. Raises ValueError for what must never reach the wire, RuntimeError when not `ready`."""
        self._report(self._session.submit(transaction))

    def submit_behind(self, transaction: Transaction) -> None:
        """Send a transaction behind the message that is about to leave; only inside of the listener's `may_pipeline`.

        Raises ValueError for what must never reach the wire, RuntimeError where none may stand behind (any more).
        """
        self._report(self._session.submit_behind(transaction))

    def tell(self, tell: Tell | None) -> None:
        """Tell what is said from now on, or with None no more; a connection that tells nothing does nothing for it."""
        if tell is not None and self._tell is None:
            before = f"seen from here on, after {count_of(self.messages, 'message')}"
            tell(What.NOTE, "connecting" if self._writer is None else before)
        self._tell = tell
        self._session.tell(tell)

    def quit(self) -> None:
        """Send QUIT once what is under way is settled, and close; give up a connection that is not established yet."""
        if self.connector is not None:
            self.abort("not needed any more")
        elif not self.closed:
            self._session.quit()
            self._report([])

    def abort(self, reason: str = "given up") -> None:
        """Close at once. No recipient is charged; a message whose final dot was written is unknown."""
        if self.closed:
            return
        connector, self.connector = self.connector, None
        if connector is None:
            self._report(self._session.abandon(reason))
        else:
            self._report([Closed(Stage.CONNECT, None, reason)])
            connector.stopConnecting()

    # -- what Twisted calls

    def connectionMade(self) -> None:
        """Wait for the greeting: the TCP connection is established, and the server speaks first."""
        self.connector = None
        transport: Any = self.transport
        if self.closed:
            transport.abortConnection()
            return
        transport.setTcpNoDelay(True)
        self._writer = SessionWriter(transport, self._session, self._progressed, self._clock)
        if not self.proxied:  # else receivers see the proxy's address
            self.peer = replace(self.peer, source_ip=transport.getHost().host)
        if self._tell is not None:
            self._tell(What.NOTE, f"connected from {self.peer.source_ip or 'here'}")
        if self._session.phase is Phase.HANDSHAKE:
            self._writer.start_tls(self._handshake, self.dataReceived)
        self._patience.watch(streaming=False)

    def connect_failed(self, closed: Closed) -> None:
        """Report that the connection was never established."""
        self.connector = None
        self._report([] if self.closed else [closed])
        self._patience.cancel()

    def dataReceived(self, data: bytes) -> None:
        """Read replies. A dot's 2xx that is not proven yet is reported at once, so that it can be written down."""
        session = self._session
        self._report(session.receive(data))
        for event in session.take_provisional():
            self.listener.answered(self, event, self.peer)
        if session.chunking and session.may_pipeline:
            self.listener.may_pipeline(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Report that the connection is gone; whole replies were read before."""
        if self._writer is not None:
            self._writer.lost()
        self.transport = self._writer = None
        if self.closed:
            self._patience.cancel()
            return
        if isinstance(reason.value, ConnectionDone):
            words = "the server closed the connection"
        else:
            words = f"connection lost: {tls_fault(reason.value)}"
        if self._session.phase is Phase.HANDSHAKE:
            # an SSL.Error is an answer: an alert, or something that is no TLS
            self._silent = self._handshake.unanswered and not isinstance(reason.value, SSL.Error)
            self._report(self._session.tls_failed(f"TLS handshake failed: {words}"))
        else:
            self._report(self._session.eof(words))
        self._patience.cancel()

    def handshakeCompleted(self) -> None:
        """Go on under TLS, if the certificate is what the policy asks for."""
        if self.closed:
            return
        connection = self.transport.getHandle()  # type: ignore[union-attr]
        objection = self._handshake.objection(connection)
        if objection:
            self._report(self._session.tls_failed(objection))
            return
        self._writer.tls_established()  # type: ignore[union-attr]
        version = connection.get_protocol_version_name()
        cipher, group = connection.get_cipher_name() or "", agreed_group(connection)
        self.peer = replace(self.peer, tls=version, cipher=cipher, group=group)
        if self._tell is not None:
            self._tell(What.NOTE, f"{version} is established")
        self._report(self._session.tls_established(version))

    # -- events, in their order, also when a listener submits inside of a call

    def _report(self, events: list[Event]) -> None:
        waiting = self._events
        waiting.extend(events)
        if self._reporting:
            return
        self._reporting = True
        try:
            while waiting:
                _REPORT[type(waiting[0])](self, waiting.popleft())
        finally:
            self._reporting = False
        if (writer := self._writer) is not None:
            writer.flush()
            if not self.closed:
                self._patience.watch(streaming=writer.streaming)

    def _report_ready(self, _event: Ready) -> None:
        if self._session.ready:  # what was read after it may have ended the session already
            if self.peer.tls and not self.messages:
                self._handshake.remember(self.transport.getHandle())  # type: ignore[union-attr]
            self.listener.connection_ready(self)

    def _start_tls(self, _event: UpgradeToTls) -> None:
        self._writer.start_tls(self._handshake, self.dataReceived)  # type: ignore[union-attr]

    def _before_dot(self, event: DotNext) -> None:
        if self._session.phase is Phase.CLOSED:
            return  # ended meanwhile: nothing of the message will be written
        try:
            self.listener.about_to_dot(self, event.transaction)
        except Exception as error:  # noqa: BLE001  what could not be written down is not sent, for any reason
            if not isinstance(error, OwnFault):  # which the listener has reported already
                _log.failure("a message could not be written down and was not sent")
            for ended in self._session.withdraw(f"could not be written down: {error}"):
                self._events.append(replace(ended, own_fault=True) if isinstance(ended, Closed) else ended)
            return
        if self._session.may_pipeline:
            self.listener.may_pipeline(self)

    def _report_closed(self, event: Closed) -> None:
        self.closed = True
        if event.tls_failed:
            self._handshake.failed()
        transport: Any = self.transport
        if self._writer is not None:
            self._writer.stop()
            if event.reply is not None or self._session.output_pending:
                # An orderly end: our last words go out, if the server takes them in time.
                self._writer.flush()
                self._patience.wait_for_last_words()
                transport.loseConnection()
            else:
                transport.abortConnection()
        if self._tell is not None:
            self._tell(What.NOTE, f"closed: {event.reason}")
        self.listener.connection_closed(self, event, self.peer)

    # -- waiting

    def _progressed(self) -> None:
        if self._writer is not None and not self.closed:
            self._patience.restart(streaming=self._writer.streaming)

    def _late(self, words: str) -> None:
        if self.closed:
            self.transport.abortConnection()  # type: ignore[union-attr]
        elif self._session.phase is Phase.HANDSHAKE:
            self._silent = self._handshake.unanswered
            self._report(self._session.tls_failed(words))
        else:
            self._report(self._session.deadline(words))


def _report_settled(connection: Connection, event: Settled) -> None:
    connection.listener.settled(connection, event.transaction, event.index, event, connection.peer)


def _report_over(connection: Connection, event: TransactionOver) -> None:
    connection.listener.transaction_over(connection, event.transaction)


_REPORT: dict[type, Callable[[Connection, Any], None]] = {
    Ready: Connection._report_ready,  # noqa: SLF001
    UpgradeToTls: Connection._start_tls,  # noqa: SLF001
    DotNext: Connection._before_dot,  # noqa: SLF001
    Settled: _report_settled,
    TransactionOver: _report_over,
    Closed: Connection._report_closed,  # noqa: SLF001
}
