"""One connection: a Twisted protocol that moves bytes between a transport and an SMTP session.

It decides nothing about mail. It reads, has the `Outlet` write, keeps the deadline, starts TLS, and passes the
session's events on in their order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from OpenSSL import SSL
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IConnector, IHandshakeListener, IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from bulkmail.mail import OwnFault, Peer, Stage
from bulkmail.net.deadline import Deadline
from bulkmail.net.interfaces import ConnectionListener, Timeouts
from bulkmail.net.outlet import Outlet
from bulkmail.net.tls import Handshake, tls_fault
from bulkmail.smtp import (
    Capabilities,
    Closed,
    DotNext,
    Event,
    Phase,
    Ready,
    Session,
    Settled,
    Transaction,
    TransactionOver,
    UpgradeToTls,
)

_log = Logger("bulkmail")

# What did not happen in time, by the name of the timeout.
_LATE = {
    "greeting": "no greeting",
    "ehlo": "no answer to EHLO",
    "starttls": "no answer to STARTTLS",
    "auth": "no answer to AUTH",
    "mail": "no answer to MAIL",
    "rcpt": "no answer to RCPT",
    "data": "no answer to DATA",
    "body": "the server took nothing of the message",
    "dot": "no answer to the final dot",
    "quit": "no answer to QUIT",
}
# Seconds for a large TLS hello to be answered; then a small one is tried, with the patience of the settings.
_LARGE_HELLO = 5.0


@implementer(IHandshakeListener)
class Connection(Protocol):
    """Made by `connect`. ``peer`` is filled in as it becomes known; ``started_at`` is the clock's time of the start."""

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
        self.connector: IConnector | None = None  # while connecting
        self._session = session
        self._listener = listener
        self._timeouts = timeouts
        self._handshake = handshake
        self._deadline = Deadline(reactor, clock, self._expired)
        self._turn = -1
        self._waiting = ""  # the name of the timeout that runs
        self._events: deque[Event] = deque()
        self._telling = False
        self._outlet: Outlet | None = None  # while connected
        self._over = False  # the listener was told of the close
        self._silent = False  # the server said nothing at all to our TLS hello
        self._answered = False  # it was late, but it did

    # -- what the caller reads and does

    @property
    def ready(self) -> bool:
        """Whether `submit` takes a transaction."""
        return self._session.ready

    @property
    def listener(self) -> ConnectionListener:
        """Who hears of it; another one may take over between two calls."""
        return self._listener

    @listener.setter
    def listener(self, listener: ConnectionListener) -> None:
        self._listener = listener

    @property
    def messages(self) -> int:
        """So many transactions were started on it."""
        return self._session.submitted

    @property
    def chunking(self) -> bool:
        """Whether it takes a window of messages, by BDAT; else one behind the one under way."""
        return self._session.chunking

    @property
    def capabilities(self) -> Capabilities:
        """What the server offers."""
        return self._session.capabilities

    @property
    def closed(self) -> bool:
        """Whether `connection_closed` was called, or is about to be."""
        return self._over

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
        """Send it. Raises ValueError for what must never reach the wire, RuntimeError when not `ready`."""
        self._tell(self._session.submit(transaction))

    def submit_behind(self, transaction: Transaction) -> None:
        """Send it behind the message that is about to leave; only inside of the listener's `may_pipeline`.

        Raises ValueError for what must never reach the wire, RuntimeError when nothing may follow (any more).
        """
        self._tell(self._session.submit_behind(transaction))

    def quit(self) -> None:
        """Say QUIT once what is under way is settled, and close. Before the connection stands it is given up."""
        if self.connector is not None:
            self.abort("not needed any more")
        elif not self._over:
            self._session.quit()
            self._tell([])

    def abort(self, reason: str = "given up") -> None:
        """Close at once. Nobody is charged; a message whose final dot was written is unknown."""
        if self._over:
            return
        connector, self.connector = self.connector, None
        if connector is None:
            self._tell(self._session.abandon(reason))
        else:
            self._tell([Closed(Stage.CONNECT, None, reason)])
            connector.stopConnecting()

    # -- what Twisted calls

    def connectionMade(self) -> None:
        """The TCP connection stands; the server speaks first."""
        self.connector = None
        transport: Any = self.transport
        if self._over:
            transport.abortConnection()
            return
        transport.setTcpNoDelay(True)
        self._outlet = Outlet(transport, self._session, self._progressed)
        self.peer = replace(self.peer, source_ip=transport.getHost().host)
        if self._session.phase is Phase.HANDSHAKE:
            self._outlet.start_tls(self._handshake)
        self._watch()

    def connect_failed(self, closed: Closed) -> None:
        """The connection never stood."""
        self.connector = None
        self._tell([] if self._over else [closed])
        self._deadline.cancel()

    def dataReceived(self, data: bytes) -> None:
        """The server spoke. A dot's 2xx that is not proven yet is told at once, so that it can be written down."""
        session = self._session
        self._tell(session.receive(data))
        for event in session.take_provisional():
            self._listener.answered(self, event, self.peer)
        if session.chunking and session.may_pipeline:
            self._listener.may_pipeline(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is gone; whole replies were read before."""
        if self._outlet is not None:
            self._outlet.lost()
        self.transport = self._outlet = None
        if self._over:
            self._deadline.cancel()
            return
        if isinstance(reason.value, ConnectionDone):
            words = "the server closed the connection"
        else:
            words = f"connection lost: {tls_fault(reason.value)}"
        if self._session.phase is Phase.HANDSHAKE:
            # an SSL.Error is an answer: an alert, or something that is no TLS
            self._silent = self._handshake.unanswered and not isinstance(reason.value, SSL.Error)
            self._tell(self._session.tls_failed(f"TLS handshake failed: {words}"))
        else:
            self._tell(self._session.eof(words))
        self._deadline.cancel()

    def handshakeCompleted(self) -> None:
        """TLS stands: what is said from now on is said in it, once the certificate is what the policy asks for."""
        if self._over:
            return
        connection = self.transport.getHandle()  # type: ignore[union-attr]
        objection = self._handshake.objection(connection)
        if objection:
            self._tell(self._session.tls_failed(objection))
            return
        version = connection.get_protocol_version_name()
        self.peer = replace(self.peer, tls=version)
        self._tell(self._session.tls_established(version))

    # -- events, in their order, also when a listener submits inside of a call

    def _tell(self, events: list[Event]) -> None:
        self._events.extend(events)
        if self._telling:
            return
        self._telling = True
        try:
            while self._events:
                event = self._events.popleft()
                _TELL[type(event)](self, event)
        finally:
            self._telling = False
        if self._outlet is not None:
            self._outlet.flush()
        self._watch()

    def _tell_ready(self, _event: Ready) -> None:
        if self._session.ready:  # what was read after it may have ended the session already
            if self.peer.tls and not self.messages:
                self._handshake.remember(self.transport.getHandle())  # type: ignore[union-attr]
            self._listener.connection_ready(self)

    def _start_tls(self, _event: UpgradeToTls) -> None:
        self._outlet.start_tls(self._handshake)  # type: ignore[union-attr]

    def _before_dot(self, event: DotNext) -> None:
        if self._session.phase is Phase.CLOSED:
            return  # ended meanwhile: nothing of the message will be written
        try:
            self._listener.about_to_dot(self, event.transaction)
        except Exception as error:  # noqa: BLE001  whatever it is: what could not be written down is not sent
            if not isinstance(error, OwnFault):  # which the listener has told of already
                _log.failure("a message could not be written down and was not sent")
            for told in self._session.withdraw(f"could not be written down: {error}"):
                self._events.append(replace(told, own_fault=True) if isinstance(told, Closed) else told)
            return
        if self._session.may_pipeline:
            self._listener.may_pipeline(self)

    def _tell_settled(self, event: Settled) -> None:
        self._listener.settled(self, event.transaction, event.index, event, self.peer)

    def _tell_over(self, event: TransactionOver) -> None:
        self._listener.transaction_over(self, event.transaction)

    def _tell_closed(self, event: Closed) -> None:
        self._over = True
        if event.tls_failed:
            self._handshake.failed()
        transport: Any = self.transport
        if self._outlet is not None:
            self._outlet.stop()
            if event.reply is not None or self._session.output_pending:
                # An orderly end: our last words go out, if the server takes them in time.
                self._outlet.flush()
                self._waiting = "quit"
                self._deadline.start(self._timeouts.quit)
                transport.loseConnection()
            else:
                transport.abortConnection()
        self._listener.connection_closed(self, event, self.peer)

    # -- waiting

    def _progressed(self) -> None:
        self._turn = -1
        self._watch()

    def _watch(self) -> None:
        session = self._session
        if self._over or session.turn == self._turn:
            return
        self._turn = session.turn
        patience = "body" if self._outlet is not None and self._outlet.pouring else session.patience
        if patience is None:
            self._deadline.stop()
        else:
            self._waiting = patience
            self._deadline.start(self._seconds if patience == "starttls" else getattr(self._timeouts, patience))

    @property
    def _seconds(self) -> float:
        seconds: float = getattr(self._timeouts, self._waiting)
        hello = self._session.phase is Phase.HANDSHAKE and self._handshake.large and not self._answered
        return min(seconds, _LARGE_HELLO) if hello else seconds

    def _expired(self) -> None:
        transport: Any = self.transport
        if self._over:
            transport.abortConnection()
            return
        seconds = self._seconds
        if self._session.phase is Phase.HANDSHAKE:
            self._silent = self._handshake.unanswered
            whole = getattr(self._timeouts, self._waiting)
            if not self._silent and not self._answered and seconds < whole:
                self._answered = True  # what is under way has the patience of the settings
                self._deadline.start(whole - seconds)
                return
            self._tell(self._session.tls_failed(f"no TLS handshake within {seconds:g} s"))
        else:
            self._tell(self._session.deadline(f"{_LATE[self._waiting]} within {seconds:g} s"))


_TELL: dict[type, Callable[[Connection, Any], None]] = {
    Ready: Connection._tell_ready,  # noqa: SLF001
    UpgradeToTls: Connection._start_tls,  # noqa: SLF001
    DotNext: Connection._before_dot,  # noqa: SLF001
    Settled: Connection._tell_settled,  # noqa: SLF001
    TransactionOver: Connection._tell_over,  # noqa: SLF001
    Closed: Connection._tell_closed,  # noqa: SLF001
}
