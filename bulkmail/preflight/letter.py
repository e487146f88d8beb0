"""A composed message read back from its bytes: its fields and its parts, as a mail program would see them.

It reads what this mailer composes (CRLF, 7 bit, quoted-printable or base64, UTF-8), at a few microseconds a kilobyte.
The standard library's parser takes two milliseconds for the same letter, and a list has a million of them;
`tests/preflight/test_letter.py` compares the two.
"""

from __future__ import annotations

import re
from binascii import a2b_base64, a2b_qp
from typing import NamedTuple

_BOUNDARY = re.compile(rb'boundary="?([^";]+)"?', re.IGNORECASE)
_WORD = re.compile(rb"=\?utf-8\?([bqBQ])\?([^?]*)\?=", re.IGNORECASE)
_BETWEEN_WORDS = re.compile(rb"(\?=)\s+(?==\?)")
_NONE = b""


class Letter(NamedTuple):
    """One message.

    ``fields``: unfolded values by name in lower case. ``subject``: as people read it. ``html`` and ``text``: None where
    there is no such part. ``size``: of the whole message in bytes; ``html_size``: of the decoded HTML part.
    ``attachments``: their number. ``pictures``: the Content-ID of each part that the HTML can show (RFC 2392).
    """

    fields: dict[bytes, bytes]
    subject: str
    html: str | None
    text: str | None
    size: int
    html_size: int
    attachments: int
    pictures: frozenset[str]

    @property
    def token(self) -> str:
        """Return the recipient's token, which stands in the Message-ID (`mail.message_id`); "" where there is none."""
        left, _, _ = self.fields.get(b"message-id", _NONE).partition(b"@")
        return left.rpartition(b".")[2].decode("ascii", "replace")


def decoded_words(value: bytes) -> str:
    """Return a field's value as people read it (RFC 2047)."""
    if b"=?" not in value:
        return value.decode("utf-8", "replace")
    plain, words = _BETWEEN_WORDS.sub(rb"\1", value), []
    at = 0
    for word in _WORD.finditer(plain):
        encoded = a2b_base64(word[2]) if word[1] in b"bB" else a2b_qp(word[2], header=True)
        words += [plain[at : word.start()], encoded]
        at = word.end()
    return b"".join([*words, plain[at:]]).decode("utf-8", "replace")


def read_letter(wire: bytes) -> Letter:
    """Read the bytes of one composed message."""
    head, _, body = wire.partition(b"\r\n\r\n")
    fields = _fields(head)
    parts: dict[bytes, bytes] = {}
    pictures: set[bytes] = set()
    attachments = _collect(fields, body, parts, pictures)
    html, text = parts.get(b"html"), parts.get(b"plain")
    return Letter(
        fields,
        decoded_words(fields.get(b"subject", _NONE)),
        None if html is None else html.decode("utf-8", "replace"),
        None if text is None else text.decode("utf-8", "replace"),
        len(wire),
        len(html or b""),
        attachments,
        frozenset(name.decode("ascii", "replace") for name in pictures),
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


def _collect(fields: dict[bytes, bytes], body: bytes, parts: dict[bytes, bytes], pictures: set[bytes]) -> int:
    """Put the decoded ``html`` and ``plain`` parts into ``parts``; return how many attachments there are."""
    kind = fields.get(b"content-type", b"text/plain").lower()
    if kind.startswith(b"multipart/"):
        boundary = _BOUNDARY.search(fields[b"content-type"])
        if boundary is None:
            return 0
        attachments = 0
        for chunk in (b"\r\n" + body).split(b"\r\n--" + boundary[1])[1:-1]:
            head, _, inner = chunk[2:].partition(b"\r\n\r\n")
            attachments += _collect(_fields(head), inner, parts, pictures)
        return attachments
    if fields.get(b"content-disposition", _NONE).lower().startswith(b"attachment"):
        return 1
    if b"content-id" in fields:
        pictures.add(fields[b"content-id"].strip(b" <>"))
        return 0
    subtype = kind.partition(b";")[0].strip().removeprefix(b"text/")
    if subtype in (b"html", b"plain"):
        parts.setdefault(subtype, _decoded(fields.get(b"content-transfer-encoding", _NONE).lower(), body))
    return 0


def _decoded(transfer: bytes, body: bytes) -> bytes:
    if transfer == b"quoted-printable":
        return a2b_qp(body)
    return a2b_base64(body) if transfer == b"base64" else body
