"""The messages of one lane that are on its connections, from being handed over until each has its fate."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from bulkmail.delivery.message import Message
from bulkmail.mail import Category, Status
from bulkmail.smtp import Transaction

if TYPE_CHECKING:
    from bulkmail.delivery.street import Street
    from bulkmail.net import Connection


class Flights:
    """One or more on each connection: the one under way, and those announced or sent behind it."""

    def __init__(self, street: Street) -> None:
        self._street = street
        self._flying: dict[Connection, list[Message]] = {}

    def __len__(self) -> int:
        """Messages handed to a connection and not settled."""
        return sum(map(len, self._flying.values()))

    @property
    def connections(self) -> int:
        """Connections that have some."""
        return len(self._flying)

    def on(self, connection: Connection) -> int:
        """Messages on this connection."""
        return len(self._flying.get(connection, ()))

    def submit(self, connection: Connection, message: Message) -> bool:
        """Hand it over as the one under way; False when it can never be sent, and has its outcome."""
        return self._hand_over(connection, message, connection.submit)

    def follow(self, connection: Connection, message: Message) -> bool:
        """Hand it over behind the one under way; False as above."""
        return self._hand_over(connection, message, connection.follow)

    def landed(self, connection: Connection, message: Message) -> None:
        """It has its fate."""
        flying = self._flying[connection]
        flying.remove(message)
        if not flying:
            del self._flying[connection]

    def abort(self) -> None:
        """Cut them all: what is complete on the wire becomes ambiguous, the rest was not sent."""
        for connection in list(self._flying):
            connection.abort("stopped before the server answered")

    def _hand_over(self, connection: Connection, message: Message, give: Callable[[Transaction], None]) -> bool:
        message.began = self._street.wall()
        self._flying.setdefault(connection, []).append(message)
        try:
            give(Transaction(message.sender, (message.recipient,), message.wire, message))
        except ValueError as error:
            # Never on the wire: the row itself is at fault, and the connection is as good as before.
            self.landed(connection, message)
            message.lane.hold(-1)
            self._street.ledger.close(message, Status.INVALID, Category.TEMPLATE, str(error))
            return False
        return True
