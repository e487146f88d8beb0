"""What is counted of a campaign's rows and messages while they are looked at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bulkmail.campaign import LEFT_OUT
from bulkmail.preflight.addresses import near_domain
from bulkmail.preflight.kinds import Kind, Kinds, error, note, warning
from bulkmail.preflight.reading import Recipient
from bulkmail.preflight.row_lines import RowLines
from bulkmail.preflight.values import Majority, column_place, same_name

if TYPE_CHECKING:
    from bulkmail.preflight.inspector import Row  # with what composes

USABLE = frozenset({"ok", "held"})
"""The verdicts of rows that are mailed, unless they turn out to repeat an earlier one."""

_SHOWN = 10
_FEWEST = 10  # rows from which an equal subject says something


_WHERE = {"suppressed": "suppress", "no-consent": "consent", "hold-out": "variants"}
_WORDS = {
    "unsubscribed": "the recipient has unsubscribed",
    "complained": "the recipient has complained",
    "bounced-before": "an earlier message came back",
    "listed": "it is listed as not to be mailed",
}
"""What is said of those that the spool leaves out: the same of all, for each has a time of its own."""


class Counting:
    """``files``: the recipients files as campaign.yaml names them. ``lines``: where check.csv is written."""

    def __init__(self, files: Sequence[str], lines: RowLines) -> None:
        self._files = files
        self._lines = lines
        self.kinds = Kinds()
        self.rows = self.usable = self.suppressed = self.unusable = self.mistyped = 0
        self.unusable_rows: list[int] = []
        self.mistyped_as: dict[str, None] = {}
        self.repeated: set[int] = set()

    def add_rows(self, rows: Sequence[Recipient]) -> list[Recipient]:
        """Count rows as they were read; return those that are mailed."""
        usable = []
        self.rows += len(rows)
        for row in rows:
            number, _, _, email, domain, _, verdict, words = row
            if verdict in USABLE:
                usable.append(row)
                if near := near_domain(domain):
                    self.mistyped += 1
                    if len(self.mistyped_as) < _SHOWN:
                        self.mistyped_as[domain] = None
                    words = f"it looks mistyped: {near} is probably meant"
                    self.add(warning("mistyped-domain", domain, words, "correct the address"), [number], email)
            elif verdict in LEFT_OUT:
                self.suppressed += 1
                where = _WHERE.get(verdict, "suppressions")
                self.add(
                    note(verdict, where, _WORDS.get(verdict) or words or "it is on a suppress list"), [number], email
                )
            else:
                self._bad_row(row)
        self.usable += len(usable)
        return usable

    def _bad_row(self, row: Recipient) -> None:
        number, file_no, _, email, _, _, verdict, words = row
        self.unusable += 1
        line, colon, reason = words.partition(": ")
        if colon and line.startswith("line ") and line[5:].isdigit():
            words = reason
        if len(self.unusable_rows) < _SHOWN:
            self.unusable_rows.append(number)
        code = "bad-row" if verdict == "bad-row" else "invalid-address"
        self.add(warning(code, self._files[file_no], words, ""), [number], email)

    def add_repeated(self, number: int) -> None:
        """Count a row that repeats the address of an earlier one."""
        self.repeated.add(number)
        self.kinds.add(REPEATED, [number])

    def add(self, kind: Kind, rows: Sequence[int], email: str | Mapping[int, str] = "") -> None:
        """Count ``rows`` under a kind, and write their lines; ``email``: theirs, or by row."""
        self.kinds.add(kind, rows)
        if self._lines.wanted:
            self._lines.add(
                kind, [(number, email if isinstance(email, str) else email.get(number, "")) for number in rows]
            )


REPEATED = note("duplicate", "email", "the same address as in an earlier row, and mailed once")


class Messages:
    """What is counted of the composed messages."""

    def __init__(self, files: Sequence[str], columns: Sequence[Sequence[str]], *, subject_varies: bool) -> None:
        self._files = files if len(files) > 1 else [""]
        self._columns = columns
        self._subject_varies = subject_varies
        self._names: dict[tuple[int, int], Majority] = {}
        self._first: tuple[int, str] | None = None
        self._differ = False
        self.looked_at = self.composed = self.bytes = self.largest = self.largest_html = 0
        self.signed_by: tuple[str, ...] = ()

    def add(self, batch: Sequence[Row], found: Mapping[str, Any]) -> None:
        """Count what the inspector says of a batch."""
        self.looked_at += len(batch)
        if "composed" not in found:
            return
        self.composed += found["composed"]
        for key, counts in found["names"].items():
            self._names.setdefault(key, Majority()).add(counts)
        size, largest, _ = found["bytes"]
        self.bytes += size
        self.largest = max(self.largest, largest)
        self.largest_html = max(self.largest_html, found["html"][0])
        self.signed_by = self.signed_by or tuple(found["signed_by"])
        first, differ = found["subjects"]
        if first is not None:
            first = tuple(first)
            self._differ = self._differ or differ or (self._first is not None and first[1] != self._first[1])
            self._first = first if self._first is None else min(self._first, first)

    @property
    def subject(self) -> str:
        """Return that of the first row; "" where no message was composed."""
        return "" if self._first is None else self._first[1]

    def odd(self) -> Iterator[Kind]:
        """Yield what is odd about all of them together."""
        if self._subject_varies and not self._differ and self.composed >= _FEWEST:
            words = f"the subject is the same in all {self.composed:,} messages, though it prints a column"
            yield warning("same-subject", "subject", words, "see whether the column has values")
        for (file_no, at), majority in sorted(self._names.items()):
            value = majority.of(self.composed)
            if value is not None:
                yield same_name(column_place(self._files[file_no], self._columns[file_no][at]), value, self.composed)
        if self.looked_at and not self.composed:
            yield error("no-message", "message", "no row gives a message, so there is nothing to send")
