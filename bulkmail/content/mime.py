"""Bodies as bytes that any server carries unharmed: 7 bit, lines of at most 76 characters, CRLF everywhere.

They come in pieces, each in two forms: the bytes for the wire and the same in DKIM's relaxed canonical form (RFC 6376
3.4.4). What is common to many messages is one object in all of them, and a message is joined once, when it is whole.
"""

from __future__ import annotations

import mimetypes
import re
from binascii import a2b_qp, b2a_base64, b2a_qp
from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import NamedTuple

from bulkmail.content.headers import file_name

_RUNS = re.compile(b"  +")
_OVERLONG = re.compile(rb"(?<=\n[^\n]{74})(=20|=09)(?=\r\n|\Z)").sub
_HARD_END = re.compile(rb"(?<!=)\r\n").search
_AHEAD = 512  # bytes that are encoded at a time behind a dot: some lines of 76 columns, three of them a byte at most
_TYPES = mimetypes.MimeTypes()  # the built-in table: the same bytes on every machine, whatever its /etc/mime.types
_WIRE, _RELAXED = itemgetter(0), itemgetter(1)

Piece = tuple[bytes, bytes, object, int]
"""The wire form, the relaxed form, and what `TextEncoder` notes beside them."""


class Body:
    """A body or a part of one."""

    __slots__ = ("pieces",)

    def __init__(self, pieces: Sequence[Piece]) -> None:
        self.pieces = pieces

    def chunks(self) -> Iterator[bytes]:
        """Return the pieces as they are sent."""
        return map(_WIRE, self.pieces)

    @property
    def wire(self) -> bytes:
        """The body as it is sent."""
        return b"".join(self.chunks())

    @property
    def relaxed(self) -> bytes:
        """The body as DKIM hashes it, but for its end (`dkim.relaxed_end`)."""
        return b"".join(map(_RELAXED, self.pieces))


def whole(wire: bytes, relaxed: bytes) -> Piece:
    """Return one piece with nothing noted beside it."""
    return wire, relaxed, None, 0


class Part(NamedTuple):
    """A MIME part: its Content-... fields (without the empty line) and its body."""

    fields: bytes
    body: Body


def lines_of(text: str) -> str:
    """Return ``text`` with every line end, CRLF or CR too, as LF."""
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def quoted_printable(text: str) -> bytes:
    """Return lines of text (each with its LF) as quoted-printable lines (RFC 2045 6.7), with CRLF.

    No line on the wire starts with a dot or with ``From ``. Some servers end the message at a lone dot, and put a
    ``>`` before the other, which breaks the signature; and nothing needs to be stuffed (RFC 5321 4.5.2).
    """
    # A line end in front, so that each line has one there; and with CRLF in, the soft line ends are CRLF too
    encoded = short_lines(dotless(b2a_qp(b"\r\n" + text.replace("\n", "\r\n").encode("utf-8"))))[2:]
    if b"\nFrom " in encoded or encoded.startswith(b"From "):
        lines = []
        for line in encoded.split(b"\r\n"):
            if line.startswith(b"From "):
                lines.append((b"=46" if len(line) <= 74 else b"=46=\r\n") + line[1:])
            else:
                lines.append(line)
        encoded = b"\r\n".join(lines)
    return encoded


def short_lines(encoded: bytes) -> bytes:
    """Return quoted-printable that begins with a line end without lines of more than 76 characters (RFC 2045 6.7).

    `b2a_qp` makes 77 of a line whose 75th and last character is a blank: it encodes that without another line end.
    """
    if b"=20\r\n" in encoded or b"=09\r\n" in encoded or encoded.endswith((b"=20", b"=09")):
        return _OVERLONG(rb"=\r\n\1", encoded)
    return encoded


def dotless(encoded: bytes) -> bytes:
    """Write ``=2E`` for each dot at the start of a quoted-printable line; the rest of such a line is broken anew.

    The time grows with the number of bytes, however many lines start with a dot.
    """
    pieces = []
    done = 0
    while (at := encoded.find(b"\n.", max(done - 1, 0)) + 1) > 0:
        end = _HARD_END(encoded, at)
        stop = len(encoded) if end is None else end.end()
        pieces += [encoded[done:at], _dotless_line(encoded[at:stop])]
        done = stop
    return b"".join([*pieces, encoded[done:]]) if pieces else encoded


def _dotless_line(line: bytes) -> bytes:
    """Return a line that starts with a dot, its soft line ends included, without a dot at any start."""
    data = a2b_qp(line)
    pieces = []
    at = 0  # always at the start of a line
    while at < len(data):
        dot = data.startswith(b".", at)
        first = b"=2E" if dot else b""
        stop = at + dot + _AHEAD
        wire = b2a_qp(b"\r\n" + first.replace(b"=", b"x") + data[at + dot : stop])[2 + len(first) :]
        # Up to the next line that starts with a dot. Where more data follows, the last two lines may end elsewhere
        end = wire.find(b"\n.") + 1 or len(wire)
        if end == len(wire) and stop < len(data):
            end = wire.rfind(b"\n", 0, wire.rfind(b"\n")) + 1
        pieces += [first, wire[:end]]
        at += dot + len(a2b_qp(wire[:end]))
    return b"".join(pieces)


def base64_lines(data: bytes) -> bytes:
    """Return ``data`` in base64, 76 characters a line, CRLF after each (also the last)."""
    if not data:
        return b""
    flat = b2a_base64(data, newline=False)
    return b"\r\n".join([flat[i : i + 76] for i in range(0, len(flat), 76)]) + b"\r\n"


def attachment(name: str, data: bytes) -> Part:
    """Return the part of a file, in base64; it is encoded once for the whole campaign."""
    return Part(attachment_fields(name, data), encoded(data))


def encoded(data: bytes) -> Body:
    """Return the body of a file's part."""
    wire = base64_lines(data)
    return Body([whole(wire, wire)])


def attachment_fields(name: str, data: bytes) -> bytes:
    """Return the fields of a file's part. The type comes from the name's ending."""
    kind, packed = _TYPES.guess_type(name.replace("\\", "/").rpartition("/")[2])
    if kind is None or packed is not None or kind.startswith(("message/", "multipart/")):
        kind = "application/octet-stream"  # base64 is not allowed for message/ and multipart/ (RFC 2045 6.4)
    if kind.startswith("text/") and _is_utf8(data):
        kind += "; charset=utf-8"
    disposition = ";\r\n ".join(["attachment", *file_name(name)])
    fields = f"Content-Type: {kind}\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: {disposition}\r\n"
    return fields.encode("ascii")


def inline_picture(name: str, data: bytes, content_id: str) -> Part:
    """Return the part of a picture that the HTML shows by its ``cid:`` (RFC 2392), in base64, encoded once."""
    kind, _packed = _TYPES.guess_type(name.rpartition("/")[2])
    if kind is None or not kind.startswith("image/"):
        kind = "application/octet-stream"
    disposition = ";\r\n ".join(["inline", *file_name(name.rpartition("/")[2])])
    fields = f"Content-Type: {kind}\r\nContent-Transfer-Encoding: base64\r\nContent-ID: <{content_id}>\r\n"
    fields += f"Content-Disposition: {disposition}\r\n"
    wire = base64_lines(data)
    return Part(fields.encode("ascii"), Body([whole(wire, wire)]))


def multipart(subtype: str, boundary: str, parts: Sequence[Part], *, root: str = "") -> Part:
    """Return ``parts`` in a ``multipart/<subtype>`` (RFC 2046 5.1); ``root``: the first one's type (RFC 2387 3.1).

    A ``boundary`` that starts with ``=_`` occurs in no part: neither encoding has the two together.
    """
    open_line = f"--{boundary}\r\n".encode("ascii")
    close = f"--{boundary}--\r\n".encode("ascii")
    pieces: list[Piece] = []
    for part in parts:
        head = open_line + part.fields + b"\r\n"
        pieces.append(whole(head, relaxed_lines(head)))
        pieces += part.body.pieces
    pieces.append(whole(close, close))
    kind = f';\r\n type="{root}"' if root else ""
    fields = f'Content-Type: multipart/{subtype}{kind};\r\n boundary="{boundary}"\r\n'
    return Part(fields.encode("ascii"), Body(pieces))


def relaxed_lines(lines: bytes) -> bytes:
    """Return lines in relaxed form (RFC 6376 3.4.4). None ends in white space here, so only runs inside shrink."""
    if b"\t" in lines:
        lines = lines.replace(b"\t", b" ")
    return _RUNS.sub(b" ", lines) if b"  " in lines else lines


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
