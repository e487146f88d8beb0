"""The transactions of one session that are not settled: the one whose replies are owed, and the one behind its dot.

It says which events a reply or a break means for both; what stands behind a dot is told only once the replies prove
that nobody lost count (`alignment`).

Where commands go in groups, the RSET that a refusal asks for stands at the head of the next transaction's group, so it
costs no round trip (RFC 2920 3.1). Until it is answered nothing was done for that transaction: whatever ends the
dialogue there, or makes MAIL be taken for something else, leaves its recipients free.
"""

from __future__ import annotations

from collections.abc import Sequence

from bulkmail.mail import Category, Fate, Reply, Stage
from bulkmail.smtp.alignment import Held
from bulkmail.smtp.capabilities import Capabilities
from bulkmail.smtp.course import CATEGORY, Course, Ending, out_of_step
from bulkmail.smtp.events import Event, Settled, TransactionOver
from bulkmail.smtp.pipeline import RSET, Command
from bulkmail.smtp.table import Slot
from bulkmail.smtp.transaction import Transaction, mail_command, rcpt_commands


class Underway:
    """``course`` is whose slots are owed, from MAIL to the dot; ``follower`` whose commands stand behind that dot.

    ``started`` counts all transactions of the session.
    """

    __slots__ = ("_followed", "_fresh", "_held", "_reset", "course", "follower", "started")

    def __init__(self) -> None:
        self.course: Course | None = None
        self.follower: Course | None = None
        self.started = 0
        self._fresh: list[Settled] = []
        self._followed = False  # something stood behind a dot: a surplus may show a reply later
        self._reset = False  # the server may still be in a transaction
        self._held: Held | None = None  # from the reply to a dot with a follower to the reply to that one's DATA

    @property
    def current(self) -> Course:
        """`course`, where a slot is owed that only a transaction can owe."""
        assert self.course is not None, "slots from MAIL to the dot are owed by a transaction"
        return self.course

    @property
    def idle(self) -> bool:
        """Whether nothing is owed for a transaction."""
        return self.course is None

    def take_provisional(self) -> list[Settled]:
        """Recipients whose dot got a 2xx since this was asked last, and that later replies may still contradict."""
        fresh, self._fresh = self._fresh, []
        return fresh

    def reset_first(self) -> None:
        """The next group begins with RSET."""
        self._reset = True

    def start(self, transaction: Transaction, capabilities: Capabilities) -> list[Command]:
        """One more transaction, behind the current one if there is one: its commands up to DATA."""
        course = Course(transaction, reused=self.started > 0)
        self.started += 1
        if self.course is None:
            self.course = course
        else:
            self.follower = course
            self._followed = transaction.behind = True
        course.restarts, self._reset = self._reset, False
        commands: list[Command] = [RSET] if course.restarts else []
        commands.append((Slot.MAIL, 0, mail_command(transaction, capabilities)))
        commands += [(Slot.RCPT, n, line) for n, line in enumerate(rcpt_commands(transaction, capabilities))]
        commands.append((Slot.DATA, 0, "DATA\r\n"))
        return commands

    # replies

    def saw(self, slot: Slot, reply: Reply) -> None:
        """The reply was read in this slot; its class may be one that the slot does not allow."""
        if self._held is not None:
            self._held.saw(slot, reply.code // 100)

    def unasked(self, opening: bytes) -> None:
        """So begins what was read although nothing was asked: nothing is held then."""

    def sender_refused(self, reply: Reply) -> list[Event]:
        """MAIL was refused: what is told of that now."""
        course = self.current
        course.sender_refused = True
        if self._held is not None and out_of_step(reply):
            return self._misunderstood(Slot.MAIL, reply)
        return self._if_aligned(course.settle_rest(Fate.REFUSED, Stage.MAIL, reply))

    def recipient_refused(self, index: int, reply: Reply) -> list[Event]:
        """RCPT was refused: what is told of that now."""
        if self._held is not None and index in self.current.left and out_of_step(reply):
            return self._misunderstood(Slot.RCPT, reply, index)
        return self._if_aligned(self.current.settle(index, Fate.REFUSED, Stage.RCPT, reply))

    def data_refused(self, reply: Reply) -> list[Event]:
        """DATA was refused: what is told of that now, and of the dot before it."""
        if self._held is not None and self.current.left and out_of_step(reply):
            self._misunderstood(Slot.DATA, reply)
        return [*self.believed(), *self.current.settle_rest(Fate.REFUSED, Stage.DATA, reply)]

    def _misunderstood(self, slot: Slot, reply: Reply, only: int | None = None) -> list[Event]:
        note = f"the server took {slot} behind a message for something else: {reply}"
        return self._if_aligned(self.current.not_tried(note, Category.PROTOCOL, only))

    def _if_aligned(self, events: list[Settled]) -> list[Event]:
        if self._held is None:
            return [*events]
        self._held.add(events)
        return []

    def refused_early(self, reply: Reply) -> list[Event]:
        """The message was refused before all of it was written."""
        return [*self.current.settle_rest(Fate.REFUSED, Stage.DOT, reply)]

    def dot_answered(self, fate: Fate, reply: Reply) -> list[Event]:
        """The dot was answered. With commands behind it nothing is told yet, and the follower is current."""
        course = self.current
        settled = course.settle_rest(fate, Stage.DOT, reply)
        told = [*settled, *self.finish()]
        if self.follower is None:
            return told
        self._held = Held(course.transaction, told, taken=fate is Fate.ACCEPTED)
        if fate is Fate.ACCEPTED:
            self._fresh += settled
        self.course, self.follower = self.follower, None
        return []

    def believed(self) -> Sequence[Event]:
        """The replies are aligned: what was held is true."""
        held, self._held = self._held, None
        self._fresh.clear()
        return () if held is None else held.proven()

    def finish(self) -> list[Event]:
        """All recipients of the current transaction are settled."""
        over = TransactionOver(self.current.transaction)
        self.course = None
        return [over]

    # ends

    def shut_down(self, slot: Slot | None, reply: Reply, *, asked: bool) -> list[Event]:
        """A 421 in ``slot``: it contradicts nothing, and answers the current transaction only."""
        told = list(self.believed())
        if self.course is not None and slot is not None:
            told += self.course.shut_down(slot, reply, asked=asked)
        return told

    def broken_off(
        self, slot: Slot | None, ending: Ending, note: str, *, asked: bool, silent: bool, written: int = 0
    ) -> list[Event]:
        """The dialogue broke off while ``slot`` was owed. Only what is not the dialogue contradicts what is held."""
        del written  # of a message behind a dot nothing is
        held = self._held
        if held is None or ending is not Ending.GARBLED:
            told = list(self.believed())
        else:
            told, self._held = held.refuted(note), None
            self._fresh.clear()
        if self.course is None or slot is None:
            return told
        if held is not None and (ending is Ending.GARBLED or slot is Slot.MAIL):
            return [*told, *self.course.not_tried(note, CATEGORY[ending])]
        if slot is Slot.RESTART or (self._at_its_mail(slot) and ending in (Ending.GARBLED, Ending.LATE)):
            return [*told, *self.course.not_tried(note, CATEGORY[ending])]
        return [*told, *self.course.broken_off(slot, ending, note, asked=asked, silent=silent)]

    def out_of_step(self, slot: Slot, reply: Reply) -> bool:
        """Whether a server that took the group's first command takes what stands behind it for something else.

        Behind a dot that is told of the message concerned, and the replies' classes tell the rest.
        """
        if self._held is not None or not out_of_step(reply):
            return False
        if slot not in (Slot.RCPT, Slot.DATA) and not self._at_its_mail(slot):
            return False
        return bool(self.course and self.course.left)

    def failed(self, slot: Slot | None, ending: Ending) -> dict[str, bool]:
        """What such an ending, while ``slot`` was owed, says against the server, by the names of `Closed`'s fields."""
        if ending is Ending.GARBLED:
            return {"pipelining_failed": self._followed or self.course is not None}
        # Silence behind a command that was answered: there are servers that drop what came behind it.
        silent = self._held is not None or slot in (Slot.RCPT, Slot.DATA) or self._at_its_mail(slot)
        return {"pipelining_failed": ending is Ending.LATE and silent}

    def _at_its_mail(self, slot: Slot | None) -> bool:
        """Whether MAIL is owed, and the RSET before it was answered."""
        return slot is Slot.MAIL and self.course is not None and self.course.restarts

    def closed(self, note: str, category: Category | None) -> list[Event]:
        """Nothing more will be read: the current one is settled, and of a follower nothing was answered."""
        told: list[Event] = [] if self.course is None else self.finish()
        self.course, self.follower = self.follower, None
        if self.course is not None:
            told += self.course.not_tried(note, category)
            told += self.finish()
        return told
