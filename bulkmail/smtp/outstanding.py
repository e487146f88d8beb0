"""The interface between a session and the messages whose replies are owed: `DataPipeline` or `Window` behind it.

A session reads a reply, finds its slot, and asks here what it means to the recipients. The two answers differ in when
it is told: `DataPipeline` holds back one message at most, `Window` all since the last barrier.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from bulkmail.mail import Category, Reply
from bulkmail.smtp.capabilities import Capabilities
from bulkmail.smtp.events import Event, Settled
from bulkmail.smtp.pipeline import Command
from bulkmail.smtp.settlement import Ending, RecipientSettlement
from bulkmail.smtp.table import Slot
from bulkmail.smtp.transaction import Transaction


class Outstanding(Protocol):
    """The transactions of one session that are not settled. ``started`` counts all transactions of the session."""

    started: int

    @property
    def current(self) -> RecipientSettlement:
        """The transaction whose replies are read now; only while one is under way."""

    @property
    def idle(self) -> bool:
        """Whether nothing is owed for a transaction."""

    @property
    def takes_another(self) -> bool:
        """Whether one more transaction can stand behind those under way."""

    def start(self, transaction: Transaction, capabilities: Capabilities) -> list[Command]:
        """Add a transaction, behind the others. Returns its commands before the message."""

    def take_provisional(self) -> list[Settled]:
        """Take the recipients whose message got a 2xx since the last call, and that later replies may contradict."""

    # replies

    def saw(self, slot: Slot, reply: Reply) -> None:
        """Note a reply in its slot. Raises MalformedReply where it contradicts other replies, or its place."""

    def unsolicited(self, opening: bytes) -> None:
        """Note bytes that were read although nothing was asked; ``opening``: the first three at most."""

    def sender_refused(self, reply: Reply) -> list[Event]:
        """Settle the current transaction, as MAIL was refused. Returns what can be told now."""

    def recipient_refused(self, index: int, reply: Reply) -> list[Event]:
        """Settle one recipient, as RCPT was refused. Returns what can be told now."""

    def refused_early(self, reply: Reply) -> list[Event]:
        """Settle the current transaction, as its message was refused before all of it was written."""

    def believed(self) -> Sequence[Event]:
        """Tell what was held back: nothing contradicts it."""

    # ends

    def shut_down(self, slot: Slot | None, reply: Reply, *, asked: bool) -> list[Event]:
        """Settle what a 421 in ``slot`` answers: the current transaction, and none behind it."""

    def broken_off(
        self, slot: Slot | None, ending: Ending, note: str, *, asked: bool, silent: bool, written: int = 0
    ) -> list[Event]:
        """Settle what the end of the dialogue decides.

        ``slot`` was owed, ``asked`` for or not; ``silent``: no byte of its reply was read. ``written``: so many BDATs
        are on the wire with all their bytes, and unanswered.
        """

    def failed(self, slot: Slot | None, ending: Ending) -> dict[str, bool]:
        """Tell what such an end, while ``slot`` was owed, says against the server: fields of `Closed`."""

    def closed(self, note: str, category: Category | None) -> list[Event]:
        """Settle all that is still open as untried: nothing more will be read."""
