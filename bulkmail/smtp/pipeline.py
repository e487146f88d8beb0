"""What we say and what the server owes us for it: the output not taken yet, and the FIFO of owed replies.

A reply is *asked for* once the caller has taken the command's bytes; a message's own reply (to its final dot, or to
its BDAT) is asked for once the last byte of the message is taken.
"""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import NamedTuple, TypeAlias

from bulkmail.mail import Stage
from bulkmail.smtp.stuffing import END
from bulkmail.smtp.table import SLOTS, Slot

PIECE = 256 * 1024  # bytes handed out at once: a window of ordinary newsletters is one write

Owed: TypeAlias = tuple[Slot, int]  # for RCPT with the position of its recipient
Command: TypeAlias = tuple[Slot, int, str]


class _Said(NamedTuple):
    """Something to be written, and how many replies are asked for with its last byte. A ``body`` may be cut."""

    data: bytes
    asks: int
    body: bool


class Pipeline:
    """``turn`` changes whenever the wait begins anew: a new oldest owed reply, or another piece of a message taken.

    ``early``: the reply that was `answered` last came before all of its message was taken.
    """

    __slots__ = ("_at", "_bodies", "_out", "asked", "early", "owed", "turn")

    def __init__(self, *, greeting: bool = True) -> None:
        self.owed: deque[Owed] = deque([(Slot.BANNER, 0)] if greeting else ())
        self.asked = len(self.owed)  # so many of the owed replies are asked for: the server speaks first
        self.early = False
        self.turn = 0
        self._out: deque[_Said] = deque()
        self._at = 0  # so much of the first body in line is taken
        self._bodies = 0

    @property
    def oldest(self) -> Slot | None:
        """What the oldest owed reply answers."""
        return self.owed[0][0] if self.owed else None

    @property
    def stage(self) -> Stage | None:
        """The stage that a failure belongs to now."""
        return SLOTS[self.owed[0][0]].stage if self.owed else None

    @property
    def in_message(self) -> bool:
        """Whether a message is being written, or is about to be, and its last byte is not taken yet."""
        return self._bodies > 0

    @property
    def pending(self) -> bool:
        """Whether `take` has something to give."""
        return bool(self._out)

    @property
    def chunks_written(self) -> int:
        """So many BDATs with all their bytes are on the wire, and unanswered."""
        return sum(slot is Slot.BDAT for slot, _ in islice(self.owed, self.asked))

    def expect_greeting(self) -> None:
        """The server speaks first, now."""
        self._owe([(Slot.BANNER, 0)])
        self.asked = 1

    def say(self, slot: Slot, line: str, index: int = 0) -> None:
        """Write one command, and owe its reply."""
        self._owe([(slot, index)])
        self._out.append(_Said(line.encode(), 1, body=False))

    def say_group(self, commands: list[Command]) -> None:
        """Write several commands at once (RFC 2920)."""
        self._owe([(slot, index) for slot, index, _ in commands])
        self._out.append(_Said("".join([line for _, _, line in commands]).encode(), len(commands), body=False))

    def send(self, stuffed: bytes) -> None:
        """Write a message and its final dot."""
        self._owe([(Slot.DOT, 0)])
        self._out += (_Said(stuffed, 0, body=True), _Said(END, 1, body=False))
        self._bodies += 1

    def chunk(self, message: bytes) -> None:
        """Write a message as one chunk (RFC 3030 2)."""
        self._owe([(Slot.BDAT, 0)])
        self._out += (_Said(b"BDAT %d LAST\r\n" % len(message), 0, body=False), _Said(message, 1, body=True))
        self._bodies += 1

    def withdraw(self) -> int:
        """Take back the chunks of which not even a command is taken; says how many. In line are only chunks."""
        begun = next((n for n, said in enumerate(self._out) if said.asks and not said.body), len(self._out))
        chunks = 0
        while len(self._out) > begun:
            said = self._out.pop()
            chunks += said.body
            for _ in range(said.asks):
                self.owed.pop()
        self._bodies -= chunks
        return chunks

    def _owe(self, owed: list[Owed]) -> None:
        if not self.owed:
            self.turn += 1
        self.owed.extend(owed)

    def answered(self) -> None:
        """The oldest owed reply was read."""
        self.owed.popleft()
        self.early = not self.asked
        if self.asked:
            self.asked -= 1
        self.turn += 1

    def take(self) -> bytes:
        """The bytes to be written now: all of them, but of large messages one piece."""
        out = self._out
        if self._bodies:
            self.turn += 1
        elif len(out) == 1:
            said = out.popleft()
            self.asked += said.asks
            return said.data
        parts: list[bytes] = []
        room = PIECE
        while out:
            data, asks, body = out[0]
            if body:
                if len(data) - self._at > room:  # commands are always added: the next ones go out with the dot
                    if room == PIECE or len(data) - self._at > PIECE:
                        parts.append(data[self._at : self._at + room])
                        self._at += room
                    break
                if self._at:
                    data = data[self._at :]
                    self._at = 0
                room -= len(data)
                self._bodies -= 1
            out.popleft()
            self.asked += asks
            parts.append(data)
        return b"".join(parts)

    def drop(self, last_words: bytes = b"") -> None:
        """Forget everything; only ``last_words`` are still to be taken."""
        self.owed.clear()
        self.asked = self._bodies = self._at = 0
        self._out.clear()
        if last_words:
            self._out.append(_Said(last_words, 0, body=False))
