"""What may stand in a cell: one line of a receiver's words, a time, and nothing that a spreadsheet would run.

The functions take whole columns, not cells: a list comprehension costs a tenth of a call for each of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

LONGEST_REPLY = 512

_SIGNS = "=+-@\uff1d\uff0b\uff0d\uff20"  # the last four are full width: some settings take them for the plain ones
_MAY_RUN = frozenset(_SIGNS + "\t\r\n'")  # an apostrophe too: what reads the file takes away one of ours, no other
_FIRST = re.compile(f"'*[{re.escape(_SIGNS)}\t\r\n]")
# A program that separates by `;` or TAB sees another cell there; quotes in the middle of a line mean nothing to it.
_WITHIN = re.compile(f"([;\t\r\n][\"\\s]*)('*[{re.escape(_SIGNS)}])")
_MILLISECONDS = [f".{n:03d}Z" for n in range(1000)]
_REMEMBERED = 20_000
_CALENDAR = (-62_135_596_800, 253_402_300_799)  # the years 1 to 9999, in epoch seconds
_NO_TIME = (OverflowError, ValueError, OSError)


def guarded(cells: Iterable[str]) -> list[str]:
    """Return the cells, with ``'`` before what a spreadsheet would run as a formula (CWE-1236).

    That is a cell that begins with one of the signs ``= + - @`` (also full width), TAB, CR or LF, and such a sign
    behind a ``;``, a TAB or a line end within a cell: where ``;`` or TAB separates the cells, another one begins there.
    Apostrophes that stand before such a sign in the input get one more, so that the input can be had back.
    """
    guarded = ["'" + cell if cell[:1] in _MAY_RUN and _FIRST.match(cell) else cell for cell in cells]
    if _WITHIN.search("\0".join(guarded)):  # one look at the column: hardly any has one
        return [_WITHIN.sub(r"\1'\2", cell) for cell in guarded]
    return guarded


def one_line(text: str) -> str:
    """Return a receiver's words as one line of at most 512 characters, every unprintable character a space.

    Unprintable is what ``str.isprintable`` says: controls, line ends of any script, lone surrogates and the
    invisible marks that turn text around on a screen.
    """
    if len(text) <= LONGEST_REPLY and text.isprintable():
        return text
    clean = "".join([c if c.isprintable() else " " for c in text[: 8 * LONGEST_REPLY]])
    return " ".join(clean.split())[:LONGEST_REPLY]


def reply_cells(replies: Iterable[str]) -> list[str]:
    """Return replies fit for a column: one line each, capped and guarded."""
    lines = [text if len(text) <= LONGEST_REPLY and text.isprintable() else one_line(text) for text in replies]
    return [line[:LONGEST_REPLY] for line in guarded(lines)]


class Times:
    """Writes epoch seconds as UTC in RFC 3339 with milliseconds; remembers the seconds it has written before."""

    def __init__(self) -> None:
        self._seconds = _Seconds()

    def cells(self, times: Sequence[float | None]) -> list[str]:
        """Return one cell for each time; ``""`` for None, 0 and what no calendar holds."""
        known = self._seconds
        if len(known) > _REMEMBERED:
            known.clear()
        try:
            return [
                known[(ms := int(at * 1000 + 0.5)) // 1000] + _MILLISECONDS[ms % 1000] if at else "" for at in times
            ]
        except _NO_TIME:
            return [self._cell(at) for at in times]

    def _cell(self, at: float | None) -> str:
        return self.cells([at])[0] if at and _CALENDAR[0] <= at < _CALENDAR[1] else ""


class _Seconds(dict[int, str]):
    def __missing__(self, second: int) -> str:
        written = self[second] = f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%S}"
        return written


def time_cell(at: float | None) -> str:
    """Return one time, as ``Times`` writes it."""
    return Times().cells([at])[0]
