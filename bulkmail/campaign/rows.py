"""CSV rows, read so that nothing in the file can cost more than its own row.

What counts as good is RFC 4180 with any of four delimiters and LF or CR LF. Known traps, and what is done here:

- A stray quote opens a value that swallows rows until another quote happens to close it. A record that does not
  close within 50 lines, or grows over 32 KiB, or holds a line that would be a good row by itself, or breaks the
  rules of quoting, is taken back: its first line alone is the bad row, and reading goes on at the next line.
- A quote inside a bare value (``5" pipe``) is no delimiter and stays as it is.
- A row with fewer cells than the header has empty last cells (spreadsheets leave them out), as long as its address is
  there. Behind a record that was taken back such a row may be a piece of it: for 50 lines it is a bad row then, unless
  the list has had short rows before.
- Columns behind the last name of the header may be there without a name as long as they are empty.
- Lines behind the last row that are no rows (`bulkmail.campaign.trailer`) are left out of a list of recipients.
- Long rows, control characters, a bare CR outside quotes, bytes that cannot be decoded and values over
  131,072 characters make a bad row. Line ends inside quotes are data. Blank lines are no rows.

The quick way, for a window without quotes and anything odd, splits at the delimiter and is three times as fast.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Mapping

from bulkmail.campaign.consent import Consent, ConsentRule
from bulkmail.campaign.files import ListPath
from bulkmail.campaign.header import find_header
from bulkmail.campaign.lines import LONGEST_CELL, Lines
from bulkmail.campaign.names import ADDRESS_NAMES
from bulkmail.campaign.own_report import own_report
from bulkmail.campaign.trailer import MOST, left_out, trailer_at
from bulkmail.mail import OWN_NAME, AddressError, Problem, address_in

Row = tuple[int, list[str], str, str]
"""(physical line, cells, the cells as a JSON array, what is wrong or ``""``); a bad row's cells are made to fit."""

_RECIPIENTS: Mapping[str, frozenset[str]] = {"address": ADDRESS_NAMES}
_MOST_LINES = 50
_LONGEST_SPREAD = 32 * 1024  # the longest value that may go over several lines
_SHOWN = 512
_BETWEEN = '","'
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_UNCLOSED = "a quote opens here and is not closed; close it, or remove it"
_STRAY = "a quote is out of place; write it twice inside a quoted value, or remove it"
_BARE_CR = "there is a bare CR (an old Macintosh line end) in the row; save the file with LF or CR LF"
_TOO_LONG = f"a value is longer than {LONGEST_CELL:,} characters; shorten it, or close the quote before it"
_SENTENCES = {"unexpected end": _UNCLOSED, "field larger": _TOO_LONG, "new-line character": _BARE_CR}


class Rows:
    """The rows behind the header that ``lines`` stands at. ``take`` gives them in order.

    Of a list that is a report of ours (``own_report``) the encoded cells are the input's own; else they are all.
    """

    def __init__(
        self,
        lines: Lines,
        wanted: Mapping[str, frozenset[str]] = _RECIPIENTS,
        delimiter: str | None = None,
        address: str | int | None = None,
    ) -> None:
        self.lines = lines
        if address is None and isinstance(lines.path, ListPath):
            address = lines.path.email
        self.header_line, self.header = find_header(lines, wanted, delimiter, address)
        self._delimiter = self.header.delimiter
        self._width = len(self.header.names)
        self._address_at = self.header.roles.get("address", -1)
        self._widest = self._width + self.header.nameless
        self._roles = tuple(self.header.roles.values())
        self.own_report = own_report(self.header.names, self._address_at)
        is_table = self._width > 1 and self.header_line > 0  # of cards and objects the header was made
        self._may_trail = is_table and wanted is _RECIPIENTS and self.own_report is None
        self._endless = False  # so many lines that might be a trailer have gone by that they are rows
        self.trailer: Problem | None = None  # what is behind the last row, once that was taken
        self._has_short = False  # short rows have been taken
        self._taken_back = -_MOST_LINES  # the line of the last record that was taken back
        self._encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
        self._next_line = self._last_line = 0  # of the window: what the csv reader is fed
        self._reader = self._new_reader()

    def estimate(self) -> int:
        """Return about how many rows the file has, judged by those in the window."""
        return self.lines.size * len(self.lines.texts) // max(self.lines.held, 1)

    def take(self, limit: int) -> list[Row]:
        """Return up to ``limit`` rows; none at the end of the file. Raises Refused."""
        rows: list[Row] = []
        lines = self.lines
        while len(rows) < limit:
            if lines.at == len(lines.texts) and not lines.fill():
                break
            end = self._end_of_rows() if self._may_trail else len(lines.texts)
            if lines.at >= end:
                self._leave_out()
            elif lines.plain:
                self._take_plain(rows, min(end, lines.at + limit - len(rows)))
            elif lines.even:
                lines.even = self._take_evenly(rows, min(end, lines.at + limit - len(rows)))
            else:
                self._take_carefully(rows, limit, end)
        if lines.converted:
            rows = [self._with_breaks(row) if "\\r" in row[2] else row for row in rows]
        return rows if self.own_report is None else list(self.own_report.restored(rows))

    def _end_of_rows(self) -> int:
        """Return where in the window the rows end; more is read where it ends in lines that may be a trailer."""
        lines = self.lines
        while True:
            count = len(lines.texts)
            begin = max(lines.at, count - MOST - 1)
            end = trailer_at(lines.texts, begin, self.header, self._address_at, lines.bad.__contains__)
            self._endless = count - end > MOST or (self._endless and end == lines.at)
            if self._endless or end == count or (lines.final and not any(map(str.strip, lines.texts[end:]))):
                return count
            if lines.final:
                return end
            if not lines.fill() and not lines.final:  # as much is held as may be
                return count

    def _leave_out(self) -> None:
        """Consume the trailer, which the window is from here on."""
        lines = self.lines
        self.trailer = left_out(lines.path, lines.line, lines.texts[lines.at :], self.header)
        lines.advance(len(lines.texts) - lines.at - 1)
        lines.doubt()  # it is none where something is added behind it, and then it was one before
        lines.advance(1)

    def _with_breaks(self, row: Row) -> Row:
        """Return the row of a list that is no CSV with the line breaks within its cells (`bulkmail.campaign.cells`)."""
        number, cells, _, wrong = row
        cells = [cell.replace("\r", "\n") for cell in cells]
        return number, cells, self._encode(cells), wrong

    @property
    def notices(self) -> list[Problem]:
        """What people should know of the header."""
        return [Problem(self.lines.path, self.header_line, 0, self.header.note)] if self.header.note else []

    @property
    def columns(self) -> list[str]:
        """The names of the encoded cells; the address is ``email``."""
        if self.own_report is not None:
            return self.own_report.columns
        names = [f"{OWN_NAME}email" if name == "email" else name for name in self.header.names]
        names[self._address_at] = "email"
        return names

    def consent(self, rule: ConsentRule = "auto") -> Consent:
        """Return what says which rows may not be mailed, by a rule. Raises Refused where its column is missing."""
        names = self.header.names if self.own_report is None else self.own_report.names
        return Consent(self.lines.path, self.header_line, names, self.header.places, rule)

    def _take_plain(self, rows: list[Row], end: int) -> None:
        """Take rows from a window without quotes, up to ``end``: a line is split, and is its JSON but for signs."""
        lines, delimiter, width = self.lines, self._delimiter, self._width
        bare = not lines.needs_escape and (delimiter == "\t" or not lines.has_tab)
        texts = lines.texts[lines.at : end]
        for number, text in enumerate(texts, lines.line):
            cells = text.split(delimiter)
            if len(cells) == width and (width > 1 or text.strip()):
                encoded = f'["{text.replace(delimiter, _BETWEEN)}"]' if bare else self._encode(cells)
                rows.append((number, cells, encoded, ""))
            elif text.strip():
                rows.append(self._fitted(number, cells))
        lines.advance(len(texts))

    def _take_evenly(self, rows: list[Row], end: int) -> bool:
        """Take rows from a window with quotes, up to ``end``; False where not every line is one good record."""
        lines, width = self.lines, self._width
        texts = lines.texts[lines.at : end]
        try:
            records = list(csv.reader(texts, delimiter=self._delimiter, strict=True))
        except csv.Error:
            return False
        if len(records) != len(texts):
            return False
        quotes = -1 if lines.needs_escape else 2 * width - 2
        has_tab = lines.has_tab
        for number, (text, cells) in enumerate(zip(texts, records, strict=True), lines.line):
            if len(cells) == width and (width > 1 or text.strip()):
                joined = _BETWEEN.join(cells)
                bare = joined.count('"') == quotes and not (has_tab and "\t" in joined)
                encoded = f'["{joined}"]' if bare else self._encode(cells)
                rows.append((number, cells, encoded, ""))
            elif text.strip():
                rows.append(self._fitted(number, cells))
        lines.advance(len(texts))
        return True

    def _take_carefully(self, rows: list[Row], limit: int, end: int) -> None:
        lines = self.lines
        while len(rows) < limit and lines.at < end:
            number = lines.line
            at = lines.at
            text = lines.texts[at]
            if '"' in text and not lines.overlong:
                found = self._quoted(at)
                if found is None:
                    return
                cells, count, wrong = found
            else:
                text = text.rstrip("\r")
                if not text.strip() and at not in lines.bad:
                    lines.advance(1)
                    continue
                cells, count, wrong = text.split(self._delimiter), 1, ""
                if "\r" in text:
                    wrong = _BARE_CR
                elif len(text) > LONGEST_CELL and max(map(len, cells)) > LONGEST_CELL:
                    wrong = _TOO_LONG
            wrong = self._wrong_bytes(at, count) or wrong
            if not wrong and lines.has_controls:
                wrong = self._control(cells)
            lines.advance(count)
            rows.append(self._bad_row(number, cells, wrong) if wrong else self._fitted(number, cells))

    def _quoted(self, at: int) -> tuple[list[str], int, str] | None:
        """Return the record at ``texts[at]``: cells, lines, what is wrong; None where more must be read first."""
        lines = self.lines
        self._next_line, self._last_line = at, min(at + _MOST_LINES, len(lines.texts))
        try:
            cells = next(self._reader)
        except csv.Error as error:
            self._reader = self._new_reader()
            fed = self._next_line
            if fed == len(lines.texts) < at + _MOST_LINES and lines.fill():
                return None
            what = str(error)
            wrong = next((words for start, words in _SENTENCES.items() if what.startswith(start)), _STRAY)
            return self._first_line(at, wrong, doubtful=fed > at + 1 or wrong == _UNCLOSED)
        count = self._next_line - at
        spread = max(map(len, cells)) > _LONGEST_SPREAD if count > 1 else False
        if spread or (count > 1 and (self._address_spreads(cells) or self._swallows(at + 1, at + count))):
            return self._first_line(at, _UNCLOSED, doubtful=True)
        return cells, count, ""

    def _first_line(self, at: int, wrong: str, *, doubtful: bool) -> tuple[list[str], int, str]:
        """Take the record at ``texts[at]`` back; return what its first line seems to hold, for the report."""
        if doubtful:
            self.lines.doubt()
        self._taken_back = self.lines.line
        text = self.lines.texts[at].rstrip("\r").replace('"', "")
        return text.split(self._delimiter), 1, wrong

    def _swallows(self, first: int, last: int) -> bool:
        """Return whether a line inside a record would be a good row alone: then the quote before it was a stray one.

        The price: a value over several lines that holds exactly such a line is taken for a broken row. Without a
        column for the address nothing tells such a line, and every value over several lines is taken for broken.
        """
        if self._address_at < 0:
            return True
        for text in self.lines.texts[first:last]:
            if "@" not in text:
                continue
            try:
                cells = next(csv.reader([text], delimiter=self._delimiter))
                address_in(cells[self._address_at])
            except (csv.Error, IndexError, AddressError):
                continue
            if len(cells) < self._width:
                if self._has_short or text.count('"') % 2:
                    return True
            elif len(cells) <= self._widest:
                return True
        return False

    def _address_spreads(self, cells: list[str]) -> bool:
        """Return whether the address goes over several lines; none does, so the quote before it was a stray one."""
        return 0 <= self._address_at < len(cells) and "\n" in cells[self._address_at].strip()

    def _feed(self) -> Iterator[str]:
        while self._next_line < self._last_line:
            text = self.lines.texts[self._next_line]
            self._next_line += 1
            yield text + "\n"

    def _new_reader(self) -> Iterator[list[str]]:
        return csv.reader(self._feed(), delimiter=self._delimiter, strict=True)

    def _wrong_bytes(self, at: int, count: int) -> str:
        bad = self.lines.bad
        if bad:
            for index in range(at, at + count):
                if index in bad:
                    where = f" in line {self.lines.line + index - at}" if count > 1 else ""
                    return f"{bad[index][1]}{where}; correct it"
        return ""

    def _fitted(self, number: int, cells: list[str]) -> Row:
        """Return the row with as many cells as there are names, where that can be."""
        if len(cells) == self._width:
            return number, cells, self._encode(cells), ""
        wrong = self._ragged(number, cells)
        if wrong:
            return self._bad_row(number, cells, wrong)
        cells = [*cells[: self._width], *[""] * (self._width - len(cells))]
        return number, cells, self._encode(cells), ""

    def _ragged(self, number: int, cells: list[str]) -> str:
        """Return what is wrong with the number of cells."""
        count, width = len(cells), self._width
        many = f"the row has {count} cell{'s' if count > 1 else ''} and the header {self._widest}"
        if count < width:
            if not any(cell.strip() for cell in cells):
                return ""  # the address is empty, as in a row of full length
            if not any(at < count and cells[at].strip() for at in self._roles):
                return f"{many}, and none holds the address; correct or remove the row"
            if not self._has_short and 0 <= number - self._taken_back < _MOST_LINES:
                return f"{many}, and a record before it was broken, of which this may be a part; correct that one"
            self._has_short = True
        elif count > self._widest:
            return f"{many}; a value with the delimiter in it needs quotes"
        elif any(cell.strip() for cell in cells[width:]):
            at = next(at for at in range(width, count) if cells[at].strip())
            return f"there is a value in column {at + 1}, which has no name in the header; name it or remove the value"
        return ""

    def _control(self, cells: list[str]) -> str:
        for name, cell in zip(self.header.names, cells, strict=False):
            found = _CONTROL.search(cell)
            if found:
                return f"the value of `{name}` has the control character U+{ord(found[0]):04X}; remove it"
        return ""

    def _bad_row(self, number: int, cells: list[str], wrong: str) -> Row:
        fit = [_CONTROL.sub("\ufffd", cell[:_SHOWN]) for cell in cells[: self._width]]
        fit += [""] * (self._width - len(fit))
        return number, fit, self._encode(fit), f"line {number}: {wrong}"
