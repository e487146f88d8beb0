"""Header fields as bytes: encoded, folded, and free of anything that could end a line early.

Every public function returns a whole field, name to CRLF. Row values come in hostile: a control character becomes a
space (`clean`); values written by the campaign's author are refused instead (`controls_in`, used by the check).
The `email` package is not used: it is 20 times slower, and splits lines at characters that end no line on the wire.
"""

from __future__ import annotations

import re
from binascii import b2a_base64
from functools import lru_cache
from time import gmtime
from urllib.parse import quote

from bulkmail.mail import Address, AddressError, parse_address

LINE = 76  # RFC 2047 section 2: a line with an encoded word has at most 76 characters
LONGEST = 998  # RFC 5322 2.1.1, without CRLF
_WORD = 75  # RFC 2047 section 2: an encoded word
_FRAME = len("=?utf-8?b??=")
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

# All that anything downstream may take for a line end, and the other C0 and C1 controls
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
# Bidi_Control (UAX 9): they turn text around on a screen
_TURNING = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+", re.ASCII)
_NAMED = re.compile(r"(?P<name>.*?)[ \t]*<(?P<address>[^<>]*)>", re.DOTALL)
_QUOTED_NAME = re.compile(r'"((?:[^"\\]|\\.)*)"')
_FIELD_NAME = re.compile(r"[\x21-\x39\x3b-\x7e]+")

# RFC 2047 5 (3): what a Q word may hold bare even inside a display name; a space is written "_"
_BARE = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!*+-/"
_Q = tuple("_" if byte == 0x20 else chr(byte) if byte in _BARE else f"={byte:02X}" for byte in range(256))


def is_field_name(name: str) -> bool:
    """Return whether ``name`` may stand before the colon (RFC 5322 3.6.8: printable ASCII but the colon)."""
    return len(name) <= 70 and _FIELD_NAME.fullmatch(name) is not None


def controls_in(text: str) -> str:
    """Return the first control or line-ending character in ``text`` as people write it (``U+000A``), or ``""``."""
    found = _CONTROL.search(text)
    return f"U+{ord(found[0]):04X}" if found else ""


def clean(text: str) -> str:
    """Return ``text`` with a space for each control character, without marks of direction and space at its ends."""
    if text.isprintable():  # no control, no line end and no mark of direction is
        return text.strip()
    return _TURNING.sub("", _CONTROL.sub(" ", text)).strip()


def unstructured(name: str, text: str, *, keep_long_words: bool = False) -> bytes:
    """Return a field of free text (Subject, X-...). Raises UnicodeEncodeError for half of a surrogate pair.

    ASCII stays as it is, folded at spaces; anything else becomes encoded words. An ASCII word too long for a line
    is encoded as well, unless ``keep_long_words`` (URLs in fields such as List-Help must stay readable).
    """
    text = clean(text)
    if not text.isascii() or "=?" in text:
        return f"{name}: {_encoded_words(text, len(name) + 2)}\r\n".encode("ascii")
    if len(name) + 2 + len(text) <= LINE:
        return f"{name}: {text}\r\n".encode("ascii")
    folded = _folded(text, len(name) + 2, LONGEST if keep_long_words else LINE)
    return f"{name}: {folded or _encoded_words(text, len(name) + 2)}\r\n".encode("ascii")


def structured(name: str, *parts: str) -> bytes:
    """Return a field of ASCII tokens, on one line when 998 characters allow it, else broken between the ``parts``.

    Not folded earlier, because a relay that folds List-Unsubscribe anew has broken signatures in the field.
    """
    line = f"{name}: {', '.join(parts)}"
    if len(line) > LONGEST:
        line = f"{name}: " + ",\r\n ".join(parts)
    return line.encode("ascii") + b"\r\n"


def mailbox(name: str, display: str, address: Address) -> bytes:
    """Return a field of one mailbox: ``From: Example Shop <news@example.com>``.

    The address is raw UTF-8 when its local part is (RFC 6532); it then needs SMTPUTF8 on the wire anyway.
    """
    return phrase(name, display, f"<{address}>" if display else str(address))


def phrase(name: str, display: str, rest: str) -> bytes:
    """Return a field of a name for people and a token for machines, as in From and List-Id (RFC 5322 3.2.5)."""
    if not display:
        return f"{name}: {rest}\r\n".encode()
    words = phrase_words(display, len(name) + 2)
    line = f"{name}: {words}".rpartition("\n")[2]
    between = " " if len(line) + 1 + len(rest) <= LINE else "\r\n "
    return f"{name}: {words}{between}{rest}\r\n".encode()


def phrase_words(display: str, start: int) -> str:
    """Return a phrase (RFC 5322 3.2.5) that fits behind ``start`` characters: atoms, a quoted string, encoded words."""
    display = clean(display)
    if not display.isascii() or "=?" in display or len(display) > 60:
        return _encoded_words(display, start)
    return display if _ATOMS.fullmatch(display) else _quoted(display)


def comment(text: str, start: int) -> str:
    """Return a comment in its parentheses (RFC 5322 3.2.2). ``text``: what stands between them, its own balanced."""
    text = clean(text)
    if text.isascii() and "=?" not in text:
        return f"({text})"
    return "(" + _encoded_words(re.sub(r"\\(.)", r"\1", text), start + 1) + ")"


def parse_mailbox(text: str) -> tuple[str, Address]:
    """Return ``(display name, address)`` of ``Example Shop <news@example.com>`` or a bare address. Raises AddressError.

    A name with a comma or a dot is taken without quotes too, as people write it; two addresses never are.
    """
    found = controls_in(text)
    if found:
        raise AddressError(f"it has a control character ({found})")
    text = text.strip()
    named = _NAMED.fullmatch(text)
    if named is None:
        if "<" in text or ">" in text:
            raise AddressError(f'{text!r} is not one mailbox; write "Name <local@domain>"')
        return "", parse_address(text)
    display = named["name"].strip()
    bare = unquoted(display)
    if bare != display:
        display = bare.strip()
    elif any(character in display for character in '"<>@'):
        raise AddressError(f'the name {display!r} needs quotes: "..." <{named["address"]}>')
    return display, parse_address(named["address"])


def unquoted(text: str) -> str:
    """Return what a quoted string (RFC 5322 3.2.4) stands for; every other text as it is."""
    quoted = _QUOTED_NAME.fullmatch(text)
    return text if quoted is None else re.sub(r"\\(.)", r"\1", quoted[1])


def file_name(name: str) -> list[str]:
    """Return the ``filename`` parameters of a Content-Disposition for ``name``; its folders are dropped.

    ASCII is one quoted string, however long a file name may be (RFC 2183 2.3; readers that do not know RFC 2231 show
    "untitled" for its pieces); anything else is written per RFC 2231, in numbered pieces when it is long.
    """
    name = clean(name.replace("\\", "/").rpartition("/")[2]) or "attachment"
    if name.isascii() and "=?" not in name:
        return [f"filename={_quoted(name)}"]
    value = quote(name, safe="!#$&+-.^_`|~", encoding="utf-8", errors="strict")
    if len(value) <= 50:
        return [f"filename*=utf-8''{value}"]
    units = re.findall(r"%[0-9A-F]{2}|.", value)  # never cut inside %XX
    pieces = ["".join(units[i : i + 18]) for i in range(0, len(units), 18)]
    return [f"filename*{i}*={'' if i else chr(39).join(('utf-8', '', ''))}{piece}" for i, piece in enumerate(pieces)]


@lru_cache(maxsize=64)
def date_text(second: int) -> str:
    """Return epoch seconds as RFC 5322 3.3 writes them, in UTC and English: ``Mon, 23 Nov 2026 09:00:00 +0000``."""
    at = gmtime(second)
    day, month = _DAYS[at.tm_wday], _MONTHS[at.tm_mon - 1]
    return f"{day}, {at.tm_mday:02} {month} {at.tm_year:04} {at.tm_hour:02}:{at.tm_min:02}:{at.tm_sec:02} +0000"


def _quoted(text: str) -> str:
    """Return ``text`` as a quoted string (RFC 5322 3.2.4)."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _folded(text: str, start: int, longest: int) -> str:
    """Return ``text`` with folds before some of its words, or ``""`` when a word or a run of spaces forbids it."""
    if "  " in text:
        return ""
    lines, used = [""], start
    for word in text.split(" "):
        if len(word) > longest - start:
            return ""
        if lines[-1] and used + 1 + len(word) <= LINE:
            lines[-1] += " " + word
            used += 1 + len(word)
        elif not lines[-1]:
            lines[-1] = word
            used += len(word)
        else:
            lines.append(word)
            used = 1 + len(word)
    return "\r\n ".join(lines)


def _encoded_words(text: str, start: int) -> str:
    """Return ``text`` as encoded words, base64 or Q, the shorter; the first one fits behind ``start`` characters."""
    data = text.encode("utf-8")
    if 4 * ((len(data) + 2) // 3) <= len(data) + 2 * len(data.translate(None, _BARE + b" ")):
        return _b_words(data, start)
    whole = "".join(map(_Q.__getitem__, data))
    return f"=?utf-8?q?{whole}?=" if len(whole) <= _first_room(start) else _q_words(text, start)


def _first_room(start: int) -> int:
    """Return the characters left for the first word's text; behind a very long name the line gets longer instead."""
    return max(24, min(_WORD, LINE - start) - _FRAME)


def _b_words(data: bytes, start: int) -> str:
    words: list[str] = []
    at, room = 0, _first_room(start)
    while at < len(data):
        end = min(len(data), at + room // 4 * 3)
        while end < len(data) and data[end] & 0xC0 == 0x80:  # inside a character: step back to its first byte
            end -= 1
        words.append(f"=?utf-8?b?{b2a_base64(data[at:end], newline=False).decode('ascii')}?=")
        at, room = end, _WORD - _FRAME
    return "\r\n ".join(words)


def _q_words(text: str, start: int) -> str:
    words, room = [""], _first_room(start)
    for character in text:
        piece = "".join(_Q[byte] for byte in character.encode("utf-8"))
        if len(words[-1]) + len(piece) > room:
            words.append("")
            room = _WORD - _FRAME
        words[-1] += piece
    return "\r\n ".join(f"=?utf-8?q?{word}?=" for word in words)
