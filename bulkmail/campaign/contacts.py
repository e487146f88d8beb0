"""Address books as lines of CSV: vCards (2.1, 3.0: RFC 2426, 4.0: RFC 6350) and LDIF (RFC 2849).

Apple's Contacts exports nothing but vCards, and directories nothing but LDIF. A card or an entry is a row, whose number
is the line in messages; of several addresses the preferred one is taken, else the first. What is no line of a
letter, such as photographs, is left out before it is put together, so memory stays flat.
"""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import a2b_qp
from collections.abc import Iterable, Iterator
from itertools import chain, islice

from bulkmail.campaign.cells import DELIMITER, ByteSource, Converted, line_of, unreadable
from bulkmail.campaign.json_lines import split_lines

VCARDS = re.compile(rb"\s*BEGIN:VCARD", re.IGNORECASE)
LDIF = re.compile(rb"\s*(?:#[^\n]*\n\s*)*(?:version: *1\s+(?:#[^\n]*\n\s*)*)?dn::? ", re.IGNORECASE)
"""How such files begin."""

COLUMNS = ("email", "full_name", "first_name", "last_name", "organization", "title", "city", "country", "birthday",
           "categories", "language")  # fmt: skip
_LONGEST = 100_000  # bytes of a value
_LOOKED_AT = 1000  # entries whose attributes are the columns
_PROPERTY = re.compile(rb'(?:[A-Za-z0-9-]+\.)?([A-Za-z0-9-]+)((?:;(?:[^";:]|"[^"]*")*)*):(.*)', re.DOTALL)
_WANTED = frozenset(
    {b"BEGIN", b"END", b"EMAIL", b"FN", b"N", b"ORG", b"TITLE", b"ADR", b"BDAY", b"CATEGORIES", b"LANG"}
)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_PARTS = re.compile(r"((?:[^;\\]|\\.)*)(?:;|\Z)", re.DOTALL)
_CHARSET = re.compile(r"CHARSET=\"?([\w.:-]+)", re.IGNORECASE)
_KNOWN = re.compile(
    r"utf-8|us-ascii|iso-8859-\d{1,2}|windows-125\d|shift_jis|euc-(?:kr|jp)|gb2312|gbk|gb18030|big5|koi8-[ru]",
    re.IGNORECASE,
)
_PREFERRED = re.compile(r"(?:^|;)(?:TYPE=[^;]*\bPREF\b|PREF(?:=1)?(?=;|$))", re.IGNORECASE)
_ATTRIBUTE = re.compile(rb"([A-Za-z][A-Za-z0-9.-]*)((?:;[A-Za-z0-9-]+)*)(::?<?)[ ]*(.*)", re.DOTALL)
_LEFT_OUT = frozenset({"dn", "objectclass", "userpassword", "jpegphoto", "photo", "modifytimestamp", "version"})


def open_contacts(file: ByteSource, start: bytes) -> Converted | None:
    """Read an address book, of which ``start`` is the beginning; None for what is none. The header is line 0."""
    if VCARDS.match(start):
        return Converted(file, _vcards(split_lines(file.read)), file.expected, 0)
    return Converted(file, _ldif(split_lines(file.read)), file.expected, 0) if LDIF.match(start) else None


def _vcards(lines: Iterator[bytes]) -> Iterator[bytes]:
    yield line_of(COLUMNS).encode() + b"\n"
    depth = 0
    card: dict[str, str] = {}
    preferred, wrong = False, ""
    for name, parameters, value in _properties(lines):
        if name == b"BEGIN":
            depth += 1
            if depth == 1:
                card, preferred, wrong = {}, False, ""
        elif name == b"END":
            if depth == 1:
                yield unreadable(wrong) if wrong else _row([card.get(column, "") for column in COLUMNS])
            depth = max(0, depth - 1)
        elif depth == 1:
            try:
                text = _text(parameters, value)
            except (ValueError, LookupError) as error:
                wrong = wrong or f"its {name.decode('ascii')} cannot be read ({error})"
                continue
            if name != b"EMAIL":
                _add(card, name, text)
            elif (better := bool(_PREFERRED.search(parameters))) > preferred or "email" not in card:
                card["email"], preferred = _plain(text).removeprefix("mailto:"), better
    if depth:
        yield unreadable("the file ends within a card; was it copied to its end?")


def _properties(lines: Iterable[bytes]) -> Iterator[tuple[bytes, str, bytes]]:
    """Yield the properties that are wanted: name, parameters, value; lines that belong together put together."""
    held: list[bytes] = []
    room = 0  # bytes that the value may still get
    soft = False  # the line ends in a = of quoted-printable, so it goes on in the next
    for line in chain((raw.removesuffix(b"\r") for raw in lines), [b"END"]):
        folded = line.startswith((b" ", b"\t"))
        if soft or folded:
            if held and room > 0:
                held.append(line[1:] if folded and not soft else b"\n" + line)
                room -= len(line)
        else:
            if held and (found := _PROPERTY.fullmatch(b"".join(held))):
                yield found[1].upper(), found[2][1:].decode("utf-8", "replace"), found[3]
            named = _PROPERTY.match(line)
            held, room = [line] if named and named[1].upper() in _WANTED else [], _LONGEST
            printable = named is not None and b"QUOTED-PRINTABLE" in named[2].upper()
        soft = (soft or (not folded and printable)) and line.endswith(b"=")


def _text(parameters: str, value: bytes) -> str:
    """Return what a value says, its escapes as they are. Raises ValueError, LookupError."""
    if "QUOTED-PRINTABLE" in parameters.upper():
        value = a2b_qp(value)
    elif re.search(r"ENCODING=(?:B|BASE64)\b", parameters, re.IGNORECASE):
        value = b64decode(value)
    charset = _CHARSET.search(parameters)
    if charset and _KNOWN.fullmatch(charset[1]) is None:
        raise LookupError(f"unknown encoding: {charset[1][:40]}")
    return value.decode(charset[1] if charset else "utf-8").replace("\r\n", "\n")


def _add(card: dict[str, str], name: bytes, text: str) -> None:
    parts = [_plain(part) for part in _PARTS.findall(text)]
    parts += [""] * 7
    found = {
        b"FN": {"full_name": _plain(text)},
        b"N": {"last_name": parts[0], "first_name": parts[1]},
        b"ORG": {"organization": parts[0]},
        b"TITLE": {"title": _plain(text)},
        b"ADR": {"city": parts[3], "country": parts[6]},
        b"BDAY": {"birthday": _plain(text)},
        b"CATEGORIES": {"categories": _plain(text)},
        b"LANG": {"language": _plain(text)},
    }[name]
    for column, words in found.items():
        if words and column not in card:
            card[column] = words


def _plain(text: str) -> str:
    return _ESCAPE.sub(lambda found: "\n" if found[1] in "nN" else found[1], text).strip()


def _row(cells: list[str]) -> bytes:
    """Return the line of all cells, empty ones at the end too: a contact without an address is a row that says so."""
    return line_of([*cells, "."]).removesuffix(".").removesuffix(DELIMITER).encode() + b"\n"


def _ldif(lines: Iterator[bytes]) -> Iterator[bytes]:
    entries = _entries(lines)
    first = list(islice(entries, _LOOKED_AT))
    named = dict.fromkeys(name for one in first if isinstance(one, dict) for name in one)
    if not named:
        return
    yield line_of(["email" if name == "mail" and "email" not in named else name for name in named]).encode() + b"\n"
    for one in chain(first, entries):
        if isinstance(one, str):
            yield unreadable(one)
        else:
            yield _row([one.get(name, "") for name in named])


def _entries(lines: Iterable[bytes]) -> Iterator[dict[str, str] | str]:
    """Yield the attributes of each entry by their names in small letters, or why it cannot be read."""
    entry: dict[str, str] = {}
    wrong = ""
    for line in chain(_unfolded(lines), [b""]):
        if not line:
            if entry or wrong:
                yield wrong or entry
            entry, wrong = {}, ""
            continue
        found = _ATTRIBUTE.fullmatch(line)
        if found is None:
            wrong = wrong or "the entry has a line without an attribute"
            continue
        name, kind, value = found[1].decode("ascii").lower(), found[3], found[4]
        if name == "changetype" and value.strip() != b"add":
            wrong = "the entry is a change of another one, and no entry"
        if name in _LEFT_OUT or kind.endswith(b"<") or b";binary" in found[2].lower():
            continue
        try:
            text = (b64decode(value) if kind == b"::" else value).decode("utf-8").strip()
        except ValueError as error:
            wrong = wrong or f"its {name} cannot be read ({error})"
            continue
        if name not in entry:
            entry[name] = text
        elif name != "mail" and len(entry[name]) < _LONGEST:
            entry[name] += f"; {text}"


def _unfolded(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the lines put together, without remarks; a value that is too long, such as a photograph, is cut."""
    held: list[bytes] = []
    room = 0  # bytes that the value may still get
    for line in chain((raw.removesuffix(b"\r") for raw in lines), [b""]):
        if line.startswith(b" "):
            if held and room > 0:
                held.append(line[1:])
                room -= len(line)
            continue
        if held and not held[0].startswith(b"#"):
            yield b"".join(held)
        held, room = [line] if line else [], _LONGEST
        if not line:
            yield b""
