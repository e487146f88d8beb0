"""Rows of a campaign as a list for another one: the input's own columns and cells as they were, nothing of ours."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from bulkmail.mail import RecipientRow
from bulkmail.report.columns import InputColumns
from bulkmail.report.lines import MARK, lines
from bulkmail.report.rows import Files

Write = Callable[[bytes], object]


def write_list(write: Write, files: Files, batches: Iterable[list[RecipientRow]]) -> int:
    """Write the rows with the input's own columns; return how many there were. ``write`` takes the bytes."""
    columns = InputColumns(files, (), with_address=True, guard=list)
    write(MARK + lines([columns.names]))
    count = 0
    for rows in batches:
        if rows:
            fields: Any = RecipientRow._make(zip(*rows, strict=True))
            write(lines(columns.all_cells(fields)))
            count += len(rows)
    return count


def write_addresses(write: Write, batches: Iterable[list[RecipientRow]]) -> None:
    """Write the rows as a suppress list: their numbers, so that no line begins like a comment, and their addresses."""
    write(MARK + lines([("row", "email")]))
    for rows in batches:
        write(lines([(str(row.n), row.email) for row in rows]))
