"""Bodies as bytes that any server carries unharmed: 7 bit, lines of at most 76 characters, CRLF everywhere.

A text goes out as quoted-printable while it is mostly ASCII, else as base64, whichever is shorter. Both come as a
pair: the bytes for the wire and the same in DKIM's relaxed canonical form (RFC 6376 3.4.4). Quoted-printable treats
each line on its own, so the lines of a template that hold no tag are encoded once, when the campaign is loaded.
"""

from __future__ import annotations

import mimetypes
import re
from binascii import a2b_qp, b2a_base64, b2a_qp
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from bulkmail.content.headers import file_name

_B64_LINE = 57  # bytes a line: 76 characters
_RUNS = re.compile(b"  +")
_ASCII = bytes(range(128))
# What one piece adds when the text before it ended in a certain state: the wire form, the relaxed form, the state after
# it, and how many of its bytes are not ASCII. (A plain tuple: it is unpacked for every piece.)
_Step = tuple[tuple[bytes, ...], tuple[bytes, ...], int, int]
# The state of quoted-printable between two pieces: the column, and _WIDTH more behind a blank
_WIDTH = 76
_STATES = 2 * _WIDTH
_BARE = re.compile(r"[!-<>-~]+(?: [!-<>-~]+)*", re.ASCII).fullmatch  # stands in the middle of a line as it is
# The start of a line that `quoted_printable` has to change, or that may turn out to be one
_UNSURE = re.compile(rb"\nF(?:\Z|r(?:\Z|o(?:\Z|m(?:\Z| ))))").search
_HARD_END = re.compile(rb"(?<!=)\r\n").search
_ROOM = 16_000_000  # bytes that one encoder may remember
_OVERHEAD = 300
_SHORT, _MANY = 200, 4096
_TYPES = mimetypes.MimeTypes()  # the built-in table: the same bytes on every machine, whatever its /etc/mime.types


class Body(NamedTuple):
    """Bytes of a body or a part of one: as sent, and as DKIM hashes them."""

    wire: bytes
    relaxed: bytes


class Part(NamedTuple):
    """A MIME part: its Content-... fields (without the empty line) and its body."""

    fields: bytes
    body: Body


class _Known:
    """A template's text between two tags. Its first line depends on what stands before it, the others do not."""

    def __init__(self, text: str) -> None:
        self.head = text
        self._rest: _Step = (), (), 0, 0
        self._eight_bit = _eight_bit(text)
        head, end, rest = text.partition("\n")
        lines, line_end, tail = rest.rpartition("\n")
        last = _step(tail, 0)
        if end and last is not None and "\r" not in text:
            wire = quoted_printable(lines + line_end)
            self.head = head + end
            self._rest = (wire, *last[0]), (relaxed_lines(wire), *last[1]), last[2], 0
        self.steps: list[_Step | None] = [None] * _STATES

    def step(self, state: int) -> _Step | None:
        """As `_step`, with the other lines behind it."""
        first = _step(self.head, state)
        if first is None:
            return None
        rest = self._rest
        if not rest[0]:
            return *first[:3], self._eight_bit
        return first[0] + rest[0], first[1] + rest[1], rest[2], self._eight_bit


class TextEncoder:
    """Encodes what one template prints.

    ``texts`` are the texts between its tags. What quoted-printable makes of a piece depends on what stands before it
    only by the column it starts in, and by whether a blank is the last character. So a known text is encoded once
    for each of these states that occurs, and a row's own values are all that is left to do.
    """

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._known = {text: _Known(text) for text in texts if text}
        self._room = _ROOM
        self._met: dict[tuple[str, int], _Step] = {}

    def encode(self, pieces: Sequence[str]) -> tuple[str, Body]:
        """``(Content-Transfer-Encoding, body)`` of the pieces printed. Raises UnicodeEncodeError for half a surrogate.

        Every line end becomes CRLF, and there is one at the end.
        """
        known = self._known
        wire: list[bytes] = []
        relaxed: list[bytes] = []
        state = eight_bit = 0
        for piece in pieces:
            found = known.get(piece)
            if found is None:
                if 0 < state < _WIDTH - len(piece) and _BARE(piece):
                    data = piece.encode("ascii")
                    wire.append(data)
                    relaxed.append(data)
                    state += len(data)
                    continue
                step = self._met.get((piece, state)) or self._meet(piece, state)
            else:
                step = found.steps[state] or self._learn(found, state)
            if step is None:
                return _encoded("".join(pieces))
            more, more_relaxed, state, eight = step
            wire += more
            relaxed += more_relaxed
            eight_bit += eight
        if state or not wire:  # no line end yet
            if state >= _WIDTH:
                return _encoded("".join(pieces))
            wire.append(b"\r\n")
            relaxed.append(b"\r\n")
        if eight_bit and 6 * eight_bit > sum(map(len, pieces)):  # then base64 may be the shorter
            return _encoded("".join(pieces))
        return "quoted-printable", Body(b"".join(wire), b"".join(relaxed))

    def _meet(self, piece: str, state: int) -> _Step | None:
        """A value: many rows live in the same town, and what a template takes from a table of its own comes again."""
        step = _step(str(piece), state)
        if step is not None and len(piece) < _SHORT:
            if len(self._met) >= _MANY:
                self._met.clear()
            self._met[piece, state] = step
        return step

    def _learn(self, known: _Known, state: int) -> _Step | None:
        step = known.step(state)
        if step is not None and self._room > 0:
            self._room -= 2 * len(known.head) + _OVERHEAD
            known.steps[state] = step
        return step


def _step(text: str, state: int) -> _Step | None:
    """What ``text`` adds in ``state``; None where that depends on more, so that the whole must be encoded at once."""
    if "\r" in text:  # it may be half of a line end
        return None
    column, blank = (state, False) if state < _WIDTH else (state - _WIDTH, True)
    if blank and text.startswith("\n"):  # the blank before it would have to become =20
        return None
    data = text.replace("\n", "\r\n").encode("utf-8")
    # In front as much as stands in this line already; behind, a character that makes `text` not the end
    wire = _dotless(b2a_qp(b"\r\n" + b"x" * column + data + b"x"))[2 + column : -1]
    if not wire:
        return (), (), state, 0
    if _UNSURE(b"x" + wire if column else b"\n" + wire):
        return None
    relaxed = relaxed_lines(wire)
    if blank and relaxed.startswith(b" "):
        relaxed = relaxed[1:]
    line = wire.rfind(b"\n") + 1
    after = len(wire) - line if line else column + len(wire)
    if wire.endswith((b" ", b"\t")):
        after += _WIDTH
    return (wire,), (relaxed,), after, 0 if data.isascii() else len(data.translate(None, _ASCII))


def _encoded(text: str) -> tuple[str, Body]:
    """A whole text, as `TextEncoder.encode`."""
    text = lines_of(text)
    if not text.endswith("\n"):
        text += "\n"
    if not text.isascii():
        data = text.encode("utf-8")
        if 3 * (len(data) + 2 * _eight_bit(text)) > 4 * len(data):
            wire = base64_lines(text.replace("\n", "\r\n").encode("utf-8"))
            return "base64", Body(wire, wire)
    wire = quoted_printable(text)
    return "quoted-printable", Body(wire, relaxed_lines(wire))


def lines_of(text: str) -> str:
    """``text`` with every line end, CRLF or CR too, as LF."""
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def quoted_printable(text: str) -> bytes:
    """Lines of text (each with its LF) as quoted-printable lines (RFC 2045 6.7), with CRLF.

    No line on the wire starts with a dot or with ``From ``. Some servers end the message at a lone dot, and put a
    ``>`` before the other, which breaks the signature; and nothing needs to be stuffed (RFC 5321 4.5.2).
    """
    # A line end in front, so that each line has one there; and with CRLF in, the soft line ends are CRLF too
    encoded = _dotless(b2a_qp(b"\r\n" + text.replace("\n", "\r\n").encode("utf-8")))[2:]
    if b"\nFrom " in encoded or encoded.startswith(b"From "):
        lines = []
        for line in encoded.split(b"\r\n"):
            if line.startswith(b"From "):
                lines.append((b"=46" if len(line) <= 74 else b"=46=\r\n") + line[1:])
            else:
                lines.append(line)
        encoded = b"\r\n".join(lines)
    return encoded


def _dotless(encoded: bytes) -> bytes:
    """Quoted-printable with ``=2E`` for each dot at the start of a line; the rest of such a line is broken anew."""
    at = 0
    while (at := encoded.find(b"\n.", at) + 1) > 0:
        end = _HARD_END(encoded, at)
        stop = len(encoded) if end is None else end.end()
        rest = b2a_qp(b"\r\nxxx" + a2b_qp(encoded[at + 1 : stop]))  # as many columns as =2E
        encoded = encoded[:at] + b"=2E" + rest[len(b"\r\nxxx") :] + encoded[stop:]
    return encoded


def base64_lines(data: bytes) -> bytes:
    """``data`` in base64, 76 characters a line, CRLF after each (also the last)."""
    if not data:
        return b""
    flat = b2a_base64(data, newline=False)
    return b"\r\n".join([flat[i : i + 76] for i in range(0, len(flat), 76)]) + b"\r\n"


def text_part(subtype: str, encoder: TextEncoder, pieces: Sequence[str]) -> Part:
    """``text/plain`` or ``text/html`` in UTF-8."""
    transfer, body = encoder.encode(pieces)
    fields = f"Content-Type: text/{subtype}; charset=utf-8\r\nContent-Transfer-Encoding: {transfer}\r\n"
    return Part(fields.encode("ascii"), body)


def attachment(name: str, data: bytes) -> Part:
    """A file, in base64; encoded once for the whole campaign. The type comes from the name's ending."""
    kind, packed = _TYPES.guess_type(name.replace("\\", "/").rpartition("/")[2])
    if kind is None or packed is not None or kind.startswith(("message/", "multipart/")):
        kind = "application/octet-stream"  # base64 is not allowed for message/ and multipart/ (RFC 2045 6.4)
    if kind.startswith("text/") and _is_utf8(data):
        kind += "; charset=utf-8"
    disposition = ";\r\n ".join(["attachment", *file_name(name)])
    wire = base64_lines(data)
    return Part(
        f"Content-Type: {kind}\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: {disposition}\r\n".encode(
            "ascii"
        ),
        Body(wire, wire),
    )


def multipart(subtype: str, boundary: str, parts: Sequence[Part]) -> Part:
    """``parts`` in a ``multipart/<subtype>`` (RFC 2046 5.1).

    A ``boundary`` that starts with ``=_`` occurs in no part: neither encoding has the two together.
    """
    open_line = f"--{boundary}\r\n".encode("ascii")
    close = f"--{boundary}--\r\n".encode("ascii")
    wire: list[bytes] = []
    relaxed: list[bytes] = []
    for part in parts:
        head = open_line + part.fields + b"\r\n"
        wire += head, part.body.wire
        relaxed += relaxed_lines(head), part.body.relaxed
    wire.append(close)
    relaxed.append(close)
    fields = f'Content-Type: multipart/{subtype};\r\n boundary="{boundary}"\r\n'
    return Part(fields.encode("ascii"), Body(b"".join(wire), b"".join(relaxed)))


def relaxed_lines(lines: bytes) -> bytes:
    """DKIM's relaxed form of lines that do not end in white space, as none does here: only runs inside shrink."""
    if b"\t" in lines:
        lines = lines.replace(b"\t", b" ")
    return _RUNS.sub(b" ", lines) if b"  " in lines else lines


def _eight_bit(text: str) -> int:
    """Bytes of its UTF-8 that are not ASCII."""
    return 0 if text.isascii() else len(text.encode("utf-8").translate(None, _ASCII))


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
