"""check.csv: one line for each finding and row, in the campaign's folder, for spreadsheets."""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from collections.abc import Iterable, Sequence

from bulkmail.files import Folder
from bulkmail.preflight.kinds import Kind
from bulkmail.report import CSV_MARK, csv_lines, guarded

CHECK_FILE = "check.csv"
CHECK_COLUMNS = ("row", "email", "severity", "code", "where", "message", "remedy")
MOST_LINES = 100_000
MOST_OF_A_KIND = 1_000

_ASIDE = ".check.csv.new"


class RowLines:
    """Writes check.csv aside, and puts it in its place at the end. ``folder``: None where no file is wanted.

    ``fault``: why it cannot be written; "" while it can.
    """

    def __init__(self, folder: Folder | None) -> None:
        self._folder = folder
        self._left = MOST_LINES
        self._of_a_kind: Counter[Kind] = Counter()
        self._descriptor = -1
        self.fault = ""
        if folder is not None:
            try:
                self._descriptor = folder.create(_ASIDE, 0o644)
            except OSError as error:
                self.fault = str(error.strerror)
        self._write(CSV_MARK + csv_lines([CHECK_COLUMNS]))

    @property
    def wanted(self) -> bool:
        """Whether further lines are written."""
        return self._descriptor >= 0 and self._left > 0

    def add(self, kind: Kind, rows: Sequence[tuple[int | str, str]]) -> None:
        """Write a line for each (row number, address); past the bounds none."""
        room = min(self._left, MOST_OF_A_KIND - self._of_a_kind[kind])
        if self._descriptor < 0 or room <= 0:
            return
        lines = [[str(number), email, *kind] for number, email in rows[:room]]
        self._of_a_kind[kind] += len(lines)
        self._left -= len(lines)
        self._write(csv_lines(_safe(lines)))

    def finish(self) -> None:
        """Put the file in its place."""
        if self._descriptor < 0 or self._folder is None:
            return
        self._close()
        try:
            self._folder.rename(_ASIDE, CHECK_FILE)
        except OSError as error:
            self.fault = str(error.strerror)

    def discard(self) -> None:
        """Remove what is not finished."""
        if self._descriptor >= 0 and self._folder is not None:
            self._close()
            with contextlib.suppress(OSError):
                self._folder.unlink(_ASIDE)

    def _write(self, data: bytes) -> None:
        if self._descriptor < 0:
            return
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(self._descriptor, view) :]
        except OSError as error:
            self.fault = str(error.strerror)
            self.discard()

    def _close(self) -> None:
        os.close(self._descriptor)
        self._descriptor = -1


def _safe(lines: Iterable[Sequence[str]]) -> list[list[str]]:
    """Return the lines without line ends in their cells, and without what a spreadsheet would run."""
    return [guarded([" ".join(cell.split()) for cell in line]) for line in lines]
