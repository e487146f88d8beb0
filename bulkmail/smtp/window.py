"""Several messages in flight on one connection: MAIL, RCPT, BDAT LAST and the message in one group (RFC 3030, 2920).

A window is what was sent since the last *barrier*. What its replies say is *held* until then: a barrier is reached when
every reply owed was read and nothing is left over. All slots allow 2xx, 4xx and 5xx alike, so it is the count at the
barrier that proves that no reply was lost; nothing else would show it. The caller bounds the window.

What happened                                | whose BDAT was answered     | the others in the window
---------------------------------------------+-----------------------------+-------------------------------------------
barrier                                      | as its reply                | -
421                                          | as its reply                | free: a server that said 421 reads no more
close, deadline                              | as its reply                | unknown, or lost before its last byte
a surplus 2xx behind the last reply          | stands where its own reply  | -
                                             | and the next are both 2xx   |
                                             | and no RCPT was refused,    |
                                             | else unknown                |
a 3xx, or not a reply; BDAT taken where MAIL | unknown                     | unknown, or free before its last byte
or every RCPT was refused; RSET refused      |                             |
BDAT answered as RCPT is (250 2.1.5)         | unknown                     | unknown, or free before its last byte
BDAT not understood (500, 501, 502, 503 ...) | as its reply                | free, and BDAT is not used again
out of step: the same once BDAT was taken or | as its reply, but free      | at the barrier; then the session ends, and
others may be; MAIL, RCPT: 500, 502, 503     | whose command it was        | BDAT is not used again

With one reply too many in the window each reply read is its slot's own or belongs to the slot before: a message stands
where both say 2xx; with a refused RCPT among several it is not known which recipient it was. A message is unknown, not
free, as soon as its last byte is written: unlike a message behind a dot (`alignment`) it is complete, and its
fate cannot be known.

Behind another message MAIL has an RSET before it. RFC 3030 leaves open what a server keeps of a transaction whose BDAT
it refused; without the RSET the next recipient could be added to the recipients of the message before, or the next
message delivered to them. It costs no round trip, and as it is never refused, it is one more slot that tells a lost
count. A message that follows a refusal has one too, so none is needed at a barrier.

What no count can see: a reply that is missing, when the last one owed does not come and the server is silent (a
deadline then settles the others as they were read); a stray 2xx at the very end of a window of nothing but 2xx, which
is right all the same; and a stray 2xx at its beginning, when the last message's own reply comes after the barrier and
RCPT's, read in its place, has no enhanced code that gives it away.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from bulkmail.mail import Category, Fate, Reply, Stage
from bulkmail.smtp.capabilities import Capabilities
from bulkmail.smtp.events import Event, Settled, TransactionOver
from bulkmail.smtp.pipeline import RSET, Command
from bulkmail.smtp.replies import MalformedReply
from bulkmail.smtp.settlement import Ending, RecipientSettlement, about_command, out_of_step
from bulkmail.smtp.table import Slot
from bulkmail.smtp.transaction import Transaction, envelope

_NO_SUCH_COMMAND = (500, 502)
_NOT_UNDERSTOOD = (*_NO_SUCH_COMMAND, 501, 503, 504, 555)


@dataclass(slots=True, eq=False)
class WindowEntry:
    """One transaction in the window. ``own`` and ``behind``: the classes of its BDAT's reply and of the one after."""

    settlement: RecipientSettlement
    told: list[Event] = field(default_factory=list)  # what is true of it if the count is right
    own: int = 0
    behind: int = 0

    def take(self) -> list[Event]:
        """Take what is true of it."""
        told, self.told = self.told, []
        return told

    def unknown(self, note: str) -> list[Event]:
        """Settle it as unknown: its message is on the wire, and no reply is its own for certain."""
        return self._all(Fate.UNKNOWN, Stage.DOT, note, Category.NO_ANSWER)

    def free(self, note: str) -> list[Event]:
        """Settle it as untried: no reply is its own for certain, and its last byte was not written."""
        return self._all(Fate.UNTRIED, Stage.MAIL, note, Category.PROTOCOL)

    def _all(self, fate: Fate, stage: Stage, note: str, category: Category) -> list[Event]:
        open_ones = self.settlement.settle_rest(fate, stage, None)
        return [
            event._replace(fate=fate, stage=stage, reply=None, note=note, category=category)
            if isinstance(event, Settled)
            else event
            for event in [*open_ones, *self.take()]
        ]

    @property
    def surely_taken(self) -> bool:
        """Whether it was taken even if each reply in it belongs to the slot before."""
        refused = any(isinstance(event, Settled) and event.fate is not Fate.ACCEPTED for event in self.told)
        return self.own == self.behind == 2 and not refused


class Window:
    """`Outstanding` by BDAT: the transactions in flight, and those answered since the barrier.

    ``out_of_step``: why the server is not to be trusted with another window, ``""`` as long as it is.
    """

    __slots__ = ("_answered", "_fresh", "_in_flight", "_proven", "_reset", "_surplus", "out_of_step", "started")

    def __init__(self) -> None:
        self.started = 0
        self.out_of_step = ""
        self._in_flight: deque[WindowEntry] = deque()  # BDAT not answered yet, oldest first
        self._answered: list[WindowEntry] = []
        self._fresh: list[Settled] = []
        self._reset = False  # the server may still be in a transaction
        self._proven = False  # a BDAT was taken on this connection
        self._surplus = False

    @property
    def current(self) -> RecipientSettlement:
        """Return the transaction whose replies are read now."""
        return self._in_flight[0].settlement

    @property
    def idle(self) -> bool:
        """Whether nothing is in entry."""
        return not self._in_flight

    @property
    def takes_another(self) -> bool:
        """Whether a transaction can join those in flight."""
        return bool(self._in_flight) and not self.out_of_step

    @property
    def held(self) -> bool:
        """Whether something was answered and waits for the barrier."""
        return bool(self._answered)

    def take_provisional(self) -> list[Settled]:
        """Take the recipients whose BDAT got a 2xx since the last call, and that wait for the barrier."""
        fresh, self._fresh = self._fresh, []
        return fresh

    def start(self, transaction: Transaction, capabilities: Capabilities) -> list[Command]:
        """Add a transaction. Returns its commands before BDAT."""
        settlement = RecipientSettlement(transaction, reused=self.started > 0)
        commands = envelope(transaction, capabilities)
        if self._in_flight or self._reset:
            commands.insert(0, RSET)
        self._reset = False
        self.started += 1
        self._in_flight.append(WindowEntry(settlement))
        return commands

    def withdrawn(self, count: int, note: str) -> list[Event]:
        """Settle the last ``count`` transactions as untried: they are not written."""
        told: list[Event] = []
        for entry in reversed([self._in_flight.pop() for _ in range(count)]):
            told += entry.settlement.not_tried(note, None)
            told.append(TransactionOver(entry.settlement.transaction))
        self._reset = True  # theirs may be the RSET that was owed
        return told

    # replies

    def saw(self, slot: Slot, reply: Reply) -> None:
        """Note a reply in its slot. Raises MalformedReply where it contradicts other replies, or its place."""
        if self._answered and not self._answered[-1].behind:
            self._answered[-1].behind = reply.code // 100
        if slot is Slot.BDAT and reply.code // 100 == 2:
            if not self._in_flight[0].settlement.left:
                raise MalformedReply("a message was taken although all its recipients were refused")
            if reply.lines[0].startswith("2.1."):  # RFC 3463 3.2: about an address, so it is RCPT's
                raise MalformedReply(f"the server answers a message with {reply}, which is no answer to one")

    def unsolicited(self, opening: bytes) -> None:
        """Note a surplus reply behind the last one owed; ``opening``: its first three bytes at most."""
        if self._answered and not self._in_flight and opening[:1] == b"2":
            self._surplus = True
            self._answered[-1].behind = self._answered[-1].behind or 2

    def sender_refused(self, reply: Reply) -> list[Event]:
        """Settle the recipients, as MAIL was refused; told at the barrier."""
        entry = self._in_flight[0]
        if entry.settlement.reused and out_of_step(reply):
            entry.told += self._misunderstood(Slot.MAIL, reply)
        entry.told += entry.settlement.settle_rest(Fate.REFUSED, Stage.MAIL, reply)
        return []

    def recipient_refused(self, index: int, reply: Reply) -> list[Event]:
        """Settle a recipient, as RCPT was refused; told at the barrier."""
        entry = self._in_flight[0]
        if index in entry.settlement.left and out_of_step(reply):
            entry.told += self._misunderstood(Slot.RCPT, reply, index)
        entry.told += entry.settlement.settle(index, Fate.REFUSED, Stage.RCPT, reply)
        return []

    def _misunderstood(self, slot: Slot, reply: Reply, only: int | None = None) -> list[Settled]:
        """Settle as untried, as the reply is about the command and not about the recipients."""
        self.out_of_step = f"the server loses its place in a window of messages: {slot} was answered with {reply}"
        return self.current.not_tried(self.out_of_step, Category.PROTOCOL, only)

    def chunk_answered(self, fate: Fate, reply: Reply) -> None:
        """Settle the recipients that are left by the reply to BDAT; told at the barrier."""
        settled = self._misunderstood(Slot.BDAT, reply) if self._about_bdat(reply) else []
        entry = self._in_flight.popleft()
        settled += entry.settlement.settle_rest(fate, Stage.DOT, reply)
        entry.told += [*settled, TransactionOver(entry.settlement.transaction)]
        entry.own = reply.code // 100
        self._answered.append(entry)
        if fate is Fate.ACCEPTED:
            self._proven = True
            self._fresh += settled
        else:
            self._reset = not self._in_flight  # a message behind has its own

    def not_understood(self, reply: Reply, *, early: bool) -> bool:
        """Tell whether a reply to BDAT says that it cannot be used here, and no message behind it can have been taken.

        ``early``: it came before all of the message was written.
        """
        if not self._about_bdat(reply):
            return False
        return early or len(self._in_flight) == 1 or (not self._proven and reply.code in _NO_SUCH_COMMAND)

    def _about_bdat(self, reply: Reply) -> bool:
        """Tell whether a reply to a BDAT whose recipients were taken is about the command, not about the message."""
        return bool(self.current.left) and reply.code in _NOT_UNDERSTOOD and about_command(reply)

    def refused_early(self, reply: Reply) -> list[Event]:
        """Settle the transaction, as BDAT was refused before all of the message was written."""
        entry = self._in_flight[0]
        return [*self.believed(), *entry.take(), *entry.settlement.settle_rest(Fate.REFUSED, Stage.DOT, reply)]

    def believed(self) -> list[Event]:
        """Tell what was held, at the barrier or at an end that contradicts nothing."""
        answered, self._answered = self._answered, []
        self._fresh.clear()
        return [event for entry in answered for event in entry.told]

    def _refuted(self, note: str) -> list[Event]:
        told: list[Event] = []
        for entry in self._answered:
            told += entry.take() if self._surplus and entry.surely_taken else entry.unknown(note)
        self._answered.clear()
        self._fresh.clear()
        return told

    # ends

    def shut_down(self, slot: Slot | None, reply: Reply, *, asked: bool) -> list[Event]:
        """Settle what a 421 in ``slot`` answers: the current transaction; no later one was read."""
        told = self.believed()
        if self._in_flight and slot is not None:
            told += self._in_flight[0].take()
            told += self._in_flight[0].settlement.shut_down(slot, reply, asked=asked)
        return told

    def broken_off(
        self, slot: Slot | None, ending: Ending, note: str, *, asked: bool, silent: bool, written: int = 0
    ) -> list[Event]:
        """Settle what the end decides: ``slot`` was owed, and ``written`` BDATs are out with all their bytes."""
        garbled = ending is Ending.GARBLED
        doubted = garbled and self.held
        told = self._refuted(note) if garbled else self.believed()
        for number, entry in enumerate(self._in_flight):
            if number < written:
                if not garbled:
                    told += entry.take()
                told += entry.unknown(note)
            elif number == 0 and doubted:
                told += entry.free(note)
            elif number == 0 and slot is not None:
                told += entry.take()
                told += entry.settlement.broken_off(slot, ending, note, asked=asked, silent=silent)
        return told

    def failed(self, slot: Slot | None, ending: Ending) -> dict[str, bool]:
        """Tell what such an end, while ``slot`` was owed, says against the server: fields of `Closed`."""
        del slot
        if ending is Ending.GARBLED:
            return {"chunking_failed": self.started > 0}
        alone = not self._proven and self.started > 0 and not self.idle
        return {"chunking_failed": alone and ending in (Ending.GONE, Ending.LATE)}

    def closed(self, note: str, category: Category | None) -> list[Event]:
        """Settle all that is still open as untried: nothing more will be read."""
        told: list[Event] = []
        for entry in self._in_flight:
            told += entry.take()  # recipients refused before
            told += entry.settlement.not_tried(note, category)
            told.append(TransactionOver(entry.settlement.transaction))
        self._in_flight.clear()
        return told
