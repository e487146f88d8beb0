"""The SQL of the house, by name: every ``-- name: x`` block of ``sql/*.sql``, and the numbered migrations.

Files that begin with four digits are migrations: ``0001_tables.sql`` makes an empty file version 1, and so on; each
is one script, run inside of a transaction. All others hold named queries, one statement each. What PostgreSQL is asked
stands in ``sql/postgres/``, under the same names where it means the same.

A query may end in another one of its file: the line ``-- then: x`` stands for the statement called x. So an older spool
is asked with the statement of today, behind a WITH that stands in for what its tables lack (``x_before_y``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.resources import files

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)
_THEN = "-- then: "


def split_queries(text: str) -> dict[str, str]:
    """Return ``{name: statement}`` of one file's text, without comment lines.

    Raises ValueError on a name used twice, KeyError on a ``then`` of a query that does not stand above it.
    """
    queries: dict[str, str] = {}
    parts = _NAME.split(text)[1:]
    for name, body in zip(parts[::2], parts[1::2], strict=True):
        if name in queries:
            raise ValueError(f"two queries are called {name}")
        lines = (
            queries[line.removeprefix(_THEN)] if line.startswith(_THEN) else line
            for line in body.splitlines()
            if line.startswith(_THEN) or (line and not line.startswith("--"))
        )
        queries[name] = "\n".join(lines)
    return queries


def read_queries(folder: str) -> tuple[Mapping[str, str], tuple[tuple[int, str], ...]]:
    """Return the named queries and the migrations, by number, of one folder of this room."""
    named: dict[str, str] = {}
    numbered: list[tuple[int, str]] = []
    for file in files("bulkmail.spool").joinpath(folder).iterdir():
        if not file.name.endswith(".sql"):
            continue
        text = file.read_text(encoding="utf-8")
        if file.name[:4].isdigit():
            numbered.append((int(file.name[:4]), text))
            continue
        found = split_queries(text)
        if double := named.keys() & found.keys():
            raise ValueError(f"two queries are called {', '.join(sorted(double))}")
        named |= found
    return named, tuple(sorted(numbered))
