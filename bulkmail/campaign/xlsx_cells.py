"""The cells of a sheet of an XLSX workbook, as its XML goes by.

Rows as the usual programs write them are known by their letters, several hundred at once; of others the parser calls
for each element, which takes three times as long.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator
from xml.parsers.expat import XMLParserType

from bulkmail.campaign.cells import UnreadableError
from bulkmail.campaign.number_formats import Shown
from bulkmail.campaign.sheet_xml import LONGEST_TEXT, MAX_COLUMNS, MAX_ROWS, SAVE_AS, local, parser, too_long

_ROW = re.compile(r'<row(?: r="([0-9]+)")?(?: [A-Za-z:0-9]+="[^"<>&]*")*>')
_CELL = re.compile(
    r'<c(?: r="([A-Z]{1,3})[0-9]+")?(?: s="([0-9]+)")?(?: t="([A-Za-z]+)")?'
    r'(?: ?/>|>(?:<v>([^<&\r]*)</v>|<is><t(?: xml:space="preserve")?>([^<\r]*)</t></is>)?</c>)|(.)',
    re.DOTALL,
)
_REFERENCE = re.compile("&([a-z]+;)?")
_REFERENCES = {"amp;": "&", "lt;": "<", "gt;": ">", "quot;": '"', "apos;": "'"}
_ESCAPED = re.compile("_x([0-9A-Fa-f]{4})_")
_LAST = "XFD"  # of the columns
_MOST_STRINGS = 512 << 20  # bytes of the texts that the cells share
_NO_VALUE = (
    "the formula in cell {} has no stored value, as in files that a program has made; open the workbook in a "
    "spreadsheet and save it once"
)


class Strings:
    """The texts that cells share, close together in memory."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._ends = array("Q", [0])

    def add(self, text: str) -> None:
        """Add the next text. Raises UnreadableError where they are too many."""
        self._bytes += text.encode("utf-8", "surrogatepass")
        self._ends.append(len(self._bytes))
        if len(self._bytes) > _MOST_STRINGS:
            raise UnreadableError("has more than 512 MB of texts; save it as .csv")

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, index: int) -> str:
        if not 0 <= index < len(self._ends) - 1:
            raise IndexError
        return self._bytes[self._ends[index] : self._ends[index + 1]].decode("utf-8", "surrogatepass")


def without_references(text: str) -> str | None:
    """Return a text of XML with the five references that every program writes replaced; None where it has others."""
    if "&" not in text:
        return text
    try:
        return _REFERENCE.sub(lambda one: _REFERENCES[one[1]], text)
    except KeyError:
        return None


def unescaped(text: str) -> str:
    """Return a text without the way in which XLSX writes what XML cannot hold (``_x000D_``; 22.9.2.19)."""
    if "_x" not in text:
        return text
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)


def whole(text: str | None) -> int:
    """Return the number that a text is; 0 for none."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 10 else 0


def column_letters(column: int) -> str:
    """Return the letters of a column, counted from 1: ``AB`` for 28."""
    letters = ""
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


class Cells:
    """The cells of a sheet as its XML goes by."""

    def __init__(self, formats: list[Shown], strings: Strings) -> None:
        self._formats = formats
        self._strings = strings
        self._done: list[list[str] | int | str] = []
        self._row = 0  # the number of the last row that began
        self._columns: dict[str, int] = {}
        self._same: dict[tuple[int, str], str] = {}
        self._known: dict[tuple[str, str], str] = {}  # the same, as the XML has them

    def taken(self) -> Iterator[list[str] | int | str]:
        """Return the rows that were read since."""
        done, self._done = self._done, []
        return iter(done)

    def take(self, text: str) -> bool:
        """Take whole rows as the usual programs write them; False, and nothing is taken, where one is otherwise."""
        done: list[list[str] | int | str] = []
        at, columns, strings, shown, same = self._row, self._columns, self._strings, self._shown, self._known
        for element in text.split("</row>")[:-1]:
            begins = _ROW.match(element)
            if begins is None:
                return False
            row = int(begins[1]) if begins[1] else at + 1
            if not at < row <= MAX_ROWS:
                return False
            if row > at + 1:
                done.append(row - at - 1)
            at, column, cells = row, 0, list[str]()
            for letters, style, kind, value, inline, odd in _CELL.findall(element, begins.end()):
                if odd or (inline and kind != "inlineStr") or (len(letters) == 3 and letters > _LAST):
                    return False
                column = (columns.get(letters) or self._column(letters)) if letters else column + 1
                if column > MAX_COLUMNS:
                    return False
                if not value and not inline:
                    continue
                if column > len(cells) + 1:
                    cells += [""] * (column - 1 - len(cells))
                if kind == "s":
                    if not value.isdigit() or int(value) >= len(strings):
                        return False
                    cells.append(strings[int(value)])
                elif inline:
                    words = without_references(inline)
                    if words is None:
                        return False
                    cells.append(unescaped(words))
                elif kind and kind != "n":
                    cells.append(shown(kind, int(style or 0), value))
                elif (known := same.get((style, value))) is not None:
                    cells.append(known)
                else:
                    cells.append(known := shown("n", int(style or 0), value))
                    if len(same) < MAX_COLUMNS:
                        same[style, value] = known
                if column != len(cells):
                    return False
            done.append(cells)
        self._row = at
        self._done += done
        return True

    def reading(self) -> XMLParserType:
        """Return the parser whose handlers fill this."""
        cells: list[str] = []
        value: list[str] = []
        kind, style, column, aloud, held = "n", 0, 0, 0, 0
        keep = formula = False  # the text that goes by belongs to the cell; it is one of a formula
        lacks = ""  # where the first formula of the row is that has no value

        def start(element: str, given: dict[str, str]) -> None:
            nonlocal kind, style, column, keep, aloud, held, formula, lacks
            name = element if ":" not in element else local(element)
            if name == "c":
                place = given.get("r")
                column = self._column(place) if place else column + 1
                if column > MAX_COLUMNS:
                    raise UnreadableError(f"is a broken workbook: row {self._row} has too many cells; {SAVE_AS}")
                kind, style = given.get("t", "n"), whole(given.get("s"))
                value.clear()
                held, formula = 0, False
            elif name == "f":
                formula = True
            elif name == "v" or (name == "t" and not aloud):
                keep, formula = True, False  # an empty one is a value too
            elif name == "row":
                self._begin(given.get("r"))
                cells.clear()
                column, lacks = 0, ""
            elif name == "rPh":
                aloud += 1

        def end(element: str) -> None:
            nonlocal keep, aloud, lacks
            name = element if ":" not in element else local(element)
            keep = False
            if name == "c":
                if formula and not lacks:
                    lacks = f"{column_letters(column)}{self._row}"
                if value:
                    cells.extend([""] * (column - len(cells)))
                    cells[column - 1] = self._shown(kind, style, "".join(value))
            elif name == "row":
                self._done.append(_NO_VALUE.format(lacks) if lacks else list(cells))
            elif name == "rPh":
                aloud -= 1

        def text(data: str) -> None:
            nonlocal held
            if keep:
                held += len(data)
                if held > LONGEST_TEXT:
                    raise too_long()
                value.append(data)

        made = parser()
        made.StartElementHandler = start
        made.EndElementHandler = end
        made.CharacterDataHandler = text
        return made

    def _begin(self, number: str | None) -> None:
        row = whole(number) or self._row + 1
        if row > MAX_ROWS or row <= self._row:
            raise UnreadableError(f"is a broken workbook: row {row} comes behind row {self._row}; {SAVE_AS}")
        if row > self._row + 1:
            self._done.append(row - self._row - 1)
        self._row = row

    def _column(self, place: str) -> int:
        """Return the column, from 1, of a place such as ``AB12``."""
        letters = place.rstrip("0123456789")
        column = self._columns.get(letters)
        if column is None:
            column = 0
            for letter in letters.upper():
                column = column * 26 + ord(letter) - 64
            if not 1 <= column <= MAX_COLUMNS:
                raise UnreadableError(f"is a broken workbook: {place[:20]!r} is no place of a cell; {SAVE_AS}")
            self._columns[letters] = column
        return column

    def _shown(self, kind: str, style: int, text: str) -> str:
        """Return what people see in a cell."""
        if kind == "s":
            try:
                return self._strings[int(text)]
            except (ValueError, IndexError):
                raise UnreadableError(f"is a broken workbook: it has no text {text[:20]!r}; {SAVE_AS}") from None
        if kind in ("inlineStr", "str"):
            return unescaped(text)
        if kind == "b":
            return "TRUE" if text.strip() in ("1", "true") else "FALSE"
        if kind == "d":
            return text.removesuffix("T00:00:00").removesuffix("T00:00:00.000").replace("T", " ")
        if kind == "e":
            return text
        text = text.strip()
        if not style and text.isascii() and text.isdigit() and len(text) <= 15:  # as General shows it
            return text if text[0] != "0" else text.lstrip("0") or "0"
        known = self._same.get((style, text))
        if known is None:
            shown = self._formats[style] if style < len(self._formats) else self._formats[0]
            known = shown(text)
            if len(self._same) < MAX_COLUMNS:
                self._same[style, text] = known
        return known
