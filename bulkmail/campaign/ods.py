"""A sheet of an OpenDocument spreadsheet (OASIS ODF 1.3 part 3), read as a stream: the text that each cell shows."""

from __future__ import annotations

import zipfile

from bulkmail.campaign.sheet_xml import (
    LONGEST_TEXT,
    MAX_COLUMNS,
    MAX_ROWS,
    Sheet,
    choose,
    others,
    parse,
    parse_all,
    parser,
    too_long,
)

_PART = "content.xml"
_MARKUP = 8  # bytes of XML for one of CSV, about
_NOT_SHOWN = frozenset({"office:annotation", "text:ruby-text", "table:shapes", "draw:frame", "text:note"})
_CELLS = frozenset({"table:table-cell", "table:covered-table-cell"})
_VALUES = ("office:string-value", "office:date-value", "office:time-value", "office:boolean-value", "office:value")
_SPACES = {"text:tab": "\t", "text:line-break": "\n"}


def ods_sheet(archive: zipfile.ZipFile, wanted: str | None) -> tuple[Sheet, int, str]:
    """Return the rows of a sheet, about how many bytes of CSV they are, and `others`. Raises UnreadableError."""
    sheets = _sheets(archive)
    at = choose(sheets, wanted)
    return _rows(archive, at), archive.getinfo(_PART).file_size // _MARKUP, others(sheets, at)


def _sheets(archive: zipfile.ZipFile) -> list[tuple[str, bool]]:
    """Return the names of the sheets, and whether each is visible."""
    hidden: set[str] = set()
    sheets: list[tuple[str, str]] = []
    style = ""
    depth = 0

    def start(element: str, given: dict[str, str]) -> None:
        nonlocal style, depth
        if element == "style:style":
            style = given.get("style:name", "")
        elif element == "style:table-properties" and given.get("table:display") == "false":
            hidden.add(style)
        elif element == "table:table":
            depth += 1
            if depth == 1:
                sheets.append((given.get("table:name", ""), given.get("table:style-name", "")))

    def end(element: str) -> None:
        nonlocal depth
        depth -= element == "table:table"

    reading = parser()
    reading.StartElementHandler, reading.EndElementHandler = start, end
    parse_all(archive, _PART, reading)
    return [(name, style not in hidden) for name, style in sheets]


def _rows(archive: zipfile.ZipFile, wanted: int) -> Sheet:
    sheet = _Cells(wanted)
    reading = parser()
    reading.StartElementHandler, reading.EndElementHandler = sheet.start, sheet.end
    reading.CharacterDataHandler = sheet.text
    for _ in parse(archive, _PART, reading):
        done, sheet.done = sheet.done, []
        yield from done
        if sheet.over:
            return
    yield from sheet.done


class _Cells:
    """The cells of the sheet number ``wanted`` (from 0) as the XML goes by. ``over``: it has ended."""

    def __init__(self, wanted: int) -> None:
        self.done: list[list[str] | int] = []
        self.over = False
        self._ahead = wanted + 1  # sheets up to the end of the wanted one
        self._depth = 0  # of tables; a cell may hold one
        self._cells: list[str] = []
        self._paragraphs: list[str] = []
        self._text: list[str] | None = None
        self._value = ""  # where a program wrote no text beside it
        self._held = 0  # characters of the cell
        self._hidden = 0
        self._again = self._rows_again = 1
        self._blank = 0  # rows without cells that may be the end of the sheet
        self._empty = 0  # the same of cells
        self._count = 0

    def start(self, element: str, given: dict[str, str]) -> None:
        """Take the start of an element."""
        if element == "table:table":
            self._depth += 1
            self._ahead -= self._depth == 1
        elif self._ahead or self._depth != 1:
            return
        elif self._hidden or element in _NOT_SHOWN:
            self._hidden += 1
        elif element == "table:table-row":
            self._cells, self._empty = [], 0
            self._rows_again = _again(given, "table:number-rows-repeated")
        elif element in _CELLS:
            self._paragraphs, self._held = [], 0
            self._value = next((given[name] for name in _VALUES if name in given), "")
            self._again = _again(given, "table:number-columns-repeated")
            self._hidden += element != "table:table-cell"  # what a merged cell hides
        elif element == "text:p":
            self._text = []
        elif element == "text:s":
            self.text(" " * _again(given, "text:c"))
        elif element in _SPACES:
            self.text(_SPACES[element])

    def end(self, element: str) -> None:
        """Take the end of an element."""
        if element == "table:table":
            self._depth -= 1
            self.over = self.over or (not self._depth and not self._ahead)
        elif self._ahead or self.over or self._depth != 1:
            return
        elif self._hidden:
            self._hidden -= 1
            if element == "table:covered-table-cell" and not self._hidden:
                self._empty += self._again
        elif element == "text:p" and self._text is not None:
            self._paragraphs.append("".join(self._text))
            self._text = None
        elif element == "table:table-cell":
            self._cell("\n".join(self._paragraphs) if self._paragraphs else self._value)
        elif element == "table:table-row":
            self._row()

    def text(self, data: str) -> None:
        """Take characters."""
        if self._text is not None and not self._hidden:
            self._held += len(data)
            if self._held > LONGEST_TEXT:
                raise too_long()
            self._text.append(data)

    def _cell(self, text: str) -> None:
        if not text:
            self._empty += self._again
            return
        self._cells += [""] * min(self._empty, MAX_COLUMNS - len(self._cells))
        self._cells += [text] * min(self._again, MAX_COLUMNS - len(self._cells))
        self._empty = 0

    def _row(self) -> None:
        if not self._cells:
            self._blank += self._rows_again
            return
        if self._blank:
            self.done.append(min(self._blank, MAX_ROWS - self._count))
            self._count += self._blank
        self._blank = 0
        again = max(0, min(self._rows_again, MAX_ROWS - self._count))
        self.done += [self._cells] * again
        self._count += again


def _again(given: dict[str, str], key: str) -> int:
    """Return how often an element stands for itself."""
    text = given.get(key, "1")
    return min(int(text), MAX_ROWS) if text.isascii() and text.isdigit() and len(text) < 10 else 1
