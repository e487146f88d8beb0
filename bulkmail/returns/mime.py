"""A received message cut into its parts, within bounds: bytes in, parts out, whatever they hold.

Not the standard library's parser (docs/decisions/0165): it costs five times as much, deep nesting raises
RecursionError, and it takes message/global-delivery-status for an enclosed letter. What a report needs is little: the
fields, the parts of a multipart, the header of the copy. Bodies that are not needed are never split into lines.
"""

from __future__ import annotations

import binascii
import quopri
import re
from collections.abc import Iterator
from dataclasses import dataclass

LOOKED_AT = 128 * 1024  # bytes of a message; what matters stands before the copy's body
_HEADER = 64 * 1024  # bytes of one header
_FIELDS = 300  # fields of one header
_VALUE = 8 * 1024  # characters of one field
_PARTS = 40  # leaves of a message
_DEPTH = 5  # multiparts within multiparts
_NEAR = 4096  # bytes of a body in which a delimiter is looked for that no field tells of
_BODY = 64 * 1024  # bytes of a part that are decoded

_BLANK = re.compile(rb"\r?\n[ \t]{0,2}\r?\n")
_FROM_LINE = re.compile(rb"(?:\s*\r?\n)?>?From [^\r\n]*\r?\n")
_DELIMITER_END = re.compile(rb"(--)?[ \t]*(?:\r?\n|\Z)")
_PADDED_BREAK = re.compile(rb"=[ \t]{1,80}(?=\r?\n)")  # blanks that a server has added are no text (RFC 2045 6.7)
_NAME = re.compile(r"([!-9;-~]{1,100})[ \t]*:[ \t]*")
_PARAMETER = re.compile(r';\s*([\w*-]{1,40})\s*=\s*(?:"((?:[^"\\]|\\.){0,1000})"|([^\s;"]{1,1000}))')
_LOST_BOUNDARY = re.compile(rb"(?:\A|\n)--([^\r\n]{1,200})\r?\n(?=content-[a-z-]{1,40}:)", re.IGNORECASE)


STATUS_TYPES = ("message/delivery-status", "message/global-delivery-status")


def text_of(octets: bytes) -> str:
    """Decode UTF-8, or else Latin-1: what is raw in a header or a report is one of the two, and neither fails."""
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        return octets.decode("latin-1")


class Fields:
    """The fields of a header or of a status block: names in lower case, values unfolded, in their order."""

    def __init__(self, octets: bytes) -> None:
        self._values: dict[str, list[str]] = {}
        self.names: list[str] = []
        self.broken = 0  # lines that are neither a field nor a continuation
        name, value = "", ""
        for line in text_of(octets[:_HEADER]).replace("\r\n", "\n").replace("\r", "\n").split("\n"):
            if line[:1] in (" ", "\t"):
                if name and len(value) < _VALUE:
                    value += " " + line.strip()
                continue
            found = _NAME.match(line)
            if found is None:
                self.broken += bool(line.strip())
                continue
            self._keep(name, value)
            if len(self.names) >= _FIELDS:
                name = ""
                break
            name, value = found[1].lower(), line[found.end() :].strip()
        self._keep(name, value)

    def _keep(self, name: str, value: str) -> None:
        if name:
            self._values.setdefault(name, []).append(value[:_VALUE])
            self.names.append(name)

    def get(self, name: str) -> str:
        """Return the first value of a field, ``""`` without it."""
        values = self._values.get(name)
        return values[0] if values else ""

    def all(self, name: str) -> list[str]:
        """Return all values of a field, in their order."""
        return self._values.get(name, [])

    def __contains__(self, name: str) -> bool:
        return name in self._values


@dataclass(frozen=True, slots=True)
class Part:
    """A leaf: its media type in lower case, its own fields, its body as it stands; ``open``: no delimiter ends it."""

    type: str
    fields: Fields
    body: bytes
    open: bool = False

    def octets(self) -> bytes:
        """Return the body without its transfer encoding; what cannot be decoded is given as it stands."""
        encoding = self.fields.get("content-transfer-encoding").lower()
        body = self.body[:_BODY]
        if encoding == "quoted-printable":
            return quopri.decodestring(_PADDED_BREAK.sub(b"=", body))
        if encoding == "base64":
            try:
                letters = b"".join(body.split())
                return binascii.a2b_base64(letters[: len(letters) // 4 * 4])
            except ValueError:
                return body
        return body

    def text(self) -> str:
        """Return the body as text, with LF as line ends."""
        octets = self.octets()
        charset = parameters(self.fields.get("content-type")).get("charset", "").lower()
        text = ""
        if charset and charset not in ("utf-8", "us-ascii", "ascii") and not octets.isascii():
            try:
                text = octets.decode(charset, "replace") if charset in _CHARSETS or charset.startswith("iso-") else ""
            except (LookupError, ValueError):
                text = ""
        text = text or text_of(octets)
        return text.replace("\r\n", "\n").replace("\r", "\n")


# those that mail programs write; a name from outside is never handed to the codec machinery unseen
_CHARSETS = frozenset(
    [
        "windows-1250", "windows-1251", "windows-1252", "windows-1254", "windows-1256", "koi8-r", "koi8-u", "gb2312",
        "gbk", "gb18030", "big5", "euc-jp", "euc-kr", "shift_jis", "ks_c_5601-1987", "cp1252", "latin1",
    ]
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Message:
    """A message in parts. ``recovered``: its multipart was found by its delimiters alone, no field told of it.

    ``recipients``: how many Final-Recipient fields stand anywhere in it; more than a status part has were lost from it.
    """

    fields: Fields
    type: str
    parameters: dict[str, str]
    parts: tuple[Part, ...]
    recovered: bool = False
    recipients: int = 0


def media_type(value: str) -> str:
    """Return the media type of a Content-Type field, in lower case, ``text/plain`` where there is none."""
    kind = value.partition(";")[0].strip().lower()
    return kind if "/" in kind else "text/plain"


def parameters(value: str) -> dict[str, str]:
    """Return the parameters of a Content-Type field; the first of a name counts."""
    found: dict[str, str] = {}
    for match in _PARAMETER.finditer(value[:2000]):
        text = match[3] if match[2] is None else match[2].replace('\\"', '"')
        found.setdefault(match[1].lower(), text)
    return found


def cut(octets: bytes) -> tuple[bytes, bytes]:
    """Cut into header and body at the first empty line. What starts with one has no header."""
    if octets[:1] == b"\n" or octets[:2] == b"\r\n":
        return b"", octets.lstrip(b"\r\n")
    found = _BLANK.search(octets)
    if found is None:
        return octets, b""
    return octets[: found.start()], octets[found.end() :]


def sections(body: bytes, boundary: str) -> tuple[list[bytes], bool]:
    """Return the parts of a multipart's body, without preamble and epilogue, and whether a delimiter ends the last."""
    mark = boundary.rstrip().encode("utf-8", "replace")
    if not mark:
        return [], True
    found: list[bytes] = []
    start, at = -1, body.find(b"--" + mark)
    while at >= 0 and len(found) < _PARTS:
        end = _DELIMITER_END.match(body, at + 2 + len(mark))
        if end is not None and (at == 0 or body[at - 1] == 10):
            if start >= 0:
                found.append(body[start : max(start, at - (2 if body[at - 2 : at] == b"\r\n" else 1))])
            start = end.end()
            if end[1]:
                return found, True
        at = body.find(b"--" + mark, at + 2 + len(mark))
    if 0 <= start < len(body) and len(found) < _PARTS:
        return [*found, body[start:]], False
    return found, True


def _leaves(fields: Fields, body: bytes, depth: int, *, digest: bool = False, is_open: bool = False) -> Iterator[Part]:
    kind = media_type(fields.get("content-type")) if "content-type" in fields or not digest else "message/rfc822"
    boundary = parameters(fields.get("content-type")).get("boundary", "")
    inner: list[bytes] = []
    if kind.startswith("multipart/") and boundary and depth < _DEPTH:
        inner, closed = sections(body, boundary)
        is_open = is_open or not closed
    if not inner:
        yield Part(kind, fields, body, is_open)
        return
    for number, section in enumerate(inner, 1):
        header, rest = cut(section)
        if header and _NAME.match(text_of(header[:200])) is None:
            header, rest = b"", section  # no header of its own, and no empty line before its text
        last = is_open and number == len(inner)
        yield from _leaves(Fields(header), rest, depth + 1, digest=kind == "multipart/digest", is_open=last)


def _recovered(body: bytes) -> list[Part]:
    """Return the parts between delimiters that no field tells of: gateways lose the Content-Type of a report."""
    lost = _LOST_BOUNDARY.search(body[:_NEAR])
    if lost is None:
        return []
    found, closed = sections(body, text_of(lost[1]))
    inner = [(Fields(header), rest) for header, rest in map(cut, found)]
    parts = [
        Part(media_type(fields.get("content-type")), fields, rest, not closed and number == len(inner))
        for number, (fields, rest) in enumerate(inner, 1)
    ]
    # of a message that encloses another as text these are the other one's parts
    return parts if any(part.type in STATUS_TYPES for part in parts) else []


def split(octets: bytes) -> Message:
    """Cut a message into its leaves, at most 40, of its first 128 KiB."""
    octets = octets[:LOOKED_AT].lstrip(b"\r\n")
    line = _FROM_LINE.match(octets)
    header, body = cut(octets[line.end() :] if line is not None else octets)
    fields = Fields(header)
    content_type = fields.get("content-type")
    kind, named = media_type(content_type), parameters(content_type)
    parts: list[Part] = []
    for part in _leaves(fields, body, 0):
        parts.append(part)
        if len(parts) >= _PARTS:
            break
    recovered = False
    if len(parts) == 1 and parts[0].fields is fields:  # not a multipart, or one whose delimiters are others
        found = _recovered(body)
        recovered = bool(found)
        parts = found if recovered else parts
    return Message(fields, kind, named, tuple(parts), recovered, octets.lower().count(b"\nfinal-recipient:"))
