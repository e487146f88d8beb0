"""Log lines, so many a second or a minute and no more: a flood of connections must not become a flood of lines."""

from __future__ import annotations

from collections.abc import Callable

from bulkmail.mail import count_of


class Lines:
    """Passes on ``most`` lines in ``span`` seconds; the others are counted, told with the next one or by `close`."""

    def __init__(self, write: Callable[[str], None], clock: Callable[[], float], most: int, span: float = 1.0) -> None:
        self._write = write
        self._clock = clock
        self._most = most
        self._span = span
        self._current = -1
        self._written = self._left_out = 0

    def say(self, text: str | Callable[[], str]) -> None:
        """Write a line, or count it; one that takes time to make is made only where it is written."""
        current = int(self._clock() / self._span)
        if current != self._current:
            self._current, self._written = current, 0
            self.close()
        if self._written >= self._most:
            self._left_out += 1
            return
        self._written += 1
        self._write(shown(text if isinstance(text, str) else text()))

    def close(self) -> None:
        """Tell what was left out."""
        if self._left_out:
            lines = count_of(self._left_out, "line of this kind was", "lines of this kind were")
            self._write(f"inbound: {lines} left out")
            self._left_out = 0


def shown(text: str) -> str:
    """Return ``text`` as one line of printable characters, of 500 at most."""
    pieces = [piece if piece.isprintable() else ascii(piece)[1:-1] for piece in text[:500]]
    return "".join(pieces)
