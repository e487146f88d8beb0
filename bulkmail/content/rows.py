"""A row's cells as template variables: under the column's own name, under a tidy one, and all in ``row``."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

OURS = frozenset({"email", "token", "row"})
"""Names that always mean ours; a column of that name is reached as ``row["token"]``."""

_GAPS = re.compile(r"\W+")


def tidy(column: str) -> str:
    """The column's name as a template variable: ``First Name`` becomes ``first_name``, ``2nd`` ``_2nd``."""
    name = _GAPS.sub("_", column.strip().lower()).strip("_")
    return name if name.isidentifier() or not name else f"_{name}"


class Columns:
    """How the cells of one recipients file become variables; ``defaults`` stand in for empty and missing ones."""

    def __init__(self, columns: Sequence[str], defaults: Mapping[str, str]) -> None:
        self._columns = tuple(columns)
        tidied = [tidy(column) for column in columns]
        taken = OURS.union(columns)
        times = Counter(tidied)
        self._tidy = [(name, at) for at, name in enumerate(tidied) if name and name not in taken and times[name] == 1]
        self._defaults = []
        for at, column in enumerate(columns):
            default = defaults.get(column, defaults.get(tidied[at], ""))
            if default:
                self._defaults.append((at, default))
        self._missing = {name: value for name, value in defaults.items() if name not in columns and name not in tidied}
        self._missing_tidy = {tidy(name): value for name, value in self._missing.items()}
        self.in_row = frozenset(columns).union(self._missing)
        self.names = frozenset([*columns, *(name for name, _ in self._tidy), *self._missing, *self._missing_tidy])

    def variables(self, cells: Sequence[str]) -> dict[str, Any]:
        """A fresh mapping for one row: the values by name, and ``row``. A blank cell takes its default."""
        values = [*cells, *[""] * (len(self._columns) - len(cells))]
        for at, default in self._defaults:
            if not values[at].strip():
                values[at] = default
        row: dict[str, Any] = dict(zip(self._columns, values, strict=False))
        row.update(self._missing)
        variables = {**self._missing_tidy, **row, "row": row}
        for name, at in self._tidy:
            variables[name] = values[at]
        return variables
