"""The first row of a list: its delimiter, its column names, and which of them is the address.

The delimiter is the one under which the header has a column for the address and the next rows have as many cells as
the header; `csv.Sniffer` looks at single characters and was wrong too often.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from bulkmail.campaign.encoding import refuse
from bulkmail.campaign.lines import Lines
from bulkmail.mail import Problem, Refused

ADDRESS_NAMES = frozenset({"email", "e-mail", "email address", "mail"})
DELIMITERS = (",", ";", "\t", "|")
_NAMES = {",": "comma", ";": "semicolon", "\t": "TAB", "|": "bar"}
_ADDRESS_LIKE = re.compile(r"[^\s@,;|<>\"]+@[^\s@,;|<>\"]+\.[^\s@,;|<>\"]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_SAMPLE = 20
_CHECKED_ROWS = 100
_MANY = 10
MAX_COLUMNS = 1000
_ABOUT_CONSENT = re.compile(
    r"((e_?)?mail_)?(status|(un)?subscri(bed?|ption)(_status|_at|_on|_date)?)|opt(ed)?_?(in|out)(_at|_on|_date)?"
    r"|(is_)?(active|bounced|suppressed|black_?listed|blocked)|dn[ce]|do_not_(e_?)?(mail|contact|send)|consent"
)


@dataclass(frozen=True)
class Header:
    """``names`` are trimmed; ``roles`` gives the index of each column that was looked for; ``places`` the column of
    the text (from 1) where each name begins.
    """

    delimiter: str
    names: tuple[str, ...]
    places: tuple[int, ...]
    roles: Mapping[str, int]


def plain_name(name: str) -> str:
    """A column name for comparing: lower case, single spaces."""
    return " ".join(name.split()).casefold()


def split(text: str, delimiter: str) -> list[str] | None:
    """The cells of one line under the strict rules, or None where its quotes are not in order."""
    try:
        return next(csv.reader([text], delimiter=delimiter, strict=True), [])
    except csv.Error:
        return None


def is_announcement(text: str) -> str | None:
    """The delimiter in Excel's own first line ``sep=;``, else None."""
    found = re.fullmatch(r'"?sep=([,;|\t])"?', text.strip(" \r\n"), re.IGNORECASE)
    return found[1] if found else None


def read_header(
    path: str,
    line: int,
    text: str,
    sample: Sequence[str],
    *,
    wanted: Mapping[str, frozenset[str]],
    delimiter: str | None = None,
) -> Header:
    """The header in ``text``. ``wanted`` maps a role to the names it goes by; one of them must be there, none twice.

    Raises Refused with all problems, each at its line and column.
    """
    text = text.rstrip("\r\n")
    if "\r" in text:
        raise refuse(path, "lines end in a bare CR; save the file with LF or CR LF", line, text.index("\r") + 1)
    names_wanted = frozenset[str]().union(*wanted.values())
    best: tuple[tuple[bool, int, int], str, list[str]] | None = None
    torn = False
    for candidate in (delimiter,) if delimiter else DELIMITERS:
        cells = split(text, candidate)
        if cells is None:
            torn = True
            continue
        even = sum(len(split(row, candidate) or ()) == len(cells) for row in sample) if len(cells) > 1 else 0
        rank = (any(plain_name(cell) in names_wanted for cell in cells), even, len(cells))
        if best is None or rank > best[0]:
            best = rank, candidate, cells
    if best is None or (torn and not best[0][0]):
        raise refuse(path, 'the header has a quote out of place; write "a name" or a name', line, text.find('"') + 1)
    _, chosen, cells = best
    if len(cells) > MAX_COLUMNS:
        words = f"the header has {len(cells):,} columns and {MAX_COLUMNS:,} are read; leave out what no template uses"
        raise refuse(path, words, line, 1)
    names = tuple(cell.strip() for cell in cells)
    places = _places(text, chosen)
    if len(places) != len(names):  # a quote inside a bare name
        places = (1,) * len(names)
    header = Header(chosen, names, places, {})
    roles, problems = _roles(path, line, header, wanted)
    if problems:
        raise Refused(problems)
    return replace(header, roles=roles)


def find_header(lines: Lines, wanted: Mapping[str, frozenset[str]], delimiter: str | None) -> tuple[int, Header]:
    """The line of the header and the header that the file begins with; it is consumed. Raises Refused."""
    while lines.at < len(lines.texts) or lines.fill():
        text = lines.texts[lines.at]
        announced = is_announcement(text)
        if text.strip() and announced is None:
            break
        delimiter = announced or delimiter
        lines.advance(1)
    else:
        raise refuse(lines.path, "is empty; put the column names in its first line, such as email,first_name")
    number = lines.line
    wrong = lines.bad.get(lines.at)
    if wrong:
        raise refuse(lines.path, f"{wrong[1]}; {_remedy(lines)}", number, wrong[0])
    sample = [row for row in lines.texts[lines.at + 1 : lines.at + 1 + _SAMPLE] if row.strip()]
    header = read_header(lines.path, number, text, sample, wanted=wanted, delimiter=delimiter)
    _check_encoding(lines)
    lines.advance(1)
    return number, header


def notices(path: str, line: int, header: Header) -> list[Problem]:
    """Columns that look as if they kept somebody from being mailed, and do not."""
    found = []
    for name, place in zip(header.names, header.places, strict=True):
        if _ABOUT_CONSENT.fullmatch(re.sub(r"[\s_-]+", "_", name.strip().lower())):
            text = (
                f"column `{name}` is only a template variable; it does not suppress anybody: "
                "list the addresses that must not be mailed in a file under `suppress`"
            )
            found.append(Problem(path, line, place, text))
    return found


def _roles(
    path: str, line: int, header: Header, wanted: Mapping[str, frozenset[str]]
) -> tuple[dict[str, int], list[Problem]]:
    names, delimiter = header.names, header.delimiter
    problems = []
    seen: dict[str, int] = {}
    roles: dict[str, int] = {}
    for index, (name, place) in enumerate(zip(names, header.places, strict=True)):
        if _ADDRESS_LIKE.fullmatch(name):
            text = "the first row holds an address: a CSV without a header is refused; "
            return {}, [Problem(path, line, place, text + "put the column names first, such as email,first_name")]
        if not name:
            problems.append(Problem(path, line, place, f"column {index + 1} has no name; name it or remove it"))
            continue
        if _CONTROL.search(name):
            problems.append(Problem(path, line, place, f"the column name {name!r} has a control character; remove it"))
        if name in seen:
            text = f"the column name `{name}` is there twice (also as column {seen[name] + 1}); rename one"
            problems.append(Problem(path, line, place, text))
            continue
        seen[name] = index
        for role, aliases in wanted.items():
            if plain_name(name) in aliases:
                if role in roles:
                    text = f"two columns could be the {role}, `{names[roles[role]]}` and `{name}`; rename one"
                    problems.append(Problem(path, line, place, text))
                else:
                    roles[role] = index
    if not roles:
        aliases_ = " or ".join(sorted(alias for aliases in wanted.values() for alias in aliases))
        have = ", ".join(names[:10]) + (" ..." if len(names) > 10 else "")
        text = f"no column is named {aliases_}; the header, split at {_NAMES[delimiter]}, has: {have}"
        problems.append(Problem(path, line, 1, text))
    return roles, problems


def _places(text: str, delimiter: str) -> tuple[int, ...]:
    """Where each cell of a line in good order begins, from 1."""
    places = [1]
    quoted = False
    for index, character in enumerate(text, 2):
        if character == '"':
            quoted = not quoted
        elif character == delimiter and not quoted:
            places.append(index)
    return tuple(places)


def _check_encoding(lines: Lines) -> None:
    """Raises Refused where not one row but the encoding is wrong: most of the first rows cannot be decoded."""
    first = lines.at + 1
    rows = [index for index in range(first, min(first + _CHECKED_ROWS, len(lines.texts))) if lines.texts[index].strip()]
    bad = [index for index in rows if index in lines.bad]
    accented = sum(not lines.texts[index].isascii() for index in rows)
    most = len(bad) * 2 > len(rows) or (len(bad) >= _MANY and len(bad) * 10 >= accented * 9)
    if len(bad) > 1 and most:
        column, words = lines.bad[bad[0]]
        raise refuse(lines.path, f"{words}; {_remedy(lines)}", lines.line + bad[0] - lines.at, column)


def _remedy(lines: Lines) -> str:
    if lines.encoding == "utf-8":
        return "save the file as UTF-8, or say what it is written in, such as `encoding: windows-1252`"
    return f"the file is not written in {lines.encoding}; save it as UTF-8, or correct `encoding`"
