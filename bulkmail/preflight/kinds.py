"""What is found of single rows, as plain data between the processes: a kind of finding, and the rows it is true of."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from bulkmail.preflight.findings import Finding, Severity

Kind = tuple[str, str, str, str, str]
"""Severity, code, where, message, remedy: as in `Finding`, and what marshal carries."""

SHOWN = 10
"""Row numbers that a finding names."""

_OF_THE_LETTER = frozenset({"html", "text", "subject", "unsubscribe", "message", "dkim"})
_KINDS = 400  # different ones that are told apart
_OF_ONE_CODE = 40
_VALUE = re.compile(r"'[^']*'|\"[^\"]*\"")  # what differs between rows in messages of one kind


def error(code: str, where: str, message: str, remedy: str = "") -> Kind:
    """Make a kind that blocks a start."""
    return Severity.ERROR.value, code, where, message, remedy


def warning(code: str, where: str, message: str, remedy: str = "") -> Kind:
    """Make a kind that is shown and does not block."""
    return Severity.WARNING.value, code, where, message, remedy


def note(code: str, where: str, message: str, remedy: str = "") -> Kind:
    """Make a kind that is only told."""
    return Severity.NOTE.value, code, where, message, remedy


class Kinds:
    """Counts rows by kind in bounded memory. Kinds that differ only in what stands in quotes are one."""

    def __init__(self) -> None:
        self._kinds: dict[Kind, Kind] = {}  # without their quoted values -> the first that was met
        self._rows: dict[Kind, list[int]] = {}
        self._counts: Counter[Kind] = Counter()
        self._codes: Counter[str] = Counter()

    def add(self, kind: Kind, rows: Sequence[int]) -> Kind:
        """Count ``rows``, in which ``kind`` was met; return the kind that they are counted under."""
        severity, code, where, message, remedy = kind
        bare = severity, code, where, _VALUE.sub("", message), remedy
        known = self._kinds.get(bare)
        if known is None:
            if len(self._kinds) >= _KINDS or self._codes[code] >= _OF_ONE_CODE:
                bare = severity, code, "", "and more of the same kind", ""
                kind = bare
            known = self._kinds.setdefault(bare, kind)
            if known is kind:
                self._codes[code] += 1
                self._rows[known] = []
        self._counts[known] += len(rows)
        shown = self._rows[known]
        if len(shown) < SHOWN or (rows and min(rows) < shown[-1]):
            self._rows[known] = sorted({*shown, *rows})[:SHOWN]
        return known

    def findings(self, everywhere: int, repeated: int) -> Iterable[Finding]:
        """Return what was found, as it was met.

        What is true of the letter in all ``everywhere`` rows names no row, and counts those that are mailed: of the
        rows ``repeated`` have the address of an earlier one.
        """
        for kind in self._kinds.values():
            severity, code, where, message, remedy = kind
            rows, count = tuple(self._rows[kind]), self._counts[kind]
            if everywhere > 1 and count == everywhere and where in _OF_THE_LETTER:
                rows, count = (), count - repeated
            yield Finding(Severity(severity), code, where, message, remedy, rows, count)
