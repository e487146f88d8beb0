"""take-off.csv and try-again.csv: some rows of recipients.csv, the input's own columns first.

Whom to take off the list, and to whom the message may be sent again without a person getting it twice. A row is in one
of them once it has ended, and in none while it is still being tried.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bulkmail.mail import SELECTION_COLUMNS, Category, RecipientRow, can_be_tried_again, is_to_leave
from bulkmail.report.columns import InputColumns
from bulkmail.report.lines import MARK, lines
from bulkmail.report.rows import Files
from bulkmail.report.words import category_words, status_words

TAKE_OFF = "take-off.csv"
TRY_AGAIN = "try-again.csv"


def is_to_be_taken_off(row: RecipientRow) -> bool:
    """Return whether the address is to leave the list: it is permanently no good, or its owner wants no more."""
    return is_to_leave(row.status, row.category) or row.wants_no_more


def is_to_be_tried_again(row: RecipientRow) -> bool:
    """Return whether the message may be sent again without a person getting it twice, and its owner has not said no."""
    return can_be_tried_again(row.status, row.category) and not row.wants_no_more


class Selection:
    """One of the files: ``wanted(row)`` says which rows it takes, ``write`` takes its bytes."""

    def __init__(self, files: Files, wanted: Callable[[RecipientRow], bool], write: Callable[[bytes], object]) -> None:
        self._columns = InputColumns(files, SELECTION_COLUMNS, with_address=True)
        self._wanted = wanted
        self._write = write
        write(MARK + lines([(*self._columns.names, *SELECTION_COLUMNS)]))

    def add(self, rows: list[RecipientRow]) -> None:
        """Write those of the rows that it takes."""
        wanted = self._wanted
        taken = [row for row in rows if wanted(row)]
        if not taken:
            return
        columns: Any = RecipientRow._make(zip(*taken, strict=True))
        ours = [(row.status, row.category, _reason(row)) for row in taken]
        cells = self._columns.all_cells(columns)
        self._write(lines([[*own, *words] for own, words in zip(cells, ours, strict=True)]))


def _reason(row: RecipientRow) -> str:
    """Return why in a few words, as the page has them."""
    if row.wants_no_more:
        return category_words(Category.UNSUBSCRIBED if row.complained_at is None else Category.COMPLAINED).title
    return category_words(row.category).title if row.category else status_words(row.status).title
