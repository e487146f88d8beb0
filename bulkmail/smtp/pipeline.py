"""The commands and what the server owes us for them: the output not taken yet, and the FIFO of owed replies.

A reply is *asked for* once the caller has taken the command's bytes; a message's own reply (to its final dot, or to
its BDAT) is asked for once the last byte of the message is taken.
"""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import TypeAlias

from bulkmail.mail import Stage
from bulkmail.smtp.stuffing import END
from bulkmail.smtp.table import SLOTS, Slot

PIECE = 256 * 1024  # bytes handed out at once: a window of ordinary newsletters is one write

Owed: TypeAlias = tuple[Slot, int]  # for RCPT with the position of its recipient
Command: TypeAlias = tuple[Slot, int, str]

RSET: Command = (Slot.RESTART, 0, "RSET\r\n")

_Said: TypeAlias = tuple[bytes, int, bool]
"""Something to be written, how many replies are asked for with its last byte, and whether it may be cut: a body."""


class Pipeline:
    """``turn`` changes whenever the wait begins anew: a new oldest owed reply, or another piece of a message taken.

    ``early``: the reply that was `answered` last came before all of its message was taken.
    """

    __slots__ = ("_at", "_bodies", "_out", "_weight", "asked", "early", "owed", "turn")

    def __init__(self, *, greeting: bool = True) -> None:
        self.owed: deque[Owed] = deque([(Slot.BANNER, 0)] if greeting else ())
        self.asked = len(self.owed)  # so many of the owed replies are asked for: the server speaks first
        self.early = False
        self.turn = 0
        self._out: deque[_Said] = deque()
        self._at = 0  # so much of the first body in line is taken
        self._bodies = 0
        self._weight = 0  # bytes of the bodies in line

    @property
    def oldest(self) -> Slot | None:
        """Return what the oldest owed reply answers."""
        return self.owed[0][0] if self.owed else None

    @property
    def stage(self) -> Stage | None:
        """Return the stage that a failure belongs to now."""
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
        """Count the BDATs that are on the wire with all their bytes, and unanswered."""
        return sum(slot is Slot.BDAT for slot, _ in islice(self.owed, self.asked))

    def expect(self, slot: Slot) -> None:
        """Owe what no command asks for: the greeting, or the end of a TLS handshake, in which no reply is read."""
        self._owe([(slot, 0)])
        self.asked = int(slot is Slot.BANNER)

    def send_command(self, slot: Slot, line: str, index: int = 0) -> None:
        """Write one command, and owe its reply."""
        self._owe([(slot, index)])
        self._put(line.encode(), 1)

    def send_group(self, commands: list[Command]) -> None:
        """Write several commands at once (RFC 2920)."""
        self._owe([(slot, index) for slot, index, _ in commands])
        self._put("".join([line for _, _, line in commands]).encode(), len(commands))

    def send_message(self, stuffed: bytes) -> None:
        """Write a message and its final dot."""
        self._owe([(Slot.DOT, 0)])
        self._put(stuffed, 0, body=True)
        self._put(END, 1)

    def send_chunk(self, message: bytes) -> None:
        """Write a message as one chunk (RFC 3030 2)."""
        self._owe([(Slot.BDAT, 0)])
        self._put(b"BDAT %d LAST\r\n" % len(message), 0)
        self._put(message, 1, body=True)

    def withdraw(self) -> int:
        """Take back the chunks of which not even a command is taken; returns how many. In line are only chunks."""
        begun = next((n for n, (_, asks, body) in enumerate(self._out) if asks and not body), len(self._out))
        chunks = 0
        while len(self._out) > begun:
            data, asks, body = self._out.pop()
            if body:
                chunks += 1
                self._weight -= len(data)
            for _ in range(asks):
                self.owed.pop()
        self._bodies -= chunks
        return chunks

    def _put(self, data: bytes, asks: int, *, body: bool = False) -> None:
        self._out.append((data, asks, body))
        if body:
            self._bodies += 1
            self._weight += len(data)

    def _owe(self, owed: list[Owed]) -> None:
        if not self.owed:
            self.turn += 1
        self.owed.extend(owed)

    def answered(self) -> None:
        """Owe the oldest reply no more: it was read."""
        self.owed.popleft()
        self.early = not self.asked
        if self.asked:
            self.asked -= 1
        self.turn += 1

    def take(self) -> bytes:
        """Take the bytes to be written now: all of them, but of large messages one piece."""
        out = self._out
        if not out:
            return b""
        if self._bodies:
            self.turn += 1
        if self._weight <= PIECE and not self._at:
            data = b"".join([data for data, _, _ in out])
            self.asked = len(self.owed)
            out.clear()
            self._bodies = self._weight = 0
            return data
        return self._piece()

    def _piece(self) -> bytes:
        """Take what comes next of a body that is too large, or of several that are together."""
        out = self._out
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
                self._bodies -= 1
                self._weight -= len(data)
                if self._at:
                    data = data[self._at :]
                    self._at = 0
                room -= len(data)
            out.popleft()
            self.asked += asks
            parts.append(data)
        return b"".join(parts)

    def drop(self, last_words: bytes = b"") -> None:
        """Forget everything; only ``last_words`` are still to be taken."""
        self.owed.clear()
        self.asked = self._bodies = self._weight = self._at = 0
        self._out.clear()
        if last_words:
            self._put(last_words, 0)
