"""The input's own columns beside ours: the union over the files, each under a name of its own."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

from bulkmail.mail import OWN_NAME, RECIPIENT_COLUMNS
from bulkmail.report.cells import guarded
from bulkmail.report.rows import Files

Pick = Callable[[list[str]], Sequence[str]]
Guard = Callable[[Iterable[str]], list[str]]


class InputColumns:
    """Knows which cell of an input row belongs under which of ``names``.

    The first column named ``email`` is the address; without ``with_address`` it is left out, for it stands in ours. A
    column of the same name in another file is the same column; the same name twice in one file is two. ``ours``: the
    names that the file needs for its further columns. ``guard``: what is done to cells and names.
    """

    def __init__(
        self,
        files: Files,
        ours: Sequence[str] = RECIPIENT_COLUMNS,
        *,
        with_address: bool = False,
        guard: Guard = guarded,
    ) -> None:
        places: dict[tuple[str, int], int] = {}
        positions: list[dict[int, int]] = []
        for _, columns in files:
            seen: Counter[str] = Counter()
            here: dict[int, int] = {}
            address = list(columns).index("email") if "email" in columns and not with_address else -1
            for index, name in enumerate(columns):
                if index != address:
                    here[places.setdefault((name, seen[name]), len(places))] = index
                    seen[name] += 1
            positions.append(here)
        self.names: tuple[str, ...] = _names(guard([name for name, _ in places]), ours)
        self._guard = guard
        self._picks = [_pick([here.get(place, -1) for place in range(len(places))]) for here in positions]
        self._widths = [len(columns) for _, columns in files]

    def cells(self, file_no: int, fields: Sequence[str]) -> list[list[str]]:
        """Return the guarded cells under ``names`` for rows of one file, given as JSON arrays.

        A short row's missing cells are empty; a long row's surplus has no column and is left out.
        """
        if not self.names:
            return [[] for _ in fields]
        width = self._widths[file_no]
        pick, guard = self._picks[file_no], self._guard
        padding = [""] * (width + 1)
        # one cell more than the file has columns: what this file lacks is picked from there
        return [guard(pick([*(cells + padding)[:width], ""])) for cells in _decoded(fields)]

    def all_cells(self, columns: Any) -> list[list[str]]:
        """Return the same for rows of several files: a `RecipientRow` of which each field holds its whole column."""
        found: list[list[str]] = []
        for no, group in groupby(zip(columns.file_no, columns.fields, strict=True), key=itemgetter(0)):
            found += self.cells(no, [text for _, text in group])
        return found


def _pick(indices: list[int]) -> Pick:
    if not indices:
        return lambda _: ()
    if len(indices) == 1:  # itemgetter of one index gives no tuple
        (only,) = indices
        return lambda cells: (cells[only],)
    return itemgetter(*indices)


def _names(names: list[str], ours: Sequence[str]) -> tuple[str, ...]:
    """Return the names as the header shows them: none of ours, none twice."""
    taken = set(ours) | {name for name in names if name not in ours}
    given: set[str] = set()
    shown = []
    for name in names:
        plain = name not in ours
        candidate = name if plain else f"{OWN_NAME}{name}"
        stem, number = candidate, 1
        # a name that stands in the input as it is keeps it; only the later or renamed one gives way
        while candidate in given or (candidate in taken and not (plain and number == 1)):
            number += 1
            candidate = f"{stem}_{number}"
        given.add(candidate)
        shown.append(candidate)
    return tuple(shown)


def _decoded(fields: Sequence[str]) -> list[list[str]]:
    """Return the JSON arrays, parsed in one go; one that is none is an empty row."""
    try:
        rows = json.loads(f"[{','.join(fields)}]")
        if len(rows) == len(fields) and all([type(row) is list for row in rows]):  # noqa: C419 - a list is faster
            return rows  # type: ignore[no-any-return]
    except ValueError:
        pass
    return [_array(text) for text in fields]


def _array(text: str) -> list[str]:
    try:
        row = json.loads(text)
    except ValueError:
        return []
    return [str(cell) for cell in row] if isinstance(row, list) else []
