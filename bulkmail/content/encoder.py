"""What templates print, encoded: each text once for each place in a line where it starts, not once a row.

A text goes out as quoted-printable while it is mostly ASCII, else as base64, whichever is shorter. What becomes of a
piece of text in quoted-printable depends on what stands before it only by the column it starts in, and by whether a
blank is the last character: that is a *state*. So there is a table for each state, which says for a piece what it
becomes and which table comes next. A letter whose texts are known is a walk from table to table; only a row's own words
are work.

Nothing looks at the whole message afterwards for bare line ends, or dots where a line starts: each piece is looked at
when it is made, knowing where it will stand, and then put together often.
"""

from __future__ import annotations

import re
from binascii import b2a_qp
from collections.abc import Iterable, Sequence
from operator import itemgetter

from bulkmail.content.mime import (
    Body,
    Part,
    Piece,
    base64_lines,
    dotless,
    lines_of,
    quoted_printable,
    relaxed_lines,
    short_lines,
    whole,
)
from bulkmail.content.templates import Printed, RowError
from bulkmail.mail import plain_lines

_ASCII = bytes(range(128))
# The state: the column, and _WIDTH more behind a blank
_WIDTH = 76
_STATES = 2 * _WIDTH
_LINE = 75  # characters of a line that goes on in the next, and the = behind them
_BARE = re.compile(r"[!-<>-~]+(?: [!-<>-~]+)*", re.ASCII).fullmatch  # stands in the middle of a line as it is
# The start of a line that `quoted_printable` has to change, or that may turn out to be one
_UNSURE = re.compile(rb"\nF(?:\Z|r(?:\Z|o(?:\Z|m(?:\Z| ))))").search
_EIGHT_BIT = itemgetter(3)
_ROOM = 16_000_000  # bytes that one encoder may remember
_OVERHEAD = 300
_SHORT, _MANY = 200, 4096

# What one piece adds in a state: the wire form, the relaxed form, the state after it, how many bytes are not ASCII
_Step = tuple[bytes, bytes, int, int]


class _Table(dict[str, "_Entry"]):
    """What pieces become that start in ``state``."""

    __slots__ = ("state",)

    def __init__(self, state: int) -> None:
        self.state = state


_Entry = tuple[bytes, bytes, _Table, int]  # a step, with the next table for the state


class TextEncoder:
    """Encodes what one campaign's templates print. ``texts`` are the texts between their tags."""

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._known = {text: _Known(text) for text in texts if text}
        self._tables = [_Table(state) for state in range(_STATES)]
        self._room = _ROOM
        self._values = 0

    def part(self, subtype: str, pieces: Sequence[str], own: str = "@") -> Part:
        """Return the part that holds the pieces, ``text/plain`` or ``text/html`` in UTF-8; ``own`` as in `encode`."""
        transfer, body = self.encode(pieces, own)
        fields = f"Content-Type: text/{subtype}; charset=utf-8\r\nContent-Transfer-Encoding: {transfer}\r\n"
        return Part(fields.encode("ascii"), body)

    def encode(self, pieces: Sequence[str], own: str = "@") -> tuple[str, Body]:
        """Return Content-Transfer-Encoding and body of the pieces. Raises UnicodeEncodeError for half a surrogate pair.

        Every line end becomes CRLF, and there is one at the end. A piece with ``own`` in it, or with an address, is
        this row's alone and not remembered.
        """
        entries: list[Piece] = []
        table = self._walk(pieces, self._tables[0], entries, own)
        if table is None:
            return _encoded("".join(pieces))
        eight_bit = sum(map(_EIGHT_BIT, entries))
        if eight_bit and 6 * eight_bit > sum(map(len, pieces)):  # then base64 may be the shorter
            return _encoded("".join(pieces))
        if table.state or not any(entry[0] for entry in entries):  # no line end yet
            if table.state >= _WIDTH:
                return _encoded("".join(pieces))
            entries.append(_END)
        return "quoted-printable", Body(entries)

    def _walk(self, pieces: Iterable[str], table: _Table, entries: list[Piece], own: str) -> _Table | None:
        """Append what the pieces become; return the table after them, None where the whole must be encoded at once."""
        for piece in pieces:
            entry = table.get(piece)
            if entry is None:
                if isinstance(piece, Printed):
                    after = self._walk(piece.pieces, table, entries, own)
                    if after is None:
                        return None
                    table = after
                    continue
                entry = self._meet(piece, table, own)
                if entry is None:
                    return None
            entries.append(entry)
            table = entry[2]
        return table

    def _meet(self, piece: str, table: _Table, own: str) -> _Entry | None:
        """Return the entry of a piece that is not in its table; None where the whole must be encoded at once."""
        state = table.state
        known = self._known.get(piece)
        if known is not None:
            step = known.steps[state] or self._learn(known, state)
            comes_again = known.steps[state] is not None
        else:
            step = (_BARE(piece) and _bare(piece, state % _WIDTH)) or _step(str(piece), state)
            # Many rows live in the same town, and what a template takes from a list of its own comes again too
            comes_again = len(piece) < _SHORT and own not in piece and "@" not in piece
        if step is None:
            return None
        entry = step[0], step[1], self._tables[step[2]], step[3]
        if comes_again:
            self._values += 1
            if self._values > _MANY:
                self._values = 1
                for each in self._tables:
                    each.clear()
            table[piece] = entry
        return entry

    def _learn(self, known: _Known, state: int) -> _Step | None:
        step = known.step(state)
        if step is not None and self._room > 0:
            self._room -= len(step[0]) + len(step[1]) + _OVERHEAD
            known.steps[state] = step
        return step


class _Known:
    """A template's text between two tags. Its first line depends on what stands before it, the others do not."""

    def __init__(self, text: str) -> None:
        self.head = text
        self._rest: _Step = b"", b"", 0, 0
        self._eight_bit = _eight_bit(text)
        head, end, rest = text.partition("\n")
        lines, line_end, tail = rest.rpartition("\n")
        last = _step(tail, 0)
        if end and last is not None and "\r" not in text:
            wire = quoted_printable(lines + line_end)
            if plain_lines(wire) or not wire:
                self.head = head + end
                self._rest = wire + last[0], relaxed_lines(wire) + last[1], last[2], 0
        self.steps: list[_Step | None] = [None] * _STATES

    def step(self, state: int) -> _Step | None:
        """Return what the text adds in ``state``, as `_step` does, its other lines included."""
        first = _step(self.head, state)
        if first is None:
            return None
        rest = self._rest
        if not rest[0]:
            return *first[:3], self._eight_bit
        return first[0] + rest[0], first[1] + rest[1], rest[2], self._eight_bit


_END: Piece = whole(b"\r\n", b"\r\n")


def _bare(text: str, column: int) -> _Step | None:
    """Return what `_step` does, for a text of `_BARE`; None where a line would start with a dot, or may with From.

    Most of what is a row's own is such a text: its address, its links. `_step` takes five times as long.
    """
    room = _LINE - column
    if column and len(text) <= room:
        wire = text.encode("ascii")
        return wire, wire, column + len(text), 0
    lines = [text[:room], *[text[at : at + _LINE] for at in range(room, len(text), _LINE)]]
    for line in lines[1 if column else 0 :]:
        if line[0] in ".F":
            return None
    wire = "=\r\n".join(lines).encode("ascii")
    return wire, wire, len(lines[-1]) + (column if len(lines) == 1 else 0), 0


def _step(text: str, state: int) -> _Step | None:
    """Return what ``text`` adds in ``state``; None where that depends on more: then the whole is encoded at once."""
    if "\r" in text:  # it may be half of a line end
        return None
    column, blank = (state, False) if state < _WIDTH else (state - _WIDTH, True)
    if blank and text.startswith("\n"):  # the blank before it would have to become =20
        return None
    data = text.replace("\n", "\r\n").encode("utf-8")
    # In front as much as stands in this line already; behind, a character that makes `text` not the end
    before = b"x" * column
    wire = short_lines(dotless(b2a_qp(b"\r\n" + before + data + b"x")))[2 + column : -1]
    if not wire:
        return b"", b"", state, 0
    if _UNSURE(b"x" + wire if column else b"\n" + wire) or not plain_lines(before + wire + b"x\r\n"):
        return None
    relaxed = relaxed_lines(wire)
    if blank and relaxed.startswith(b" "):
        relaxed = relaxed[1:]
    line = wire.rfind(b"\n") + 1
    after = len(wire) - line if line else column + len(wire)
    if wire.endswith((b" ", b"\t")):
        after += _WIDTH
    return wire, relaxed, after, 0 if data.isascii() else len(data.translate(None, _ASCII))


def _encoded(text: str) -> tuple[str, Body]:
    """Encode a whole text, as `TextEncoder.encode` does. Raises RowError where a line must not be sent."""
    text = lines_of(text)
    if not text.endswith("\n"):
        text += "\n"
    transfer = "quoted-printable"
    if not text.isascii():
        data = text.encode("utf-8")
        if 3 * (len(data) + 2 * _eight_bit(text)) > 4 * len(data):
            transfer = "base64"
    if transfer == "base64":
        wire = relaxed = base64_lines(text.replace("\n", "\r\n").encode("utf-8"))
    else:
        wire = quoted_printable(text)
        relaxed = relaxed_lines(wire)
    if not plain_lines(wire):
        raise RowError("the text becomes a line that must not be sent as it is; this is a mistake of bulkmail")
    return transfer, Body([whole(wire, relaxed)])


def _eight_bit(text: str) -> int:
    """Count the bytes of its UTF-8 that are not ASCII."""
    return 0 if text.isascii() else len(text.encode("utf-8").translate(None, _ASCII))
