"""Which rows of a list are looked at: by number, by address, or the ones in which a letter is likeliest to go wrong."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from random import Random

from bulkmail.mail import AddressError, BulkmailError, address_in

Row = tuple[int, int, int, str, str, str, str, str]
"""As `ListRows` gives it: number, file, row of the file, cell, domain, cells as JSON, verdict, note."""

FIRST, LONGEST, SHORTEST, EMPTIEST, RANDOM = "first", "longest", "shortest", "emptiest", "random"
DEFAULT = (FIRST, LONGEST, EMPTIEST)


@dataclass(frozen=True)
class Wanted:
    """Which rows are wanted.

    ``rows``: as the report numbers them, ``3`` or ``members.csv:3``; ``emails``: addresses; ``kinds``: `FIRST`, …
    """

    rows: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()


@dataclass(frozen=True)
class Chosen:
    """A row, and why it was chosen: ``row 3``, ``the longest row``, several of them with commas."""

    row: Row
    why: str


class RowChooser:
    """Looks at one row after the other, and keeps the ones that are wanted.

    ``files``: the lists as the campaign names them. Raises BulkmailError for a wish that no list can fulfil.
    """

    def __init__(self, wanted: Wanted, files: tuple[str, ...], rng: Random) -> None:
        self._files = files
        self._rng = rng
        self._rows = {self._place(text): text for text in wanted.rows}
        self._emails = {_key(text): text for text in wanted.emails}
        self._kinds = wanted.kinds
        self._best: dict[str, tuple[float, Row]] = {}
        self._found: dict[tuple[str, str], Row] = {}
        self._seen = 0

    def look(self, row: Row) -> bool:
        """Look at the next row; whether more have to be looked at."""
        for place in ((-1, row[0] if len(self._files) > 1 else row[2]), (row[1], row[2])):
            if place in self._rows:
                self._found.setdefault(("row", self._rows[place]), row)
        if self._emails and row[4] and (wanted := self._emails.get(_key(row[3]))):
            self._found.setdefault(("email", wanted), row)
        if row[6] == "ok":
            self._seen += 1
            for kind in self._kinds:
                self._judge(kind, row)
        wishes = len(self._rows) + len(self._emails)
        return len(self._found) < wishes or any(kind != FIRST or kind not in self._best for kind in self._kinds)

    def chosen(self) -> list[Chosen]:
        """Return the rows in the order of the list. Raises BulkmailError where one is not there."""
        for kind, texts in (("row", self._rows.values()), ("email", self._emails.values())):
            for text in texts:
                if (kind, text) not in self._found:
                    raise BulkmailError(self._missing(kind, text))
        reasons: dict[int, list[str]] = {}
        rows: dict[int, Row] = {}
        for (kind, text), row in self._found.items():
            reasons.setdefault(row[0], []).append(f"row {text}" if kind == "row" else text)
            rows[row[0]] = row
        for kind, (_, row) in self._best.items():
            reasons.setdefault(row[0], []).append("a random row" if kind == RANDOM else f"the {kind} row")
            rows[row[0]] = row
        return [Chosen(rows[number], ", ".join(reasons[number])) for number in sorted(rows)]

    def _judge(self, kind: str, row: Row) -> None:
        """Keep the row where it is better than the best so far; of equal ones the first stays."""
        if kind == FIRST and kind in self._best:
            return
        score = self._rng.random() if kind == RANDOM else _SCORES[kind](json.loads(row[5]))
        if kind not in self._best or score > self._best[kind][0]:
            self._best[kind] = score, row

    def _place(self, text: str) -> tuple[int, int]:
        """Return the file (-1: all of them as one) and the number of a row. Raises BulkmailError."""
        name, colon, number = text.rpartition(":")
        if not number.isdecimal() or int(number) < 1:
            raise BulkmailError(f"{text!r} is not a row; give its number, 1 for the first row behind the header")
        if not colon:
            return -1, int(number)
        if name not in self._files:
            raise BulkmailError(f"{name!r} is not a list of this campaign; it has {', '.join(self._files)}")
        return self._files.index(name), int(number)

    def _missing(self, kind: str, text: str) -> str:
        lists = " and ".join(self._files)
        if kind == "email":
            return f"{text} is not in {lists}"
        return f"there is no row {text}; {lists} {'has' if len(self._files) == 1 else 'have'} fewer rows"


def choose(rows: Iterable[Row], wanted: Wanted, files: tuple[str, ...], rng: Random) -> list[Chosen]:
    """Return the wanted rows of a list, in its order. Raises BulkmailError where one is not there.

    The kinds choose among the rows that can be sent to; a row that is named is given whatever its verdict.
    """
    chooser = RowChooser(wanted, files, rng)
    for row in rows:
        if not chooser.look(row):
            break
    return chooser.chosen()


def _length(cells: list[str]) -> float:
    return sum(len(cell.strip()) for cell in cells)


def _emptiness(cells: list[str]) -> float:
    """Return how many cells are empty; of equal ones the shorter row is the emptier."""
    return sum(not cell.strip() for cell in cells) + 1 / (2 + _length(cells))


_SCORES: dict[str, Callable[[list[str]], float]] = {
    FIRST: lambda _: 0.0,
    LONGEST: _length,
    SHORTEST: lambda cells: -_length(cells),
    EMPTIEST: _emptiness,
}


def _key(text: str) -> str:
    """Return what identifies an address, however it is written. Raises BulkmailError for what is none."""
    try:
        return address_in(text).key
    except AddressError as error:
        raise BulkmailError(str(error)) from None
