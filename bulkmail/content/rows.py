"""A row's cells as template variables: under the column's own name, under a tidy one, and all in ``row``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from bulkmail.mail import variable_name

OURS = frozenset({"email", "token", "row"})
"""Names that always mean ours; a column of that name is reached as ``row["token"]``."""


class Columns:
    """How the cells of one recipients file become variables; ``defaults`` stand in for empty and missing ones."""

    def __init__(self, columns: Sequence[str], defaults: Mapping[str, str]) -> None:
        self._columns = tuple(columns)
        tidied = [variable_name(column) for column in columns]
        taken = OURS.union(columns)
        times = Counter(tidied)
        self._tidy = [(name, at) for at, name in enumerate(tidied) if name and name not in taken and times[name] == 1]
        self._defaults = []
        for at, column in enumerate(columns):
            default = defaults.get(column, defaults.get(tidied[at], ""))
            if default:
                self._defaults.append((at, default))
        self._missing = {name: value for name, value in defaults.items() if name not in columns and name not in tidied}
        self._missing_tidy = {variable_name(name): value for name, value in self._missing.items()}
        self.in_row = frozenset(columns).union(self._missing)
        self.names = frozenset([*columns, *(name for name, _ in self._tidy), *self._missing, *self._missing_tidy])

    def variables(self, cells: Sequence[str]) -> dict[str, Any]:
        """Return a fresh mapping for one row: the values by name, and ``row``. A blank cell takes its default."""
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
