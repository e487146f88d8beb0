"""Bodies as bytes that any server carries unharmed: 7 bit, lines of at most 76 characters, CRLF everywhere.

A text goes out as quoted-printable while it is mostly ASCII, else as base64, whichever is shorter. Both come as a
pair: the bytes for the wire and the same in DKIM's relaxed canonical form (RFC 6376 3.4.4). Quoted-printable treats
each line on its own, so the lines of a template that hold no tag are encoded once, when the campaign is loaded.
"""

from __future__ import annotations

import mimetypes
import re
from binascii import b2a_base64, b2a_qp
from collections.abc import Iterable, Sequence
from itertools import chain, zip_longest
from typing import NamedTuple

from bulkmail.content.headers import file_name

_B64_LINE = 57  # bytes a line: 76 characters
_RUNS = re.compile(b"  +")
_MARK = "\x01\n"  # a line between groups of lines; no text should hold it, and where one does it is noticed
_WIRE_MARK = b"=01\r\n"
_ASCII = bytes(range(128))
_TYPES = mimetypes.MimeTypes()  # the built-in table: the same bytes on every machine, whatever its /etc/mime.types


class Body(NamedTuple):
    """Bytes of a body or a part of one: as sent, and as DKIM hashes them."""

    wire: bytes
    relaxed: bytes


class Part(NamedTuple):
    """A MIME part: its Content-... fields (without the empty line) and its body."""

    fields: bytes
    body: Body


class _Known(NamedTuple):
    """A template's text between two tags: its first line, the complete lines in the middle as bytes, its last line."""

    head: str  # with its line end
    size: int  # of the middle in UTF-8
    eight_bit: int  # bytes of it that are not ASCII
    middle: Body
    tail: str


class TextEncoder:
    """Encodes what one template prints.

    ``texts`` are the texts between its tags. Quoted-printable treats each line on its own, so of such a text only the
    first and the last line can differ from row to row; what lies between is encoded here, once.
    """

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._known: dict[str, _Known] = {}
        for text in texts:
            head, end, rest = text.partition("\n")
            middle, middle_end, tail = rest.rpartition("\n")
            if end and "\r" not in text:
                middle += middle_end
                wire = quoted_printable(middle)
                size, eight_bit = _sizes(middle.encode("utf-8"))
                self._known[text] = _Known(head + end, size, eight_bit, Body(wire, relaxed_lines(wire)), tail)

    def encode(self, pieces: Sequence[str]) -> tuple[str, Body]:
        """``(Content-Transfer-Encoding, body)`` of the pieces printed. Raises UnicodeEncodeError for half a surrogate.

        Every line end becomes CRLF, and there is one at the end.
        """
        groups: list[str] = []  # whole lines that are not known; between two of them stands a known middle
        middles: list[_Known] = []
        lines: list[str] = []
        for piece in pieces:
            known = self._known.get(piece)
            if known is None:
                lines.append(piece)
            else:
                lines.append(known.head)
                groups.append("".join(lines))
                middles.append(known)
                lines = [known.tail]
        groups.append("".join(lines))
        if not groups[-1].endswith("\n") and (groups[-1] or not middles):
            groups[-1] += "\n"
        joined = _MARK.join(groups)
        marked = joined.count("\x01") == len(middles)  # else the row itself holds such a character
        joined = lines_of(joined)
        if not joined.isascii() or any(known.eight_bit for known in middles):
            size, eight_bit = _sizes(joined.encode("utf-8"))
            size += sum([known.size - len(_MARK) for known in middles])
            eight_bit += sum([known.eight_bit for known in middles])
            if 3 * (size + 2 * eight_bit) > 4 * size:
                text = lines_of("".join(pieces))
                wire = base64_lines(
                    (text if text.endswith("\n") else text + "\n").replace("\n", "\r\n").encode("utf-8")
                )
                return "base64", Body(wire, wire)
        if marked:
            wire = quoted_printable(joined)
            return "quoted-printable", Body(
                _woven(wire.split(_WIRE_MARK), [known.middle.wire for known in middles]),
                _woven(relaxed_lines(wire).split(_WIRE_MARK), [known.middle.relaxed for known in middles]),
            )
        wires = [quoted_printable(lines_of(group)) for group in groups]
        return "quoted-printable", Body(
            _woven(wires, [known.middle.wire for known in middles]),
            _woven([relaxed_lines(wire) for wire in wires], [known.middle.relaxed for known in middles]),
        )


def lines_of(text: str) -> str:
    """``text`` with every line end, CRLF or CR too, as LF."""
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def quoted_printable(text: str) -> bytes:
    """Lines of text (each with its LF) as quoted-printable lines (RFC 2045 6.7), with CRLF.

    No line on the wire is a lone dot or starts with ``From ``: some servers end the message at the one and put a
    ``>`` before the other, which breaks the signature.
    """
    encoded = b2a_qp(text.replace("\n", "\r\n").encode("utf-8"))  # CRLF in, so the soft line ends are CRLF too
    if b"\nFrom " in encoded or encoded.startswith(b"From ") or b"\n.\r" in encoded:
        lines = []
        for line in encoded.split(b"\r\n"):
            if line.startswith(b"From "):
                lines.append((b"=46" if len(line) <= 74 else b"=46=\r\n") + line[1:])
            else:
                lines.append(b"=2E" if line == b"." else line)
        encoded = b"\r\n".join(lines)
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


def _woven(groups: Sequence[bytes], middles: Sequence[bytes]) -> bytes:
    """First group, first middle, second group, ..., last group."""
    return b"".join(chain.from_iterable(zip_longest(groups, middles, fillvalue=b"")))


def _sizes(data: bytes) -> tuple[int, int]:
    """All bytes, and those that are not ASCII."""
    return len(data), 0 if data.isascii() else len(data.translate(None, _ASCII))


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
