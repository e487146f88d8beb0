"""Names of a list's columns, as templates and keys of campaign.yaml write them."""

from __future__ import annotations

import re
from collections.abc import Sequence

_GAPS = re.compile(r"\W+")


def variable_name(column: str) -> str:
    """Return the column's name as a template variable: ``First Name`` becomes ``first_name``, ``2nd`` ``_2nd``."""
    name = _GAPS.sub("_", column.strip().lower()).strip("_")
    return name if name.isidentifier() or not name else f"_{name}"


def column_at(wanted: str, columns: Sequence[str]) -> int | None:
    """Return where a list has the column, by its own name or by its variable's; None where it has none of them."""
    if wanted in columns:
        return columns.index(wanted)
    tidied = [variable_name(name) for name in columns]
    sought = variable_name(wanted)
    return tidied.index(sought) if sought and sought in tidied else None
