"""A transaction under way: which of its recipients are still open, and which commands are still to be said."""

from __future__ import annotations

from collections import deque
from enum import Enum, auto

from bulkmail.mail import Category, Fate, Reply, Stage
from bulkmail.smtp.events import Event, Settled, TransactionOver
from bulkmail.smtp.pipeline import Command
from bulkmail.smtp.table import SLOTS, Slot
from bulkmail.smtp.transaction import Obstacle, Transaction


class Ending(Enum):
    """Why a session ended without a reply that says so."""

    GONE = auto()  # the peer closed, or the connection was lost
    LATE = auto()  # the reply did not come in time
    GARBLED = auto()  # what came was no reply, or not one to what was asked
    TLS = auto()  # the handshake failed
    OURS = auto()  # we ended it


CATEGORY: dict[Ending, Category | None] = {
    Ending.GONE: Category.CONNECTION,
    Ending.LATE: Category.NO_ANSWER,
    Ending.GARBLED: Category.PROTOCOL,
    Ending.TLS: Category.TLS,
    Ending.OURS: None,
}


_BEGINNINGS = (Slot.MAIL, Slot.RESTART)
_NOTHING: deque[Command] = deque()
_OUT_OF_STEP = (500, 502, 503)


def out_of_step(reply: Reply) -> bool:
    """Tell whether a reply says "what?", "not implemented", "not now" (RFC 5321 4.2.2) about a command.

    Where commands come in groups, and the same was understood before, a server says so that has lost its place, reads a
    message as commands or keeps a transaction open: it is about no recipient. An enhanced code may say otherwise.
    """
    return reply.code in _OUT_OF_STEP and about_command(reply)


def about_command(reply: Reply) -> bool:
    """Tell whether its enhanced code, if it has one, leaves it open that a command is meant (RFC 3463 3.6)."""
    return reply.enhanced[2:4] in ("", "5.", "0.")


def ruled_out(transaction: Transaction, verdict: Obstacle) -> list[Event]:
    """Settle every recipient by our own verdict, before a byte is written."""
    settled: list[Event] = [
        Settled(transaction, index, Fate.REFUSED, Stage.MAIL, None, verdict.note, verdict.category, permanent=True)
        for index in range(len(transaction.recipients))
    ]
    return [*settled, TransactionOver(transaction)]


class RecipientSettlement:
    """Settles each recipient of one transaction once: the open ones are `left`."""

    __slots__ = ("left", "restarts", "reused", "sender_refused", "transaction", "unsent")

    def __init__(self, transaction: Transaction, *, reused: bool) -> None:
        self.transaction = transaction
        self.restarts = False  # its group begins with RSET
        self.reused = reused  # the connection carried a transaction before this one
        self.sender_refused = False  # the server has opened no transaction: nothing is to be reset
        self.left = dict.fromkeys(range(len(transaction.recipients)))
        self.unsent = _NOTHING  # without PIPELINING: one at a time

    def settle(self, index: int, fate: Fate, stage: Stage, reply: Reply) -> list[Settled]:
        """Settle one recipient, unless it is settled already (a RCPT answered after MAIL was refused)."""
        if index not in self.left:
            return []
        del self.left[index]
        return [Settled(self.transaction, index, fate, stage, reply)]

    def settle_rest(self, fate: Fate, stage: Stage, reply: Reply | None) -> list[Settled]:
        """Settle every recipient that is still open, in their order."""
        settled = [Settled(self.transaction, index, fate, stage, reply) for index in self.left]
        self.left.clear()
        return settled

    def not_tried(self, note: str, category: Category | None, only: int | None = None) -> list[Settled]:
        """Settle the open recipients, or ``only`` this one, as untried: they did not get the message."""
        free = [*self.left] if only is None else [only]
        for index in free:
            del self.left[index]
        return [Settled(self.transaction, index, Fate.UNTRIED, Stage.MAIL, None, note, category) for index in free]

    def shut_down(self, slot: Slot, reply: Reply, *, asked: bool) -> list[Settled]:
        """Settle by a 421 in ``slot``. On a used connection it says nothing about the next message."""
        untried = slot in _BEGINNINGS and (self.reused or not asked)
        return self.settle_rest(Fate.UNTRIED if untried else Fate.REFUSED, SLOTS[slot].stage or Stage.MAIL, reply)

    def broken_off(self, slot: Slot, ending: Ending, note: str, *, asked: bool, silent: bool) -> list[Settled]:
        """Settle the open recipients by how far the session came: it ended while ``slot`` was owed.

        ``silent``: not a byte of the reply was read.
        """
        category = CATEGORY[ending]
        closed_while_idle = ending is Ending.GONE and self.reused and silent
        stage = SLOTS[slot].stage or Stage.MAIL
        if slot is Slot.DOT and asked:
            fate, category = Fate.UNKNOWN, Category.NO_ANSWER
        elif ending is Ending.OURS or (slot in _BEGINNINGS and (not asked or closed_while_idle)):
            fate = Fate.UNTRIED
        else:
            fate = Fate.LOST
            stage = Stage.DATA if stage is Stage.DOT else stage
        settled = [Settled(self.transaction, index, fate, stage, None, note, category) for index in self.left]
        self.left.clear()
        return settled
