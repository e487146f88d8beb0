"""The messages of one lane that are on its connections, from being handed over until each has its fate.

Messages that are the same to the byte, sender included, may share a transaction: one for up to `MOST_TOGETHER`
recipients. Whether they are the same is seen by comparing them; the campaign says nothing of it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from bulkmail.delivery.message import Message
from bulkmail.mail import Category, Stage, Status
from bulkmail.smtp import Settled, Transaction

if TYPE_CHECKING:
    from bulkmail.delivery.street import Street
    from bulkmail.net import Connection

MOST_TOGETHER = 50  # RFC 5321 4.5.3.1.8 has every server take 100; fewer share the fate of one refusal

OLDEST = 300.0  # seconds


def together(ready: deque[Message], most: int, domains: int, granted: Callable[[], bool]) -> list[Message]:
    """Take the next message and those right behind it that can go in one transaction with it.

    ``most`` recipients, and ``domains`` of them at most if that is not 0; ``granted()`` books one more, or says no.
    """
    first = ready.popleft()
    group = [first]
    seen = {first.queue.domain}
    while ready and len(group) < most:
        message = ready[0]
        if first.free_tries or message.free_tries or message.wire != first.wire or message.sender != first.sender:
            break
        # A receiver may refuse all of a transaction because of one address beyond ASCII.
        if not (message.recipient.isascii() and first.recipient.isascii()):
            break
        if domains and len(seen | {message.queue.domain}) > domains:
            break
        if not granted():
            break
        seen.add(message.queue.domain)
        group.append(ready.popleft())
    return group


def full(connection: Connection, most: int, now: float) -> bool:
    """Whether the connection has carried all it may: ``most`` messages, what the server says itself (RFC 9422), or age.

    Without an age the slowest host of a site would gather all connections: they last longest there.
    """
    offered = connection.capabilities.mails
    return connection.messages >= (min(most, offered) if offered else most) or now - connection.started_at > OLDEST


def spent(connection: Connection, event: Settled) -> bool:
    """Whether it was refused only because the connection has carried all that the server lets it.

    OpenSMTPD says so by 452 4.5.3 to MAIL, and goes on saying it while the connection lasts.
    """
    if connection.messages < 2 or event.stage is not Stage.MAIL or event.reply is None:
        return False
    return event.reply.code == 452 and event.reply.enhanced == "4.5.3"


class Flights:
    """Each transaction on each connection, with the messages of it that have no fate yet."""

    def __init__(self, street: Street) -> None:
        self._street = street
        self._flying: dict[Connection, dict[Transaction, int]] = {}

    def __len__(self) -> int:
        """Messages handed to a connection and not settled."""
        return sum(sum(flying.values()) for flying in self._flying.values())

    @property
    def connections(self) -> int:
        """Connections that have some."""
        return len(self._flying)

    def on(self, connection: Connection) -> int:
        """Transactions on this connection."""
        return len(self._flying.get(connection, ()))

    def submit(self, connection: Connection, group: Sequence[Message]) -> list[Message]:
        """Hand them over as the transaction under way; gives back those that must go otherwise (see `_hand_over`)."""
        return self._hand_over(connection, group, connection.submit)

    def follow(self, connection: Connection, group: Sequence[Message]) -> list[Message]:
        """Hand them over behind the transaction under way; gives back as above."""
        return self._hand_over(connection, group, connection.follow)

    def landed(self, connection: Connection, transaction: Transaction, index: int) -> Message:
        """The recipient at ``index`` has its fate."""
        group: list[Message | None] = transaction.context
        message, group[index] = group[index], None
        assert message is not None, "a recipient is settled once"
        flying = self._flying[connection]
        flying[transaction] -= 1
        if not flying[transaction]:
            del flying[transaction]
            if not flying:
                del self._flying[connection]
        return message

    def abort(self) -> None:
        """Cut them all: what is complete on the wire becomes ambiguous, the rest was not sent."""
        for connection in list(self._flying):
            connection.abort("stopped before the server answered")

    def _hand_over(
        self, connection: Connection, group: Sequence[Message], give: Callable[[Transaction], None]
    ) -> list[Message]:
        """What can never be sent has its outcome here; of several nobody knows which, and each is to be tried alone.

        A composed message is plain: the composer has looked (`content.compose`).
        """
        street = self._street
        now = street.wall()
        for message in group:
            message.began = now
        first = group[0]
        recipients = tuple([message.recipient for message in group])
        transaction = Transaction(first.sender, recipients, first.wire, list(group), street.notify, plain=True)
        flying = self._flying.setdefault(connection, {})
        flying[transaction] = len(group)
        try:
            give(transaction)
        except ValueError as error:
            # Never on the wire: the row itself is at fault, and the connection is as good as before.
            del flying[transaction]
            if not flying:
                del self._flying[connection]
            if len(group) > 1:
                for message in group:
                    message.free_tries += 1
                return list(group)
            first.lane.hold(-1)
            street.ledger.close(first, Status.INVALID, Category.TEMPLATE, str(error))
        return []
