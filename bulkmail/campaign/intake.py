"""The lists of one campaign while they are read: every row numbered, judged, and given once.

The order of the verdicts: a row that cannot be read is a ``bad-row``, one without a usable address ``invalid``; an
address on a suppress list is ``suppressed`` on each of its rows, and a row of which a column says that it may not be
mailed is ``no-consent``, one of a group that gets no message ``hold-out``; of the rest, what the filter has perhaps
seen before is ``held``, everything else ``ok`` at once. So no row is a duplicate of an invalid or suppressed one.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from os.path import basename
from typing import Any

from bulkmail.campaign.consent import Consent, ConsentRule
from bulkmail.campaign.duplicates import Duplicates, words_for
from bulkmail.campaign.encoding import encoding_of, refuse
from bulkmail.campaign.keys import digest_of, read_address
from bulkmail.campaign.lines import Lines
from bulkmail.campaign.names import plain_name
from bulkmail.campaign.ordering import Ordering
from bulkmail.campaign.picking import Picking, Rules
from bulkmail.campaign.places import UNREAD, Place, Progress, Stored, prove, read_before
from bulkmail.campaign.rows import Row, Rows
from bulkmail.campaign.suppression import load
from bulkmail.mail import AddressError, Problem, Refused, plain_problems

Answer = tuple[Any, ...]
Recipient = tuple[int, int, int, str, str, str, str, str]
LookUp = Callable[[Sequence[Recipient]], list[Recipient]]
"""Judges rows that are ``ok`` or ``held`` further, by what no list says; the others stay as they are."""

_AGAIN = 8000  # rows read again in one job
_SHOWN = 320  # characters of a bad address


class Intake:
    """The lists of one campaign, being read. Raises Refused and OwnFault; ``opened`` is the answer to ``open``.

    ``stored``: what was read before. ``in_order``: whether rows are sorted as ``pick`` has it; where any rows will do,
    that would take its time.
    """

    def __init__(
        self,
        files: Sequence[str],
        *,
        encoding: str | None = None,
        suppress: Sequence[str] = (),
        stored: Stored = UNREAD,
        scratch: str | None = None,
        elsewhere: str = "",
        consent: ConsentRule = "auto",
        pick: Mapping[str, Any] | None = None,
        in_order: bool = True,
        look_up: LookUp | None = None,
    ) -> None:
        self._look_up = look_up
        self._ended = array("Q")  # numbers of the rows that were held, and ended by what was looked up
        self._paths = list(files)
        self._stored = stored
        self._elsewhere = elsewhere
        self._before = read_before(self._paths, stored)
        self._rules = Rules(**(pick or {}))
        self._picking = Picking(self._rules) if self._rules.where or self._rules.sample < 1 else None
        self._sorts = bool(self._rules.order_by) and in_order
        self._ordering: Ordering | None = None
        self._sorted_by: list[int] = []  # the column of each file
        self._scratch = scratch
        self._mailed = 0  # rows that are mailed, unless they repeat one
        self._limited = False
        self._rule = consent
        self._consent: list[Consent] = []  # of each file
        self._told: list[tuple[str, int, int, str]] = list((stored.reading or {}).get("told", ()))
        self._notices: list[Problem] = []
        self._trailers: list[Problem] = []
        self._places: list[Place] = []
        self._names: list[tuple[str, ...]] = []
        self._same: list[tuple[int, int]] = []
        self._starts: list[Place] = []
        self._rows: Rows | None = None
        self._number = 0
        self._done = False
        self._settled = self._before.settled
        self._settling: Iterator[tuple[int, int] | None] | None = None
        self._duplicates: Duplicates | None = None
        self.opened = self._open(encoding, suppress)
        if not self._done:
            self._duplicates = Duplicates(self._before.words or words_for(self._expected), scratch)
            self._words = self._before.words or words_for(self._expected)

    def _open(self, encoding: str | None, suppress: Sequence[str]) -> Answer:
        problems: list[Problem] = []
        columns: list[list[str]] = []
        sizes: list[int] = []
        grown = len(self._paths) > len(self._before.places)
        self._expected = 0
        for index in range(len(self._paths)):
            try:
                grown = self._look(index, encoding, columns, sizes) or grown
            except Refused as refused:
                problems += refused.problems
        try:
            self._suppression, told = load(suppress, encoding)
        except Refused as refused:
            problems += refused.problems
        if problems:
            raise Refused(problems)
        before = self._before
        if grown and before.limited:
            grown = False
        if grown and before.places and self._rules.order_by:
            words = "has grown, and its rows were sorted by `order_by` before; give the new rows to another campaign"
            raise refuse(self._paths[len(before.places) - 1], words)
        if before.done and not grown and before.settled >= before.rows:
            self._places = list(before.places)
            self._number = before.rows
            self._done = True
            self._words = before.words
            self._limited = before.limited
            self._mailed = before.mailed
        return "opened", columns, plain_problems([*self._notices, *told]), sizes

    def _look(self, index: int, encoding: str | None, columns: list[list[str]], sizes: list[int]) -> bool:
        """Check that a file can be read, and was not changed; whether it has grown since it was read."""
        path, places = self._paths[index], self._before.places
        if index < len(places):
            known = places[index]
            start = Place(known.encoding, known.delimiter, cuts=known.cuts, address=known.address)
            grown = prove(self._paths, index, places, self._elsewhere)
        else:
            start = Place(encoding_of(path, encoding), "")
            grown = False
        lines = Lines(path, start.encoding)
        try:
            rows = Rows(lines, delimiter=start.delimiter or None, address=start.address)
            start.delimiter, start.address = rows.header.delimiter, rows.header.roles["address"]
            self._expected += rows.estimate()
            if self._picking is not None:
                self._picking.look(path, rows)
            if self._rules.order_by:
                self._sorted_by.append(_column(path, rows, self._rules.order_by.removeprefix("-")))
        finally:
            lines.close()
        self._starts.append(start)
        self._notices += rows.notices
        self._names.append(rows.header.names)
        self._same.append(lines.same_file)
        self._consent.append(rows.consent(self._rule))
        columns.append(rows.columns)
        sizes.append(lines.size)
        return grown

    def next(self, limit: int) -> Answer:
        """Return the answer to ``next``."""
        out: list[Recipient] = []
        again = self._to_read_again()
        work = min(again, max(limit, _AGAIN)) if again else limit
        while work > 0 and not self._done:
            work -= self._next_sorted(work, out) if self._sorts else self._next_of_file(work, out)
        if again:
            self._check_again()
            return "rows", [], self._stored.reading, False
        if self._look_up is not None and out:
            judged = self._look_up(out)
            self._ended.extend(
                after[0] for before, after in zip(out, judged, strict=True) if before[6] == "held" != after[6]
            )
            out = judged
        return "rows", out, self._state(), self._done

    def _to_read_again(self) -> int:
        """Return how many rows were read before, and not again yet: of the lists, or of those that were sorted."""
        if self._done:
            return 0
        if self._sorts or not self._before.places:
            return max(0, self._stored.rows - self._number)
        before, now = (sum(place.rows for place in places) for places in (self._before.places, self._places))
        return max(0, before - now)

    def _next_of_file(self, work: int, out: list[Recipient]) -> int:
        """Judge up to ``work`` further rows of the lists; return how many were read."""
        taken, rows = self._take(work)
        if rows is None:
            self._end()
            return 0
        place, file = self._places[-1], len(self._places) - 1
        numbers: Sequence[int] = range(place.rows + 1, place.rows + len(taken) + 1)
        picked = taken
        if self._picking is not None:
            picked, numbers = self._picking.pick(file, taken, rows, place.rows + 1)
        self._judge(picked, numbers, file, out)
        self._move(taken, rows)
        if self._limited:
            self._end()
        return len(taken)

    def _take(self, work: int) -> tuple[list[Row], Rows | None]:
        """Return up to ``work`` rows of the file at hand; no rows at its end, and no file behind the last."""
        rows = self._rows or self._begin()
        return (rows.take(work), rows) if rows is not None else ([], None)

    def _move(self, taken: Sequence[Row], rows: Rows) -> None:
        self._places[-1].move(rows, len(taken))
        if not taken:
            if rows.trailer is not None:
                self._trailers.append(rows.trailer)
            rows.lines.confirm()
            rows.lines.close()
            self._rows = None

    def _next_sorted(self, work: int, out: list[Recipient]) -> int:
        """Judge up to ``work`` further rows in the order of `order_by`; return how many there were."""
        if self._ordering is None:
            self._ordering = Ordering(self._scratch, descending=self._rules.order_by.startswith("-"))
            self._sort(self._ordering)
        placed = self._ordering.take(work)
        for file, group in groupby(placed, key=itemgetter(0)):
            of_file = list(group)
            self._judge([row for _, _, row in of_file], [number for _, number, _ in of_file], file, out)
        if self._limited or not placed:
            self._end()
        return len(placed)

    def _sort(self, ordering: Ordering) -> None:
        """Read all lists into ``ordering``."""
        while True:
            taken, rows = self._take(_AGAIN)
            if rows is None:
                return
            file, first = len(self._places) - 1, self._places[-1].rows + 1
            numbers: Sequence[int] = range(first, first + len(taken))
            picked, at = taken, self._sorted_by[file]
            if self._picking is not None:
                picked, numbers = self._picking.pick(file, taken, rows, first)
            for number, row in zip(numbers, picked, strict=True):
                ordering.add(file, number, row, row[1][at])
            self._move(taken, rows)

    def _end(self) -> None:
        """End the reading: all was read, or as much as `limit` allows."""
        if self._rows is not None:
            self._rows.lines.close()
            self._rows = None
        self._done = True
        self._told = plain_problems(self.notices())

    def notices(self) -> list[Problem]:
        """Return what the rows read say of who may not be mailed, and which lines at a list's end are left out."""
        of_consent = (notice for consent in self._consent for notice in consent.notices(whole=self._done))
        return [*of_consent, *self._trailers]

    def _begin(self) -> Rows | None:
        """Open the next file; None where there is none. Raises Refused."""
        index = len(self._places)
        if index == len(self._paths):
            return None
        start = self._starts[index]
        lines = Lines(self._paths[index], start.encoding, start.cuts)
        try:
            rows = self._rows = Rows(lines, delimiter=start.delimiter, address=start.address)
        except Refused:
            lines.close()
            raise
        if lines.same_file != self._same[index] or rows.header.names != self._names[index]:
            raise refuse(self._paths[index], "was replaced while the campaign was being read; start again")
        self._places.append(start)
        return rows

    def _check_again(self) -> None:
        """Raise Refused where reading again went another way than the first time."""
        if not self._done and self._to_read_again():
            return
        wrong = self._number != self._stored.rows
        if self._before.places and not (wrong or self._limited):
            place, stored = self._places[-1], self._before.places[len(self._places) - 1]
            # A last line without an end may have got one meanwhile; blank lines behind a row are not read again yet.
            wrong = place.rows != stored.rows or place.offset > stored.offset + 2 * stored.unended
        if wrong:
            path = self._paths[len(self._places) - 1]
            text = f"holds other rows than the {self._stored.rows:,} stored before; restore the lists as they were"
            raise refuse(path, text)

    def _judge(self, taken: Sequence[Row], numbers: Sequence[int], file: int, out: list[Recipient]) -> None:
        """Give each row its number and its verdict; ``out`` gets those that are not stored yet.

        ``numbers``: those of the rows in the file number ``file``.
        """
        at = self._starts[file].address
        assert at is not None
        limit = self._rules.limit
        assert self._duplicates is not None
        seen = self._duplicates.add
        why = self._suppression.why if len(self._suppression) else None
        held_out = self._rules.held_out()
        objections = self._consent[file].objections(taken)
        number, skip = self._number, self._stored.rows
        for index, (line, cells, encoded, wrong) in enumerate(taken):
            if number == skip:  # by the lists as they were; a suppress list may be another since
                self._mailed = self._before.mailed
            if limit and number >= skip and self._mailed >= limit:
                self._limited = True
                break
            number += 1
            email = cells[at]
            note, domain = wrong, ""
            if not wrong:
                try:
                    key, domain = read_address(email)
                except AddressError as error:
                    note = f"line {line}: {error}; correct the address"
            if note:
                verdict = "bad-row" if wrong else "invalid"
                email = email[:_SHOWN]
            else:
                digest = digest_of(key)
                if why is not None and (note := why(digest, domain)):
                    verdict = "suppressed"
                elif objections and (note := objections.get(index, "")):
                    verdict = "no-consent"
                elif held_out is not None and (group := held_out(key)):
                    verdict, note = "hold-out", f"in the group `{group}` of `variants`, which gets no message"
                else:
                    verdict = "held" if seen(digest, number) else "ok"
                    self._mailed += 1
            if number > skip:
                out.append((number, file, numbers[index], email, domain, encoded, verdict, note))
        self._number = number

    def settle(self, limit: int) -> Answer:
        """Return the answer to ``settle``."""
        if not self._done:
            raise LookupError("not all rows have been read yet")
        out: list[tuple[int, bool, str]] = []
        if self._duplicates is not None:
            if self._settling is None:
                self._settling = self._duplicates.settle(self._settled)
            for found in self._settling:
                if found is not None and not self._has_ended(found[0]):
                    number, earlier = found
                    note = f"the same address as {self._row(earlier)}" if earlier else ""
                    out.append((number, bool(earlier), note))
                if found is None or len(out) >= limit:
                    return "settled", out, False, self._state()
            self._duplicates.close()
            self._duplicates = None
        self._settled = self._number
        return "settled", out, True, self._state()

    def _has_ended(self, number: int) -> bool:
        at = bisect_left(self._ended, number)
        return at < len(self._ended) and self._ended[at] == number

    def close(self) -> None:
        """Release files and memory."""
        if self._rows is not None:
            self._rows.lines.close()
        if self._ordering is not None:
            self._ordering.close()
        if self._duplicates is not None:
            self._duplicates.close()

    def _row(self, number: int) -> str:
        """Return the words by which people find the row ``number``."""
        if self._rules.some:
            return "an earlier row"
        if len(self._paths) == 1:
            return f"row {number}"
        for path, place in zip(self._paths, self._places, strict=True):
            if number <= place.rows:
                return f"row {number} of {basename(path)}"
            number -= place.rows
        raise AssertionError("a row beyond the last")

    def _state(self) -> dict[str, Any]:
        progress = Progress(
            tuple(self._places), self._number, self._done, self._settled, self._words, self._limited, self._mailed
        )
        return {**progress.as_data(), "told": self._told}


def _column(path: str, rows: Rows, wanted: str) -> int:
    """Return where the column is by which rows are sorted. Raises Refused."""
    found = [at for at, name in enumerate(rows.header.names) if plain_name(name) == plain_name(wanted)]
    if not found:
        raise refuse(path, f"`order_by` names the column `{wanted}`, which this list has not", rows.header_line)
    return found[0]
