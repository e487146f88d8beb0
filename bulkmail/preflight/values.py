"""The cells of the columns that a letter prints: empty ones, remains of a spreadsheet, one value in most rows."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bulkmail.mail import variable_name
from bulkmail.preflight.kinds import Kind, note, warning

_NAMES = re.compile(
    r"(?:(?:first|last|given|family|full|sur|fore|christian|middle|nick|display|contact|customer|recipient)[ _-]?)?name"
    r"|f[ _-]?name|l[ _-]?name|vorname|nachname|familienname|prenom|prénom|nom|nombre|apellidos?|nome|cognome|imi[eę]"
    r"|nazwisko|voornaam|achternaam|fornavn|etternavn|förnamn|efternamn",
    re.IGNORECASE,
).fullmatch
_REMAINS = re.compile(
    r"#(?:N/A|NV|REF!|BEZUG!|NAME\?|VALUE!|WERT!|DIV/0!|NUM!|ZAHL!|NULL!)|null|none|nil|nan|n/a|undefined|unknown"
    r"|\(?(?:none|blank|empty|leer|no name)\)?|[-–—.?]+|firstname|first[ _]name|vorname|test|xxx+",
    re.IGNORECASE,
).fullmatch
_LONGEST = 80  # characters of a value that is counted
_KEPT = 64  # values of one column that are counted at a time
_FEWEST = 10  # rows from which one value in most of them says something


class ValueCheck:
    """Looks at the cells of one recipients file. ``printed``: the places of the columns that the letter prints."""

    def __init__(
        self, file_no: int, file: str, columns: Sequence[str], printed: Sequence[int], defaults: Mapping[str, str]
    ) -> None:
        self._file_no = file_no
        self._printed = [(at, column_place(file, columns[at]), defaults.get(columns[at], "")) for at in printed]
        self._names = [at for at in printed if _NAMES(columns[at].strip())]

    def kinds(self, cells: Sequence[str]) -> Iterator[Kind]:
        """Yield what is odd about the cells of a row."""
        for at, where, default in self._printed:
            cell = cells[at].strip() if at < len(cells) else ""
            if not cell:
                if default:
                    words = f"the value is empty, and the default {default[:40]!r} is printed"
                    yield note("default-printed", where, words)
                else:
                    words = "the value is empty, and the letter prints it"
                    yield warning("empty-value", where, words, "fill it in, or name a default under `defaults`")
            elif _REMAINS(cell):
                words = f"the value is `{cell}`, and the letter prints it"
                yield warning("odd-value", where, words, "correct it, or leave it empty and name a default")

    def count_names(self, cells: Sequence[str], counts: dict[tuple[int, int], Counter[str]]) -> None:
        """Count the row's values of the columns that hold names, by (file number, column)."""
        for at in self._names:
            if at < len(cells) and (value := cells[at].strip()):
                counts.setdefault((self._file_no, at), Counter())[value[:_LONGEST]] += 1


def column_place(file: str, column: str) -> str:
    """Return how a column is named to people; ``file`` is "" where there is one list only."""
    return f"{file}: column `{column}`" if file else f"column `{column}`"


class Majority:
    """Finds the value that over half of a column's rows have, in bounded memory (Misra and Gries 1982).

    A value with a share of over half always stays among the 64 that are kept; its count is too low by a 64th at most.
    """

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._less = 0

    def add(self, counts: Mapping[str, int]) -> None:
        """Add the counts of some rows."""
        self._counts.update(counts)
        if len(self._counts) > _KEPT:
            less = sorted(self._counts.values(), reverse=True)[_KEPT]
            self._less += less
            self._counts = Counter({value: count - less for value, count in self._counts.items() if count > less})

    def of(self, rows: int) -> str | None:
        """Return the value that over half of ``rows`` have; None where there is none, or the rows are few."""
        for value, count in self._counts.most_common(1):
            if rows >= _FEWEST and 2 * (count + self._less) > rows:
                return value
        return None


def same_name(where: str, value: str, rows: int) -> Kind:
    """Make the kind of a name column that has one value in over half of its ``rows``."""
    words = f"over half of the {rows:,} rows have the same value `{value}`"
    return warning("same-name", where, words, "see whether the column was filled or sorted apart from the others")


def load_values(options: Mapping[str, Any]) -> list[ValueCheck]:
    """Make the checks of all recipients files from ``content``, ``files`` (names to show) and ``printed``."""
    content = options["content"]
    lists = zip(options["files"], content["columns"], options["printed"], strict=True)
    return [
        ValueCheck(number, file, columns, printed, _by_column(columns, content["defaults"]))
        for number, (file, columns, printed) in enumerate(lists)
    ]


def _by_column(columns: Sequence[str], defaults: Mapping[str, str]) -> dict[str, str]:
    """Return the defaults by column; a default may be spelt as the column's variable."""
    return {column: defaults.get(column, defaults.get(variable_name(column), "")) for column in columns}
