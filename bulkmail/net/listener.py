"""Who a connection reports to, and how long it waits: shapes only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from bulkmail.mail import Peer
from bulkmail.smtp import Closed, Settled, Transaction

if TYPE_CHECKING:
    from bulkmail.net.connection import Connection


class Timeouts(Protocol):
    """Seconds. ``body`` is for each piece of a message to leave, the others for one whole reply or step."""

    @property
    def connect(self) -> float:
        """The TCP connection stands."""

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
        """QUIT is answered, or our last words are gone."""


class ConnectionListener(Protocol):
    """The calls a connection makes. All are made on the reactor's thread; none may wait.

    Inside them `Connection.submit`, `quit` and `abort` may be called, inside `may_follow` also `follow`.
    """

    def connection_ready(self, conn: Connection) -> None:
        """It takes a transaction now: after the greeting, and again after each transaction."""

    def about_to_dot(self, conn: Connection, transaction: Transaction) -> None:
        """The message goes out when this returns: write down now what must survive us.

        An exception here keeps the message from being sent: the transaction is given back untried, the connection
        closes with ``own_fault``; but what of a window is on the wire already is waited for, and then it is left.
        """

    def may_follow(self, conn: Connection) -> None:
        """The message is about to leave, and one more may be announced in the same write: call `follow` now, or not.

        Called after `about_to_dot`, only where the server takes it. Not to be used for the last message that the
        connection may carry, nor for one that may not go at once: what follows cannot be called back.
        """

    def settled(self, conn: Connection, transaction: Transaction, index: int, event: Settled, peer: Peer) -> None:
        """The fate of one recipient: once for each recipient of each transaction submitted."""

    def answered(self, conn: Connection, event: Settled, peer: Peer) -> None:
        """The dot was answered 2xx and what follows is not read yet; `settled` comes, and may say otherwise."""

    def transaction_over(self, conn: Connection, transaction: Transaction) -> None:
        """All recipients of the transaction are settled."""

    def connection_closed(self, conn: Connection, closed: Closed, peer: Peer) -> None:
        """The connection is of no more use; the last call it makes."""
