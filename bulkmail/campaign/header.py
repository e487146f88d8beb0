"""The first row of a list: its delimiter, its column names, and which of them is the address.

The delimiter is the one under which the header has a column for the address and the next rows have as many cells as
the header; `csv.Sniffer` looks at single characters and was wrong too often.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches

from bulkmail.campaign.cells import DELIMITER
from bulkmail.campaign.encoding import refuse
from bulkmail.campaign.files import ListPath
from bulkmail.campaign.lines import Lines
from bulkmail.campaign.names import USUAL_NAMES, plain_name
from bulkmail.mail import Problem, Refused

DELIMITERS = (",", ";", "\t", "|")
_NAMES = {",": "comma", ";": "semicolon", "\t": "TAB", "|": "bar"}
_ADDRESS_LIKE = re.compile(r"[^\s@,;|<>\"]+@[^\s@,;|<>\"]+\.[^\s@,;|<>\"]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_BROKEN = re.compile(r"\s*[\r\n]+\s*")
_SAMPLE = 20
_MOST_LINES = 50  # of one header
_CHECKED_ROWS = 100
_MANY = 10
_NAMED_AS = "`recipients: {file: list.csv, email: NAME}`"
_SHOWN = 10  # column names in a message
MAX_COLUMNS = 1000


@dataclass(frozen=True)
class Header:
    """``names`` are trimmed; ``roles`` gives the index of each column that was looked for; ``places`` the column of
    the text (from 1) where each name begins; ``nameless`` how many columns behind them have no name; ``lines`` over how
    many lines it goes (then each place is 1); ``note`` what people should know of it, "" for nothing.
    """

    delimiter: str
    names: tuple[str, ...]
    places: tuple[int, ...]
    roles: Mapping[str, int]
    nameless: int = 0
    lines: int = 1
    note: str = ""


def split(text: str, delimiter: str) -> list[str] | None:
    """Return the cells of one line under the strict rules, or None where its quotes are not in order."""
    try:
        return next(csv.reader([text], delimiter=delimiter, strict=True), [])
    except csv.Error:
        return None


def first_record(texts: Sequence[str], delimiter: str) -> tuple[list[str], int] | None:
    """Return cells and number of lines of the record that ``texts`` begin with; None where its quotes are not in order.

    A record over several lines is none where one of the further lines holds an address: then a stray quote opened it.
    """
    fed = 0

    def feed() -> Iterator[str]:
        nonlocal fed
        for text in texts[:_MOST_LINES]:
            fed += 1
            yield text.rstrip("\r\n") + "\n"

    try:
        cells = next(csv.reader(feed(), delimiter=delimiter, strict=True), [])
    except csv.Error:
        return None
    return None if any(_ADDRESS_LIKE.search(text) for text in texts[1:fed]) else (cells, fed)


def is_announcement(text: str) -> str | None:
    """Return the delimiter in Excel's own first line ``sep=;``, else None."""
    found = re.fullmatch(r'"?sep=([,;|\t])"?', text.strip(" \r\n"), re.IGNORECASE)
    return found[1] if found else None


def read_header(
    path: str,
    line: int,
    texts: Sequence[str],
    *,
    wanted: Mapping[str, frozenset[str]],
    delimiter: str | None = None,
    address: str | int | None = None,
    converted: bool = False,
    others: str = "",
) -> Header:
    """Return the header that ``texts`` begin with. ``wanted``: by role its plain names, of which one must be there.

    ``address``: the column of the addresses, by its name or its index, where it is known. ``converted``: the list is no
    CSV (`bulkmail.campaign.cells`), so a bare CR is a break within a name. ``others``: what is said of its other
    sheets. Raises Refused with all problems, each at its line and column.
    """
    text = texts[0].rstrip("\r\n")
    if "\r" in text and not converted:
        raise refuse(path, "lines end in a bare CR; save the file with LF or CR LF", line, text.index("\r") + 1)
    header = _split_best(path, line, texts, wanted, delimiter)
    if len(header.names) > MAX_COLUMNS:
        many = f"the header has {len(header.names):,} columns and {MAX_COLUMNS:,} are read"
        raise refuse(path, f"{many}; leave out what no template uses", line, 1)
    rows = _records(texts[header.lines :], header.delimiter)
    roles, problems = _roles(path, line, header, wanted, rows)
    note = ""
    if address is not None:
        roles, problems = _named(path, line, header, address, problems)
    elif not roles and _may_be_looked_for(wanted):
        found = holding(rows, len(header.names))
        if len(found) == 1 and not problems and _different(rows, found[0]):
            roles = {"address": found[0]}
            note = (
                f"no column has a name known for addresses; those of column {found[0] + 1}, "
                f"`{header.names[found[0]]}`, are taken, for its cells hold addresses, and no other's do"
            )
        else:
            problems.append(_nowhere(path, line, header, found, others))
    elif not roles:
        problems.append(_nowhere(path, line, header, holding(rows, len(header.names)), others))
    if problems:
        raise Refused(problems)
    return replace(header, roles=roles, note=note)


def _may_be_looked_for(wanted: Mapping[str, frozenset[str]]) -> bool:
    return set(wanted) == {"address"}


def _records(texts: Sequence[str], delimiter: str) -> list[list[str]]:
    """Return the first rows, as far as each is a line by itself."""
    return [cells for text in texts if text.strip() and (cells := split(text.rstrip("\r\n"), delimiter))]


def holding(rows: Sequence[Sequence[str]], width: int) -> list[int]:
    """Return which columns hold addresses: most of their cells that are filled."""
    found = []
    for index in range(width):
        filled = [cells[index] for cells in rows if index < len(cells) and cells[index].strip()]
        if filled and sum(bool(_ADDRESS_LIKE.search(cell)) for cell in filled) * 2 > len(filled):
            found.append(index)
    return found


def _different(rows: Sequence[Sequence[str]], at: int) -> bool:
    """Return whether most rows have a value of their own there: a column may name the person who keeps the row."""
    filled = [cells[at].strip().lower() for cells in rows if at < len(cells) and cells[at].strip()]
    return len(set(filled)) * 2 > len(filled)


def _named(
    path: str, line: int, header: Header, address: str | int, problems: list[Problem]
) -> tuple[dict[str, int], list[Problem]]:
    """Return the column named for the addresses, and the problems but for those about which column it could be."""
    names = header.names
    problems = [problem for problem in problems if "could be the address" not in problem.message]
    if isinstance(address, int):
        return {"address": address}, problems
    same = [at for at, name in enumerate(names) if name == address.strip()]
    same = same or [at for at, name in enumerate(names) if plain_name(name) == plain_name(address)]
    if len(same) == 1:
        return {"address": same[0]}, problems
    near = get_close_matches(address[:60], names, 1)
    remedy = f"did you mean `{near[0]}`?" if near else "correct the name"
    if same:
        remedy = "more than one is named so; rename one"
    return {}, [
        *problems,
        Problem(path, line, 1, f"`email` names the column `{address}`, which is not there; {remedy}"),
    ]


def _split_best(
    path: str, line: int, texts: Sequence[str], wanted: Mapping[str, frozenset[str]], delimiter: str | None
) -> Header:
    """Return the header split at the delimiter under which it makes most sense, its roles not looked for yet."""
    names_wanted = frozenset[str]().union(*wanted.values())
    best: tuple[tuple[bool, int, int], str, list[str], int] | None = None
    torn = False
    for candidate in (delimiter,) if delimiter else DELIMITERS:
        record = first_record(texts, candidate)
        if record is None:
            torn = True
            continue
        cells, count = record
        sample = [row for row in texts[count : count + _SAMPLE] if row.strip()]
        even = sum(len(split(row, candidate) or ()) == len(cells) for row in sample) if len(cells) > 1 else 0
        rank = (any(plain_name(cell) in names_wanted for cell in cells), even, len(cells))
        if best is None or rank > best[0]:
            best = rank, candidate, cells, count
    text = texts[0].rstrip("\r\n")
    if best is None or (torn and not best[0][0] and any('"' in cell for cell in best[2])):
        raise refuse(path, 'the header has a quote out of place; write "a name" or a name', line, text.find('"') + 1)
    _, chosen, cells, count = best
    names = [_BROKEN.sub(" ", cell.strip()) for cell in cells]
    while len(names) > 1 and not names[-1]:
        names.pop()
    places = _places(text, chosen)
    if count > 1 or len(places) != len(cells):  # a quote inside a bare name, or several lines
        places = (1,) * len(cells)
    return Header(chosen, tuple(names), places[: len(names)], {}, len(cells) - len(names), count)


def find_header(
    lines: Lines, wanted: Mapping[str, frozenset[str]], delimiter: str | None, address: str | int | None = None
) -> tuple[int, Header]:
    """Return the line of the header and the header that the file begins with; it is consumed. Raises Refused.

    Lines above it, such as a title, are left out where the header below them can be told by a name it must have.
    """
    if lines.converted:
        delimiter = DELIMITER
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
    above = _lines_above(lines.texts[lines.at : lines.at + _SAMPLE + 1], _known(wanted, address), delimiter)
    if above:
        lines.advance(above)
        number = lines.line
    texts = lines.texts[lines.at : lines.at + _MOST_LINES + _CHECKED_ROWS]
    header = read_header(
        lines.path,
        number,
        texts,
        wanted=wanted,
        delimiter=delimiter,
        address=address,
        converted=lines.converted,
        others=lines.others,
    )
    if above:
        note = f"the header is in line {number}; what stands above it is left out"
        header = replace(header, note=f"{note}; {header.note}" if header.note else note)
    if not lines.converted:
        _check_encoding(lines, header)
    lines.advance(header.lines)
    return number, header


def _roles(
    path: str, line: int, header: Header, wanted: Mapping[str, frozenset[str]], rows: Sequence[Sequence[str]]
) -> tuple[dict[str, int], list[Problem]]:
    """Return the columns that are wanted, and what is wrong with the names. Raises Refused where they are no names."""
    names = header.names
    problems = []
    seen: dict[str, int] = {}
    roles: dict[str, int] = {}
    for index, (name, place) in enumerate(zip(names, header.places, strict=True)):
        if _ADDRESS_LIKE.fullmatch(name):
            text = "the first row holds an address: a CSV without a header is refused; "
            raise refuse(path, text + "put the column names first, such as email,first_name", line, place)
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
        found = [index for name, index in seen.items() if plain_name(name) in aliases]
        usual = [index for index in found if plain_name(names[index]) in USUAL_NAMES]
        if role == "address" and len(found) > 1:  # a look at their cells
            filled = holding(rows, len(names))
            usual = [index for index in usual if index in filled] or usual
            if filled and not set(usual) & set(filled):
                usual = [index for index in found if index in filled] or usual
        for index in (usual or found)[:1]:
            roles[role] = index
        for index in (usual or found)[1:]:
            text = (
                f"two columns could be the {role}, `{names[roles[role]]}` and `{names[index]}`; rename one, or name it"
                f" ({_NAMED_AS})"
            )
            problems.append(Problem(path, line, header.places[index], text))
    return roles, problems


def _known(wanted: Mapping[str, frozenset[str]], address: str | int | None) -> frozenset[str]:
    if isinstance(address, str):
        return frozenset({plain_name(address)})
    return frozenset[str]().union(*wanted.values())


def _lines_above(texts: Sequence[str], known: frozenset[str], delimiter: str | None) -> int:
    """Return how many lines stand above the header: it has a known name, and more cells than each of them; 0 for none.

    Some exports begin with a title or with notes.
    """
    most = 0
    for number, text in enumerate(texts):
        records = [split(text.rstrip("\r\n"), one) or [] for one in ((delimiter,) if delimiter else DELIMITERS)]
        if any(plain_name(cell.strip()) in known for cells in records for cell in cells):
            wide = max(len(cells) for cells in records if any(plain_name(cell.strip()) in known for cell in cells))
            return number if number and wide > most else 0
        if _ADDRESS_LIKE.search(text) and most > 1:
            return 0
        most = max(most, *(len(cells) for cells in records))
    return 0


def _nowhere(path: str, line: int, header: Header, found: Sequence[int], others: str) -> Problem:
    """Return the problem that no column has a known name: which of them hold addresses, and what to write."""
    names = header.names
    if found:
        which = " and of ".join(f"column {index + 1}, `{names[index]}`," for index in found[:_SHOWN])
        one = f"that column to `email`, or name it (`email: {names[found[0]]}` beside `file`)"
        rename = one if len(found) == 1 else f"the one to be mailed to `email`, or name it ({_NAMED_AS})"
        text = f"no column has a name known for addresses; the cells of {which} hold addresses: rename {rename}"
        return Problem(path, line, header.places[found[0]], text)
    have = ": " + ", ".join(names[:_SHOWN]) + (" ..." if len(names) > _SHOWN else "")
    if isinstance(path, ListPath) and path.reference is None:
        # opened by its name, it can be any file of the operator's, and a refusal is written where others read it
        have = f" {len(names):,} columns" if len(names) > 1 else " one column"
    text = "no column is named `email`, or has another name known for addresses; the header, split at "
    remedy = f"name the column of the addresses `email`{others and '; '}{others}"
    return Problem(path, line, 1, f"{text}{_NAMES[header.delimiter]}, has{have}; {remedy}")


def _places(text: str, delimiter: str) -> tuple[int, ...]:
    """Return where each cell of a line in good order begins, from 1."""
    places = [1]
    quoted = False
    for index, character in enumerate(text, 2):
        if character == '"':
            quoted = not quoted
        elif character == delimiter and not quoted:
            places.append(index)
    return tuple(places)


def _check_encoding(lines: Lines, header: Header) -> None:
    """Raise Refused where not one row but the encoding is wrong: most of the first rows cannot be decoded.

    Rows are those with an ``@`` where the address belongs: a footer, mostly ASCII, does not count against them.
    """
    if not lines.bad:
        return
    first = lines.at + header.lines
    all_rows = [at for at in range(first, min(first + _CHECKED_ROWS, len(lines.texts))) if lines.texts[at].strip()]
    rows = [index for index in all_rows if _has_address(lines.texts[index], header)] or all_rows
    bad = [index for index in rows if index in lines.bad]
    accented = sum(not lines.texts[index].isascii() for index in rows)
    most = len(bad) * 2 > len(rows) or (len(bad) >= _MANY and len(bad) * 10 >= accented * 9)
    if len(bad) > 1 and most:
        column, words = lines.bad[bad[0]]
        raise refuse(lines.path, f"{words}; {_remedy(lines)}", lines.line + bad[0] - lines.at, column)


def _has_address(text: str, header: Header) -> bool:
    cells = split(text.rstrip("\r"), header.delimiter) or text.split(header.delimiter)
    at = header.roles.get("address", len(cells))
    return at < len(cells) and "@" in cells[at]


def _remedy(lines: Lines) -> str:
    if lines.encoding == "utf-8":
        return "save the file as UTF-8, or say what it is written in, such as `encoding: windows-1252`"
    return f"the file is not written in {lines.encoding}; save it as UTF-8, or correct `encoding`"
