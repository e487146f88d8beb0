"""The lines behind the last row of an export that are no rows: who made the report, its title, "Confidential".

They have one cell filled and no address, and nothing but such lines and blank ones follows to the end of the file. A
word alone in the column of the addresses may be a broken address, so it is a row, unless a blank line stands before it.
Where each entry is marked as one (cards, LDIF, JSON lines), none is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bulkmail.campaign.header import Header, split
from bulkmail.mail import Problem

MOST = 50  # lines; more of them are a list whose rows lack an address
_ENOUGH = 3  # columns
_SHOWN = 60


def trailer_at(texts: Sequence[str], begin: int, header: Header, address: int, is_bad: Callable[[int], bool]) -> int:
    """Return where in a window of lines its last lines begin that may be no rows: ``len(texts)`` where there are none.

    Lines before ``begin`` do not count, and a line that ``is_bad(index)`` is a row. ``address``: the column of the
    addresses. From that place on every line is blank, or has one cell filled and no address.
    """
    at = len(texts)
    words: set[int] = set()  # lines with a word in the column of the addresses
    while at > begin and not is_bad(at - 1):
        text = texts[at - 1].rstrip("\r")
        if text.strip():
            column, cell = _only_cell(text, header)
            if column < 0:
                break
            if column == address and not any(map(str.isspace, cell)):
                words.add(at - 1)
        at -= 1
    while at in words:
        at += 1
    return at


def _only_cell(text: str, header: Header) -> tuple[int, str]:
    """Return the column and the value of the one cell that is filled; -1 where there are more, or an address.

    Of two columns one is often empty: there it must be the only cell.
    """
    cells = [] if "@" in text else split(text, header.delimiter) or []
    filled = [(at, cell.strip()) for at, cell in enumerate(cells) if cell.strip()]
    few = len(cells) > 1 and len(header.names) < _ENOUGH
    return (-1, "") if len(filled) != 1 or few else filled[0]


def left_out(path: str, line: int, texts: Sequence[str], header: Header) -> Problem:
    """Return what people should know of a trailer that begins at ``line``."""
    said = [(at, _only_cell(text.rstrip("\r"), header)[1]) for at, text in enumerate(texts) if text.strip()]
    at, first = said[0]
    many = "the last line is no recipient" if len(said) == 1 else f"the last {len(said)} lines are no recipients"
    words = f"{many} and left out, having one cell filled and no address (`{first[:_SHOWN]}`)"
    return Problem(path, line + at, 0, words)
