"""The messages of one lane that are on its connections, from being handed over until each recipient is settled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

from bulkmail.delivery.clocks import Clocks
from bulkmail.delivery.message import Message
from bulkmail.delivery.run import Run
from bulkmail.mail import Outcome, Reply
from bulkmail.net import LiveConnection
from bulkmail.shaping import TransactionResult
from bulkmail.smtp import Transaction


class Unsendable(NamedTuple):
    """These messages were not handed over: they can never be sent as they are. ``why`` is for the report."""

    messages: Sequence[Message]
    why: str


class Shipment:
    """The context of a transaction: its messages by recipient index, and what came of those that are settled.

    ``unsettled``: how many have no outcome yet. A settled message's place is None. ``accepted``: whether one was.
    ``refused``: the last one that was not, with its outcome; ``result``: what came of all that were not; ``complaint``:
    the last reply that asks us to slow down. ``sent``: when it was handed over, on the reactor's clock.
    """

    accepted = False
    refused: tuple[Message, Outcome] | None = None
    result: TransactionResult | None = None
    complaint: Reply | None = None

    def __init__(self, messages: Sequence[Message], sent: float = 0.0) -> None:
        self.messages: list[Message | None] = list(messages)
        self.sent = sent
        self.unsettled = len(messages)


class InFlight:
    """``messages``: how many are handed over and not settled. ``notify``: the NOTIFY of RFC 3461 4.1, or ""."""

    __slots__ = ("_clocks", "_notify", "_on", "messages")

    def __init__(self, clocks: Clocks, notify: str) -> None:
        self.messages = 0
        self._clocks = clocks
        self._notify = notify
        self._on: dict[LiveConnection, list[Shipment]] = {}  # transactions with unsettled recipients

    @property
    def connections(self) -> int:
        """Connections that have some."""
        return len(self._on)

    def on(self, connection: LiveConnection) -> int:
        """Return the number of transactions on this connection."""
        return len(self._on.get(connection, ()))

    def by_run(self) -> Counter[Run]:
        """Return how many messages of each campaign they are."""
        on = [shipment.messages for shipments in self._on.values() for shipment in shipments]
        return Counter(message.run for messages in on for message in messages if message is not None)

    def submit(self, connection: LiveConnection, group: Sequence[Message]) -> Unsendable | None:
        """Hand the group over as the transaction under way; what cannot be sent comes back (see `_hand_over`)."""
        return self._hand_over(connection, group, connection.submit)

    def submit_behind(self, connection: LiveConnection, group: Sequence[Message]) -> Unsendable | None:
        """Hand the group over behind the transaction under way; what cannot be sent comes back."""
        return self._hand_over(connection, group, connection.submit_behind)

    def settled(self, connection: LiveConnection, shipment: Shipment, index: int) -> Message:
        """Take out the message of the recipient at ``index``, which is settled."""
        message, shipment.messages[index] = shipment.messages[index], None
        assert message is not None, "a recipient is settled once"
        self._leave(connection, shipment, 1)
        return message

    def abort(self) -> None:
        """Cut all connections: what is complete on the wire becomes ambiguous, the rest was not sent."""
        for connection in list(self._on):
            connection.abort("stopped before the server answered")

    def _leave(self, connection: LiveConnection, shipment: Shipment, count: int) -> None:
        self.messages -= count
        shipment.unsettled -= count
        if not shipment.unsettled:
            left = self._on[connection]
            left.remove(shipment)
            if not left:
                del self._on[connection]

    def _hand_over(
        self, connection: LiveConnection, group: Sequence[Message], give: Callable[[Transaction], None]
    ) -> Unsendable | None:
        """Hand over by ``give``. A composed message is plain: the composer has looked (`content.compose`)."""
        now = self._clocks.wall()
        for message in group:
            message.began = now
        first = group[0]
        shipment = Shipment(group, self._clocks.now())
        recipients = tuple([message.recipient for message in group])
        envelope_id = ""
        if self._notify:
            envelope_id = first.run.token(first.claimed.number) if len(group) == 1 else _of_several(group)
        transaction = Transaction(first.sender, recipients, first.wire, shipment, self._notify, envelope_id, plain=True)
        self._on.setdefault(connection, []).append(shipment)
        self.messages += shipment.unsettled
        try:
            give(transaction)
        except ValueError as error:
            self._leave(connection, shipment, shipment.unsettled)
            return Unsendable(group, str(error))
        return None


def _of_several(group: Sequence[Message]) -> str:
    """Return what reports of a transaction of several are to repeat."""
    run, domain = group[0].run, group[0].domain
    if any(message.domain != domain for message in group):
        return run.token(0)  # who takes the mail of one domain must not be able to report of another
    return run.envelope_id([message.claimed.number for message in group])
