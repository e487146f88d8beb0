"""Who must never be mailed: lists of addresses and domains, held as 8-byte hashes.

A list is a plain file, one address or domain a line (``#`` begins a comment), or a CSV with a column for the address,
for the domain, or both (other columns are ignored; the domain counts where the row's address is empty, for many exports
carry the address's own domain along). `bulkmail.campaign.entries` says what an entry means. An address matches in any
spelling that is the same recipient. A domain matches itself alone: ``example.com`` does not cover
``mail.example.com``.

A list that cannot be read in full is refused: mailing a person who said no is worse than not mailing.

One million entries take 18 to 27 MB. A hash of 64 bits takes an innocent address for a listed one about once in 10^13
questions at that size.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from os.path import basename
from struct import Struct
from typing import NamedTuple

from bulkmail.campaign.encoding import encoding_of
from bulkmail.campaign.entries import keys_of
from bulkmail.campaign.files import EarlierList
from bulkmail.campaign.header import DELIMITERS, first_record
from bulkmail.campaign.keys import digest_of
from bulkmail.campaign.lines import Lines
from bulkmail.campaign.names import ADDRESS_NAMES, DOMAIN_NAMES, plain_name
from bulkmail.campaign.rows import Rows
from bulkmail.mail import AddressError, Problem, Refused, count_of

_WANTED = {"address": ADDRESS_NAMES, "domain": DOMAIN_NAMES}
_LOW = Struct("<Q8x")
_MOST_PROBLEMS = 20
_BATCH = 2000
_REMEMBERED = 4096

_Entry = tuple[int, str, str, Sequence[str]]


class Suppression:
    """The listed addresses and domains: an open-addressed table of hashes, each with the number of its list."""

    def __init__(self) -> None:
        self._names: list[str] = []
        self._size = 1 << 10
        self._slots = array("Q", [0]) * self._size
        self._lists = bytearray(self._size)
        self._count = 0
        self._has_domains = False
        self._domains: dict[str, int] = {}  # answers lately given

    def __len__(self) -> int:
        return self._count

    def why(self, digest: bytes, domain: str) -> str:
        """Return why the address with ``digest`` at ``domain`` must not be mailed; ``""`` where it may."""
        listed = self._find(_LOW.unpack(digest)[0])
        if listed:
            return f"the address {self._names[listed - 1]}"
        if not self._has_domains:
            return ""
        known = self._domains.get(domain)
        if known is None:
            if len(self._domains) >= _REMEMBERED:
                self._domains.clear()
            known = self._domains[domain] = self._find(_LOW.unpack(digest_of(f"@{domain}"))[0])
        return f"the domain {domain} {self._names[known - 1]}" if known else ""

    def read(self, path: str, encoding: str | None) -> list[Problem]:
        """Add one list; return what the operator should know of it. Raises Refused with its first bad lines."""
        earlier = path.campaign if isinstance(path, EarlierList) else ""
        self._names.append(f"got {earlier}" if earlier else f"is on the suppress list {basename(path)}")
        before = self._count
        entries = _entries(path, encoding_of(path, encoding))
        problems: list[Problem] = []
        more = 0
        for line, text, wrong, _ in entries:
            try:
                if wrong:
                    raise AddressError(wrong)  # noqa: TRY301 - one way for both kinds of bad line
                for key in keys_of(text):
                    self._add(key)
            except AddressError as error:
                if len(problems) < _MOST_PROBLEMS:
                    said = str(error).removeprefix(f"line {line}: ")
                    problems.append(Problem(path, line, 1, f"{said}; correct or remove the line"))
                else:
                    more += 1
        if more:
            problems.append(Problem(path, 0, 0, f"{count_of(more, 'more line is', 'more lines are')} wrong"))
        if problems:
            raise Refused(problems)
        if self._count == before:
            if earlier:
                return [
                    Problem(
                        path, 0, 0, "this leaves no address out: the campaign has sent to none, or others list the same"
                    )
                ]
            return [Problem(path, 0, 0, "this suppress list adds no address: it is empty, or others list the same")]
        return []

    def _add(self, key: str) -> None:
        self._has_domains = self._has_domains or key.startswith("@")
        if self._count * 3 >= self._size * 2:
            self._grow()
        self._put(_LOW.unpack(digest_of(key))[0] or 1, min(len(self._names), 255))

    def _put(self, value: int, list_number: int) -> None:
        slots, last = self._slots, self._size - 1
        at = value & last
        while slots[at]:
            if slots[at] == value:
                return
            at = (at + 1) & last
        slots[at] = value
        self._lists[at] = list_number
        self._count += 1

    def _find(self, value: int) -> int:
        """Return the number, from 1, of the list that has the hash ``value``, or 0."""
        value = value or 1
        slots, last = self._slots, self._size - 1
        at = value & last
        while slots[at]:
            if slots[at] == value:
                return self._lists[at]
            at = (at + 1) & last
        return 0

    def _grow(self) -> None:
        slots, lists = self._slots, self._lists
        self._size *= 2
        self._slots = array("Q", [0]) * self._size
        self._lists = bytearray(self._size)
        self._count = 0
        for value, list_number in zip(slots, lists, strict=True):
            if value:
                self._put(value, list_number)


def load(paths: Sequence[str], encoding: str | None = None) -> tuple[Suppression, list[Problem]]:
    """Load all lists, and notices about them. Raises Refused with the problems of all."""
    suppression = Suppression()
    notes: list[Problem] = []
    problems: list[Problem] = []
    for path in paths:
        try:
            notes += suppression.read(path, encoding)
        except Refused as refused:
            problems += refused.problems
    if problems:
        raise Refused(problems)
    return suppression, notes


class Listed(NamedTuple):
    """An entry of a list: its line, the keys it stops (`entries.keys_of`), or what is wrong; cells of named columns."""

    line: int
    keys: frozenset[str]
    wrong: str
    cells: Mapping[str, str]


def listed(path: str, encoding: str | None = None, columns: Sequence[str] = ()) -> Iterator[Listed]:
    """Yield each entry of a list, with its cells of those ``columns`` that the list has. Raises Refused."""
    names: list[str] = []
    for line, text, wrong, cells in _entries(path, encoding_of(path, encoding), names):
        more = {name: cells[names.index(name)] for name in columns if name in names}
        if wrong:
            yield Listed(line, frozenset(), wrong, more)
            continue
        try:
            yield Listed(line, frozenset(keys_of(text)), "", more)
        except AddressError as error:
            yield Listed(line, frozenset(), str(error), more)


def _entries(path: str, encoding: str, names: list[str] | None = None) -> Iterator[_Entry]:
    """Yield (line, entry, what is wrong, cells) for each entry of a list; ``names`` gets those of a CSV's columns."""
    lines = Lines(path, encoding)
    try:
        first = _to_first(lines)
        if first and _is_header(lines.texts[lines.at :]):
            rows = Rows(lines, _WANTED)
            if names is not None:
                names += rows.header.names
            yield from _from_csv(rows)
        elif first:
            yield from _from_plain(lines)
        lines.confirm()
    finally:
        lines.close()


def _to_first(lines: Lines) -> bool:
    """Consume blank lines and comments; return whether another line is behind them."""
    while lines.at < len(lines.texts) or lines.fill():
        text = lines.texts[lines.at].strip()
        if text and not text.startswith("#"):
            return True
        lines.advance(1)
    return False


def _is_header(texts: Sequence[str]) -> bool:
    names = frozenset[str]().union(*_WANTED.values())
    records = [first_record(texts, delimiter) for delimiter in DELIMITERS]
    return any(plain_name(cell) in names for record in records if record is not None for cell in record[0])


def _from_plain(lines: Lines) -> Iterator[_Entry]:
    while lines.at < len(lines.texts) or lines.fill():
        texts = lines.texts[lines.at :]
        for index, text in enumerate(texts, lines.at):
            entry = text.replace("\t", " ").partition(" #")[0].strip() if "#" in text else text.strip()
            if index in lines.bad:
                yield lines.line + index - lines.at, entry, lines.bad[index][1], ()
            elif entry and not entry.startswith("#"):
                yield lines.line + index - lines.at, entry, "", ()
        lines.advance(len(texts))


def _from_csv(rows: Rows) -> Iterator[_Entry]:
    columns = [rows.header.roles[role] for role in _WANTED if role in rows.header.roles]
    while taken := rows.take(_BATCH):
        for line, cells, _, wrong in taken:
            if cells[0].lstrip().startswith("#"):
                continue
            entry = next(filter(None, (cells[column].strip() for column in columns)), "")
            if wrong or entry:
                yield line, entry, wrong, cells
            elif any(cells):
                yield line, "", "the row names neither an address nor a domain", cells
