"""How many messages a lane puts on one connection at once, before the first of them is answered.

The window of messages that go out by BDAT before the first is answered starts at one, doubles at each barrier that was
reached cleanly with more to send, and halves when the receiver asks for less. Whatever is in it when a connection dies
is ambiguous, so a death starts it at one again.
"""

from __future__ import annotations

from bulkmail.delivery.habits import Habits
from bulkmail.smtp import Closed

MOST_BYTES = 1024 * 1024  # of one window: beyond that a round trip is little beside the transfer


class Pipelining:
    """``most``: the largest window, in messages."""

    __slots__ = ("_filled", "_habits", "_most", "window")

    def __init__(self, habits: Habits, most: int) -> None:
        self.window = 1
        self._filled = False  # there was more to send than the window takes
        self._most = most
        self._habits = habits

    def room(self, flying: int, size: int, *, chunking: bool) -> bool:
        """Whether a connection with so many messages unanswered takes another one of ``size`` bytes."""
        if not chunking:
            return self._habits.follows and flying < 2
        if flying < self.window:
            return (flying + 1) * size <= MOST_BYTES
        self._filled = True
        return False

    def cleared(self) -> None:
        """A connection has answered everything, and cleanly."""
        if self._filled:
            self._filled = False
            self.window = min(self._most, self.window * 2)

    def complained(self) -> None:
        """The receiver asks for less."""
        self.window = max(1, self.window // 2)
        self._filled = False

    def closed(self, closed: Closed) -> None:
        """A connection ended: with a 421 it is one that took less than it was given."""
        if closed.reply is not None and closed.reply.code == 421:
            self.complained()

    def doubted(self) -> None:
        """A message was complete on a connection that ended without an answer to it."""
        self.window = 1
        self._filled = False
