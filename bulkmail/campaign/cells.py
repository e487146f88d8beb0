"""Rows of cells as lines of CSV, one line for each row: how lists that are no CSV are read as one.

A line break within a cell is a bare CR in the line, so that the number of a line stays that of the row; `Rows` makes
breaks of them again. A row that could not be read is a line that says why (`UNREADABLE`, then the words).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Protocol

DELIMITER = ","
UNREADABLE = b"\xff\xfe\xff"
"""Begins a line that stands for a row that could not be read; no UTF-8 has these bytes."""

_BREAK = re.compile(r"\r\n|\n")
_QUOTED = re.compile(r"[\",\r]|^\s|\s$")
_ODD = re.compile(r"[\"\r\n]|(?:^|,)\s|\s(?:,|$)")
_ENOUGH = 64 * 1024


class UnreadableError(ValueError):
    """The rest of a sentence about a list: why it cannot be read, or read on, and the remedy."""


class ByteSource(Protocol):
    """Bytes of a list, from its beginning."""

    @property
    def expected(self) -> int:
        """About how many they are."""

    def read(self, size: int, /) -> bytes:
        """Return some bytes; none at the end."""

    def tell(self) -> int:
        """Return how far the file itself was read."""

    def fileno(self) -> int:
        """Return the descriptor of the file itself."""

    def close(self) -> None:
        """Close the file."""


def line_of(cells: Sequence[str]) -> str:
    """Return the cells as one line, without the empty ones at the end, and without its end."""
    last = len(cells)
    while last and not cells[last - 1]:
        last -= 1
    line = DELIMITER.join(cells[:last])
    if _ODD.search(line) is None and line.count(DELIMITER) == max(0, last - 1):
        return line
    return DELIMITER.join([_cell(cell) for cell in cells[:last]])


def _cell(text: str) -> str:
    if "\n" in text:
        text = _BREAK.sub("\r", text)
    return '"' + text.replace('"', '""') + '"' if _QUOTED.search(text) else text


def unreadable(words: str) -> bytes:
    """Return the line of a row that could not be read."""
    return UNREADABLE + words.encode("utf-8", "replace").replace(b"\n", b" ") + b"\n"


class Opened(Protocol):
    """What of an open file a list made of it passes on."""

    def tell(self) -> int: ...  # noqa: D102
    def fileno(self) -> int: ...  # noqa: D102
    def close(self) -> None: ...  # noqa: D102


class Converted:
    """A list that is no CSV, read as one. ``lines``: its lines with their ends, in UTF-8.

    ``first_line``: the number that messages give to the first of them. ``others``: what the file has beside them, as a
    part of a sentence.
    """

    def __init__(
        self,
        file: Opened,
        lines: Iterator[bytes],
        expected: int,
        first_line: int = 1,
        *,
        kept: object = None,
        others: str = "",
    ) -> None:
        self.others = others
        self.tell = file.tell
        self.fileno = file.fileno
        self.close = file.close
        self.expected = expected
        self.first_line = first_line
        self._lines = lines
        self._kept = kept  # what would close the file when it is gone

    def read(self, _size: int, /) -> bytes:
        """Return some whole lines; nothing at the end."""
        found: list[bytes] = []
        held = 0
        for line in self._lines:
            found.append(line)
            held += len(line)
            if held >= _ENOUGH:
                break
        return b"".join(found)
