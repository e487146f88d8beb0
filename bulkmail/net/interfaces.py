"""The shapes at both ends of a connection: what its user may do with it, what it tells, and how long it waits."""

from __future__ import annotations

from typing import Protocol

from bulkmail.mail import Peer
from bulkmail.smtp import Capabilities, Closed, Settled, Tell, Transaction


class LiveConnection(Protocol):
    """One SMTP connection, as its user sees it.

    ``peer``: the host and address at the other end. ``started_at``: when it was asked for, on the reactor's clock, in
    seconds. ``listener``: what it reports to.
    """

    peer: Peer
    started_at: float

    @property
    def listener(self) -> ConnectionListener:
        """What the connection reports to."""

    @listener.setter
    def listener(self, listener: ConnectionListener) -> None:
        """Report to another listener from now on."""

    @property
    def ready(self) -> bool:
        """Whether it takes a transaction now."""

    @property
    def messages(self) -> int:
        """How many transactions it was given."""

    @property
    def chunking(self) -> bool:
        """Whether messages go out by BDAT (RFC 3030)."""

    @property
    def capabilities(self) -> Capabilities:
        """What the server offered."""

    @property
    def resuming(self) -> bool:
        """Whether a TLS session was offered for resumption."""

    @property
    def wants_small_hello(self) -> bool:
        """Whether a large TLS hello went unanswered: the server may answer a small one."""

    def submit(self, transaction: Transaction) -> None:
        """Send this transaction. Raises ValueError where it can never be sent, RuntimeError where none is taken now."""

    def submit_behind(self, transaction: Transaction) -> None:
        """Send this transaction behind the one under way; only inside `ConnectionListener.may_pipeline`."""

    def tell(self, tell: Tell | None) -> None:
        """Tell what is said on it from now on, or with None no more."""

    def quit(self) -> None:
        """End with QUIT after what is under way."""

    def abort(self, reason: str = "given up") -> None:
        """Close at once: an unanswered complete message becomes ambiguous, the rest was not sent."""


class Timeouts(Protocol):
    """Seconds. ``body`` is for each piece of a message to leave, the others for one whole reply or step."""

    @property
    def connect(self) -> float:
        """The TCP connection is established."""

    @property
    def greeting(self) -> float:
        """The greeting is read."""

    @property
    def ehlo(self) -> float:
        """EHLO or HELO is answered."""

    @property
    def starttls(self) -> float:
        """STARTTLS is answered; then again, the handshake is done."""

    @property
    def auth(self) -> float:
        """A line of AUTH is answered."""

    @property
    def mail(self) -> float:
        """MAIL is answered."""

    @property
    def rcpt(self) -> float:
        """RCPT is answered."""

    @property
    def data(self) -> float:
        """DATA is answered."""

    @property
    def body(self) -> float:
        """The peer took a piece of the message."""

    @property
    def dot(self) -> float:
        """The final dot is answered."""

    @property
    def quit(self) -> float:
        """QUIT is answered, or what was written last has left."""


class Stoppable(Protocol):
    """What a connection has while it is being established: Twisted's connector, as far as it is used."""

    def stopConnecting(self) -> None:
        """Give up."""


class ConnectionListener(Protocol):
    """The calls a connection makes. All are made on the reactor's thread; none may wait.

    Inside them `LiveConnection.submit`, `quit` and `abort` may be called, inside `may_pipeline` also `submit_behind`.
    """

    def connection_ready(self, conn: LiveConnection) -> None:
        """Give it a transaction: it takes one now, after the greeting, and again after each transaction."""

    def about_to_dot(self, conn: LiveConnection, transaction: Transaction) -> None:
        """Write down what must survive this process: the message goes out when this returns.

        An exception here keeps the message from being sent: the transaction is given back untried, the connection
        closes with ``own_fault``; but what of a window is on the wire already is waited for, and then it is left.
        """

    def may_pipeline(self, conn: LiveConnection) -> None:
        """Call `submit_behind` now, or not: the message is about to leave, and one more fits into the same write.

        Called after `about_to_dot`, only where the server takes it. Not to be used for the last message that the
        connection may carry, nor for one that may not go at once: what follows cannot be called back.
        """

    def settled(self, conn: LiveConnection, transaction: Transaction, index: int, event: Settled, peer: Peer) -> None:
        """Take the fate of one recipient: once for each recipient of each transaction submitted."""

    def answered(self, conn: LiveConnection, event: Settled, peer: Peer) -> None:
        """Note that the dot was answered 2xx; what follows is not read yet, and `settled` may say otherwise."""

    def transaction_over(self, conn: LiveConnection, transaction: Transaction) -> None:
        """Note that all recipients of the transaction are settled."""

    def connection_closed(self, conn: LiveConnection, closed: Closed, peer: Peer) -> None:
        """Let go of the connection: it is of no more use, and this is its last call."""


class NothingSent:
    """The calls about messages, for a listener that submits none: each is an error."""

    def about_to_dot(self, conn: LiveConnection, transaction: Transaction) -> None:
        """Never called before a transaction."""
        raise AssertionError((conn, transaction))

    def may_pipeline(self, conn: LiveConnection) -> None:
        """Never called before a transaction."""
        raise AssertionError(conn)

    def settled(self, conn: LiveConnection, transaction: Transaction, index: int, event: Settled, peer: Peer) -> None:
        """Never called before a transaction."""
        raise AssertionError((conn, transaction, index, event, peer))

    def answered(self, conn: LiveConnection, event: Settled, peer: Peer) -> None:
        """Never called before a transaction."""
        raise AssertionError((conn, event, peer))

    def transaction_over(self, conn: LiveConnection, transaction: Transaction) -> None:
        """Never called before a transaction."""
        raise AssertionError((conn, transaction))
