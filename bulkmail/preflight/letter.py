"""A composed message read back from its bytes: its fields and its parts, as a mail program would see them.

It reads what this mailer composes (CRLF, 7 bit, quoted-printable or base64, UTF-8), at a few microseconds a kilobyte.
The standard library's parser takes two milliseconds for the same letter, and a list has a million of them;
`tests/preflight/test_letter.py` compares the two.
"""

from __future__ import annotations

import re
from binascii import a2b_base64, a2b_qp
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from typing import NamedTuple

_BOUNDARY = re.compile(rb'boundary="?([^";]+)"?', re.IGNORECASE)
_NONE = b""


class Letter(NamedTuple):
    """One message. ``fields``: unfolded values by name in lower case. ``html`` and ``text``: None where there is none.

    ``size`` is that of the whole message in bytes, ``html_size`` that of the decoded HTML part. ``attachments``: their
    number.
    """

    fields: dict[bytes, bytes]
    html: str | None
    text: str | None
    size: int
    html_size: int
    attachments: int

    def field(self, name: bytes) -> str:
        """Return a field's value as people read it; "" where there is none."""
        value = self.fields.get(name, _NONE).decode("utf-8", "replace")
        if "=?" not in value:
            return value
        try:
            return str(make_header(decode_header(value)))
        except (HeaderParseError, UnicodeDecodeError, LookupError):
            return value


def read_letter(wire: bytes) -> Letter:
    """Read the bytes of one composed message."""
    head, _, body = wire.partition(b"\r\n\r\n")
    fields = _fields(head)
    parts: dict[bytes, bytes] = {}
    attachments = _collect(fields, body, parts)
    html, text = parts.get(b"html"), parts.get(b"plain")
    return Letter(
        fields,
        None if html is None else html.decode("utf-8", "replace"),
        None if text is None else text.decode("utf-8", "replace"),
        len(wire),
        len(html or b""),
        attachments,
    )


def all_fields(wire: bytes) -> list[tuple[bytes, bytes]]:
    """Return the unfolded fields of a message's header, in order, each with its name in lower case (RFC 5322 2.2.3)."""
    return _lines(wire.partition(b"\r\n\r\n")[0])


def _lines(head: bytes) -> list[tuple[bytes, bytes]]:
    found = []
    for line in head.replace(b"\r\n ", b" ").replace(b"\r\n\t", b" ").split(b"\r\n"):
        name, colon, value = line.partition(b":")
        if colon:
            found.append((name.lower(), value.strip()))
    return found


def _fields(head: bytes) -> dict[bytes, bytes]:
    """Return the fields by name; of those of one name the first."""
    return dict(reversed(_lines(head)))


def _collect(fields: dict[bytes, bytes], body: bytes, parts: dict[bytes, bytes]) -> int:
    """Put the decoded ``html`` and ``plain`` parts into ``parts``; return how many attachments there are."""
    kind = fields.get(b"content-type", b"text/plain").lower()
    if kind.startswith(b"multipart/"):
        boundary = _BOUNDARY.search(fields[b"content-type"])
        if boundary is None:
            return 0
        attachments = 0
        for chunk in (b"\r\n" + body).split(b"\r\n--" + boundary[1])[1:-1]:
            head, _, inner = chunk[2:].partition(b"\r\n\r\n")
            attachments += _collect(_fields(head), inner, parts)
        return attachments
    if fields.get(b"content-disposition", _NONE).lower().startswith(b"attachment"):
        return 1
    subtype = kind.partition(b";")[0].strip().removeprefix(b"text/")
    if subtype in (b"html", b"plain"):
        parts.setdefault(subtype, _decoded(fields.get(b"content-transfer-encoding", _NONE).lower(), body))
    return 0


def _decoded(transfer: bytes, body: bytes) -> bytes:
    if transfer == b"quoted-printable":
        return a2b_qp(body)
    return a2b_base64(body) if transfer == b"base64" else body
