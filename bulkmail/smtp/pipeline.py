"""What we say and what the server owes us for it: the output not taken yet, and the FIFO of owed replies.

A reply is *asked for* once the caller has taken the command's bytes; the final dot is asked for once the last piece
of its message is taken.
"""

from __future__ import annotations

from collections import deque
from typing import TypeAlias

from bulkmail.mail import Stage
from bulkmail.smtp.stuffing import END
from bulkmail.smtp.table import SLOTS, Slot

PIECE = 128 * 1024  # bytes of a message handed out at once

Owed: TypeAlias = tuple[Slot, int]  # for RCPT with the position of its recipient
Command: TypeAlias = tuple[Slot, int, str]


class Pipeline:
    """``turn`` changes whenever the wait begins anew: a new oldest owed reply, or another piece of a message taken."""

    __slots__ = ("_at", "_body", "_out", "asked", "owed", "turn")

    def __init__(self) -> None:
        self.owed: deque[Owed] = deque([(Slot.BANNER, 0)])
        self.asked = 1  # so many of the owed replies are asked for: the server speaks first
        self.turn = 0
        self._out: list[bytes] = []
        self._body: bytes | None = None  # stuffed; not all of it taken yet
        self._at = 0

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
        """Whether a message is being written and its dot not taken yet."""
        return self._body is not None

    @property
    def pending(self) -> bool:
        """Whether `take` has something to give."""
        return bool(self._out) or self._body is not None

    def say(self, slot: Slot, line: str, index: int = 0) -> None:
        """Write one command, and owe its reply."""
        self._owe([(slot, index)])
        self._out.append(line.encode())

    def say_group(self, commands: list[Command]) -> None:
        """Write several commands at once (RFC 2920)."""
        self._owe([(slot, index) for slot, index, _ in commands])
        self._out.append("".join([line for _, _, line in commands]).encode())

    def send(self, stuffed: bytes) -> None:
        """Write a message and its final dot."""
        self._owe([(Slot.DOT, 0)])
        self._body = stuffed
        self._at = 0

    def _owe(self, owed: list[Owed]) -> None:
        if not self.owed:
            self.turn += 1
        self.owed.extend(owed)

    def answered(self) -> None:
        """The oldest owed reply was read."""
        self.owed.popleft()
        if self.asked:
            self.asked -= 1
        self.turn += 1

    def take(self) -> bytes:
        """The bytes to be written now: all of them, but of a large message one piece."""
        if self._body is None:
            self.asked = len(self.owed)
            out = self._out
            data = out[0] if len(out) == 1 else b"".join(out)
            out.clear()
            return data
        self.turn += 1
        body, start = self._body, self._at
        if len(body) - start > PIECE:
            self._at = start + PIECE
            return body[start : self._at]
        self._body = None
        self.asked = len(self.owed)
        data = b"".join([body[start:], END, *self._out])  # the next message's commands go out with the dot
        self._out.clear()
        return data

    def drop(self, last_words: bytes = b"") -> None:
        """Forget everything; only ``last_words`` are still to be taken."""
        self.owed.clear()
        self.asked = 0
        self._body = None
        self._out = [last_words] if last_words else []
