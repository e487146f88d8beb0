"""Rows in another order than their lists have: sorted on disk, so that memory stays bounded.

Numbers come before texts, in their own order; texts go by their letters without case, so dates must be written
2026-01-31 (and 31.01.2026 is taken for that). Rows without a value come last in both directions. Rows with the same
value keep the order of the lists.
"""

from __future__ import annotations

import heapq
import json
import re
import tempfile
from collections.abc import Iterator
from itertools import islice
from math import isfinite
from operator import itemgetter
from typing import IO, Any

from bulkmail.campaign.rows import Row
from bulkmail.mail import OwnFault

Placed = tuple[int, int, Row]
"""The file, the number of the row in it, the row."""

_TOGETHER = 20_000  # rows sorted in memory
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_DAY_FIRST = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})\b(.*)", re.ASCII | re.DOTALL)
_key = itemgetter(0)


def sort_key(value: str, *, descending: bool) -> list[Any]:
    """Return what a row with this value is sorted by, ascending, as JSON keeps it."""
    value = value.strip()
    if not value:
        return [2]
    if _NUMBER.fullmatch(value) and isfinite(number := float(value)):
        return [1 if descending else 0, -number if descending else number]
    found = _DAY_FIRST.fullmatch(value)
    if found:
        value = f"{found[3]}-{found[2]:0>2}-{found[1]:0>2}{found[4]}"
    folded = value.casefold()
    return [0, [-ord(letter) for letter in folded] + [1]] if descending else [1, folded]


class Ordering:
    """Takes rows, and gives them in order. ``scratch``: a folder for files without a name, or None. Raises OwnFault."""

    def __init__(self, scratch: str | None, *, descending: bool) -> None:
        self._scratch = scratch
        self._descending = descending
        self._held: list[tuple[list[Any], Placed]] = []
        self._runs: list[IO[str]] = []
        self._ordered: Iterator[Placed] | None = None

    def add(self, file: int, number: int, row: Row, value: str) -> None:
        """Take a row; ``value``: what it is sorted by."""
        self._held.append((sort_key(value, descending=self._descending), (file, number, row)))
        if len(self._held) >= _TOGETHER:
            self._put_aside()

    def take(self, limit: int) -> list[Placed]:
        """Return the next rows; none at the end. Nothing can be added any more."""
        if self._ordered is None:
            self._held.sort(key=_key)
            runs = [_read(run) for run in self._runs]
            self._ordered = (placed for _, placed in heapq.merge(*runs, self._held, key=_key))
        try:
            return list(islice(self._ordered, limit))
        except OSError as error:
            raise OwnFault(f"the scratch file for sorting cannot be read: {error}") from None

    def close(self) -> None:
        """Release the memory and the files."""
        for run in self._runs:
            run.close()
        self._held, self._runs = [], []

    def _put_aside(self) -> None:
        self._held.sort(key=_key)
        try:
            run = tempfile.TemporaryFile("w+", dir=self._scratch, encoding="utf-8", errors="surrogatepass")  # noqa: SIM115
            run.writelines(json.dumps(one, ensure_ascii=False) + "\n" for one in self._held)
            run.seek(0)
        except OSError as error:
            raise OwnFault(f"the scratch file for sorting cannot be written: {error}") from None
        self._runs.append(run)
        self._held = []


def _read(run: IO[str]) -> Iterator[tuple[list[Any], Placed]]:
    for line in run:
        key, (file, number, (at, cells, encoded, wrong)) = json.loads(line)
        yield key, (file, number, (at, cells, encoded, wrong))
