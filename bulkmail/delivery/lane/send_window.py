"""How many messages a lane puts on one connection before the first of them is answered.

The window of messages that go out by BDAT (RFC 3030) before the first is answered starts at one and doubles at each
barrier that was reached cleanly with more to send. It halves when the receiver asks for less; from then on it doubles
up to that half only, and grows by one beyond it (RFC 5681 3.1, slow start and congestion avoidance). What is in it when
a connection dies is ambiguous, so a death starts it at one again, likewise up to half. `shaping.feedback` decides which
of these is due.
"""

from __future__ import annotations

from bulkmail.shaping import WindowChange

MOST_BYTES = 1024 * 1024  # of one window: beyond that a round trip is little beside the transfer


class SendWindow:
    """``window``: messages now. ``most``: the largest window, in messages."""

    __slots__ = ("_doubles_to", "_filled", "_most", "window")

    def __init__(self, most: int) -> None:
        self.window = 1
        self._filled = False  # there was more to send than the window takes
        self._most = self._doubles_to = most

    def allow(self, most: int) -> None:
        """Use another largest window from now on."""
        self._most, self.window = most, min(most, self.window)

    def room(self, on_wire: int, size: int, *, chunking: bool) -> bool:
        """Return whether a connection with ``on_wire`` unanswered messages takes another one of ``size`` bytes."""
        if not chunking:
            return on_wire < 2  # one under way and one behind its dot (RFC 2920 3.1)
        if on_wire < self.window:
            return (on_wire + 1) * size <= MOST_BYTES
        self._filled = True
        return False

    def cleared(self) -> None:
        """Grow if the window was the limit: a connection has answered everything, and cleanly."""
        if self._filled:
            self._filled = False
            doubled = min(self._doubles_to, self.window * 2)
            self.window = min(self._most, max(doubled, self.window + 1))

    def change(self, change: WindowChange) -> None:
        """Halve, or start at one message again."""
        if change is not WindowChange.KEEP:
            self._doubles_to = max(1, self.window // 2)
            self.window = self._doubles_to if change is WindowChange.HALVE else 1
            self._filled = False
