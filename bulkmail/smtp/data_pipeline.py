"""The transactions of one session that are not settled: the one whose replies are owed, and the one behind its dot.

It says which events a reply or a break means for both; what stands behind a dot is told only once the replies prove
that no reply was lost or is too many (`alignment`).

Where commands go in groups, the RSET that a refusal asks for stands at the head of the next transaction's group, so it
costs no round trip (RFC 2920 3.1). Until it is answered nothing was done for that transaction: whatever ends the
dialogue there, or makes MAIL be taken for something else, leaves its recipients free.
"""

from __future__ import annotations

from collections.abc import Sequence

from bulkmail.mail import Category, Fate, Reply, Stage
from bulkmail.smtp.alignment import PendingReplies
from bulkmail.smtp.capabilities import Capabilities
from bulkmail.smtp.events import Event, Settled, TransactionOver
from bulkmail.smtp.pipeline import RSET, Command
from bulkmail.smtp.settlement import CATEGORY, Ending, RecipientSettlement, out_of_step
from bulkmail.smtp.table import Slot
from bulkmail.smtp.transaction import Transaction, envelope


class DataPipeline:
    """`Outstanding` by DATA: one transaction, and one behind its dot.

    ``settlement`` is of the transaction whose slots are owed, from MAIL to the dot; ``follower`` of the one whose
    commands stand behind that dot.
    """

    __slots__ = ("_followed", "_fresh", "_pending", "_reset", "follower", "settlement", "started")

    def __init__(self) -> None:
        self.settlement: RecipientSettlement | None = None
        self.follower: RecipientSettlement | None = None
        self.started = 0
        self._fresh: list[Settled] = []
        self._followed = False  # something stood behind a dot: a surplus may show a reply later
        self._reset = False  # the server may still be in a transaction
        self._pending: PendingReplies | None = None  # from a dot's reply to the one to its follower's DATA

    @property
    def current(self) -> RecipientSettlement:
        """Return `settlement`, where a slot is owed that only a transaction can owe."""
        assert self.settlement is not None, "slots from MAIL to the dot are owed by a transaction"
        return self.settlement

    @property
    def idle(self) -> bool:
        """Whether nothing is owed for a transaction."""
        return self.settlement is None

    @property
    def takes_another(self) -> bool:
        """Whether a transaction can stand behind the current one's dot: one at most."""
        return self.follower is None

    def take_provisional(self) -> list[Settled]:
        """Take the recipients whose dot got a 2xx since the last call, and that later replies may contradict."""
        fresh, self._fresh = self._fresh, []
        return fresh

    def reset_first(self) -> None:
        """Begin the next group with RSET."""
        self._reset = True

    def start(self, transaction: Transaction, capabilities: Capabilities) -> list[Command]:
        """Add a transaction, behind the current one if there is one. Returns its commands up to DATA."""
        settlement = RecipientSettlement(transaction, reused=self.started > 0)
        self.started += 1
        if self.settlement is None:
            self.settlement = settlement
        else:
            self.follower = settlement
            self._followed = transaction.behind = True
        settlement.restarts, self._reset = self._reset, False
        commands = envelope(transaction, capabilities)
        commands.append((Slot.DATA, 0, "DATA\r\n"))
        if settlement.restarts:
            commands.insert(0, RSET)
        return commands

    # replies

    def saw(self, slot: Slot, reply: Reply) -> None:
        """Note a reply in its slot; its class may be one that the slot does not allow."""
        if self._pending is not None:
            self._pending.saw(slot, reply.code // 100)

    def unsolicited(self, opening: bytes) -> None:
        """Ignore bytes that were not asked for: nothing is held back then."""

    def sender_refused(self, reply: Reply) -> list[Event]:
        """Settle the recipients, as MAIL was refused. Returns what can be told now."""
        settlement = self.current
        settlement.sender_refused = True
        if self._pending is not None and out_of_step(reply):
            return self._misunderstood(Slot.MAIL, reply)
        return self._if_aligned(settlement.settle_rest(Fate.REFUSED, Stage.MAIL, reply))

    def recipient_refused(self, index: int, reply: Reply) -> list[Event]:
        """Settle a recipient, as RCPT was refused. Returns what can be told now."""
        if self._pending is not None and index in self.current.left and out_of_step(reply):
            return self._misunderstood(Slot.RCPT, reply, index)
        return self._if_aligned(self.current.settle(index, Fate.REFUSED, Stage.RCPT, reply))

    def data_refused(self, reply: Reply) -> list[Event]:
        """Settle the recipients, as DATA was refused. Returns that, and what was held of the dot before it."""
        if self._pending is not None and self.current.left and out_of_step(reply):
            self._misunderstood(Slot.DATA, reply)
        return [*self.believed(), *self.current.settle_rest(Fate.REFUSED, Stage.DATA, reply)]

    def _misunderstood(self, slot: Slot, reply: Reply, only: int | None = None) -> list[Event]:
        note = f"the server took {slot} behind a message for something else: {reply}"
        return self._if_aligned(self.current.not_tried(note, Category.PROTOCOL, only))

    def _if_aligned(self, events: list[Settled]) -> list[Event]:
        if self._pending is None:
            return [*events]
        self._pending.add(events)
        return []

    def refused_early(self, reply: Reply) -> list[Event]:
        """Settle the recipients, as the message was refused before all of it was written."""
        return [*self.current.settle_rest(Fate.REFUSED, Stage.DOT, reply)]

    def dot_answered(self, fate: Fate, reply: Reply) -> list[Event]:
        """Settle by the dot's reply. With commands behind it, hold that back, and make the follower current."""
        settlement = self.current
        settled = settlement.settle_rest(fate, Stage.DOT, reply)
        told = [*settled, *self.finish()]
        if self.follower is None:
            return told
        self._pending = PendingReplies(settlement.transaction, told, taken=fate is Fate.ACCEPTED)
        if fate is Fate.ACCEPTED:
            self._fresh += settled
        self.settlement, self.follower = self.follower, None
        return []

    def believed(self) -> Sequence[Event]:
        """Tell what was held back: the replies are aligned."""
        held, self._pending = self._pending, None
        self._fresh.clear()
        return () if held is None else held.proven()

    def finish(self) -> list[Event]:
        """End the current transaction: all its recipients are settled."""
        over = TransactionOver(self.current.transaction)
        self.settlement = None
        return [over]

    # ends

    def shut_down(self, slot: Slot | None, reply: Reply, *, asked: bool) -> list[Event]:
        """Settle what a 421 in ``slot`` answers: the current transaction. It contradicts nothing."""
        told = list(self.believed())
        if self.settlement is not None and slot is not None:
            told += self.settlement.shut_down(slot, reply, asked=asked)
        return told

    def broken_off(
        self, slot: Slot | None, ending: Ending, note: str, *, asked: bool, silent: bool, written: int = 0
    ) -> list[Event]:
        """Settle what the end decides. Only what is no reply (GARBLED) contradicts what is held back."""
        del written  # of a message behind a dot nothing is
        held = self._pending
        if held is None or ending is not Ending.GARBLED:
            told = list(self.believed())
        else:
            told, self._pending = held.refuted(note), None
            self._fresh.clear()
        if self.settlement is None or slot is None:
            return told
        if held is not None and (ending is Ending.GARBLED or slot is Slot.MAIL):
            return [*told, *self.settlement.not_tried(note, CATEGORY[ending])]
        if slot is Slot.RESTART or (self._at_its_mail(slot) and ending in (Ending.GARBLED, Ending.LATE)):
            return [*told, *self.settlement.not_tried(note, CATEGORY[ending])]
        return [*told, *self.settlement.broken_off(slot, ending, note, asked=asked, silent=silent)]

    def out_of_step(self, slot: Slot, reply: Reply) -> bool:
        """Tell whether a server that took the group's first command takes what stands behind it for something else.

        Behind a dot that is told of the message concerned, and the replies' classes tell the rest.
        """
        if self._pending is not None or not out_of_step(reply):
            return False
        if slot not in (Slot.RCPT, Slot.DATA) and not self._at_its_mail(slot):
            return False
        return bool(self.settlement and self.settlement.left)

    def failed(self, slot: Slot | None, ending: Ending) -> dict[str, bool]:
        """Tell what such an end, while ``slot`` was owed, says against the server: fields of `Closed`."""
        if ending is Ending.GARBLED:
            return {"pipelining_failed": self._followed or self.settlement is not None}
        # Silence behind a command that was answered: there are servers that drop what came behind it.
        silent = self._pending is not None or slot in (Slot.RCPT, Slot.DATA) or self._at_its_mail(slot)
        return {"pipelining_failed": ending is Ending.LATE and silent}

    def _at_its_mail(self, slot: Slot | None) -> bool:
        """Tell whether MAIL is owed, and the RSET before it was answered."""
        return slot is Slot.MAIL and self.settlement is not None and self.settlement.restarts

    def closed(self, note: str, category: Category | None) -> list[Event]:
        """End: the current transaction is settled, and a follower is untried, as nothing of it was answered."""
        told: list[Event] = [] if self.settlement is None else self.finish()
        self.settlement, self.follower = self.follower, None
        if self.settlement is not None:
            told += self.settlement.not_tried(note, category)
            told += self.finish()
        return told
