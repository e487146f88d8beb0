"""A sheet of an XLSX workbook (ECMA-376, ISO/IEC 29500), read as a stream."""

from __future__ import annotations

import posixpath
import re
import zipfile
from array import array
from collections.abc import Callable, Iterator
from xml.parsers.expat import XMLParserType

from bulkmail.campaign.cells import UnreadableError
from bulkmail.campaign.number_formats import Shown, shown_by
from bulkmail.campaign.sheet_xml import (
    LONGEST_TEXT,
    MAX_COLUMNS,
    MAX_ROWS,
    SAVE_AS,
    Sheet,
    choose,
    local,
    others,
    parse,
    parse_all,
    parser,
    too_long,
)

_ESCAPED = re.compile("_x([0-9A-Fa-f]{4})_")
_MOST_STRINGS = 512 << 20  # bytes of the texts that the cells share
_MARKUP = 5  # bytes of XML for one of CSV, about


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

    def __getitem__(self, index: int) -> str:
        if not 0 <= index < len(self._ends) - 1:
            raise IndexError
        return self._bytes[self._ends[index] : self._ends[index + 1]].decode("utf-8", "surrogatepass")


_NO_VALUE = (
    "the formula in cell {} has no stored value, as in files that a program has made; open the workbook in a "
    "spreadsheet and save it once"
)


def xlsx_sheet(archive: zipfile.ZipFile, wanted: str | None) -> tuple[Sheet, int, str]:
    """The rows of a sheet, about how many bytes of CSV they are, and `others`. Raises UnreadableError."""
    book = _relations(archive, "").get("officeDocument", {}) or {"": "xl/workbook.xml"}
    path = next(iter(book.values()))
    if not path.endswith(".xml"):
        raise UnreadableError(f"is a workbook of another kind ({path}); {SAVE_AS}")
    sheets, from_1904 = _sheets(archive, path)
    parts = _relations(archive, path)
    named = [(name, visible) for name, visible, _ in sheets]
    at = choose(named, wanted)
    name, reference = sheets[at][::2]
    part = parts.get("worksheet", {}).get(reference)
    if part is None or part not in archive.NameToInfo:
        raise UnreadableError(f"has no cells in its sheet {name!r} (a chart?); name another as `sheet`")
    style = next(iter(parts.get("styles", {}).values()), "")
    texts = next(iter(parts.get("sharedStrings", {}).values()), "")
    rows = _rows(archive, part, style, texts, from_1904=from_1904)
    return rows, archive.getinfo(part).file_size // _MARKUP, others(named, at)


def _relations(archive: zipfile.ZipFile, part: str) -> dict[str, dict[str, str]]:
    """The parts that a part leads to: by kind, and there by id; ``""`` is the package itself."""
    folder, name = posixpath.split(part)
    relations = posixpath.join(folder, "_rels", f"{name}.rels")
    found: dict[str, dict[str, str]] = {}

    def start(element: str, given: dict[str, str]) -> None:
        if local(element) == "Relationship" and given.get("TargetMode") != "External":
            target = given.get("Target", "")
            path = target.lstrip("/") if target.startswith("/") else posixpath.normpath(posixpath.join(folder, target))
            found.setdefault(given.get("Type", "").rpartition("/")[2], {})[given.get("Id", "")] = path

    if relations in archive.NameToInfo:
        reading = parser()
        reading.StartElementHandler = start
        parse_all(archive, relations, reading)
    return found


def _sheets(archive: zipfile.ZipFile, path: str) -> tuple[list[tuple[str, bool, str]], bool]:
    """Name, visibility and relation of each sheet; whether days count from 1904."""
    sheets: list[tuple[str, bool, str]] = []
    from_1904 = False

    def start(element: str, given: dict[str, str]) -> None:
        nonlocal from_1904
        name = local(element)
        if name == "sheet":
            reference = next((value for key, value in given.items() if key.endswith(":id")), "")
            sheets.append((given.get("name", ""), given.get("state", "visible") == "visible", reference))
        elif name == "workbookPr":
            from_1904 = given.get("date1904", "0") in ("1", "true")

    reading = parser()
    reading.StartElementHandler = start
    parse_all(archive, path, reading)
    return sheets, from_1904


def _formats(archive: zipfile.ZipFile, part: str, *, from_1904: bool) -> list[Shown]:
    """How each style of a cell shows a number."""
    codes: dict[int, str] = {}
    numbers: list[int] = []
    inside = False

    def start(element: str, given: dict[str, str]) -> None:
        nonlocal inside
        name = local(element)
        if name == "numFmt":
            codes[_whole(given.get("numFmtId"))] = given.get("formatCode", "")
        elif name == "cellXfs":
            inside = True
        elif name == "xf" and inside:
            numbers.append(_whole(given.get("numFmtId")))

    def end(element: str) -> None:
        nonlocal inside
        if local(element) == "cellXfs":
            inside = False

    if part in archive.NameToInfo:
        reading = parser()
        reading.StartElementHandler, reading.EndElementHandler = start, end
        parse_all(archive, part, reading)
    made: dict[int, Shown] = {}
    return [made.setdefault(number, shown_by(number, codes, from_1904=from_1904)) for number in numbers or [0]]


def _whole(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 10 else 0


def _strings(archive: zipfile.ZipFile, part: str) -> Strings:
    """The texts that cells share; rich text as its letters, without how it is read aloud."""
    strings = Strings()
    if part not in archive.NameToInfo:
        return strings
    reading = parser()
    _texts(reading, "si", strings.add)
    parse_all(archive, part, reading)
    return strings


def _texts(reading: XMLParserType, item: str, add: Callable[[str], None]) -> None:
    """Have ``add`` called with the text of each element ``item``."""
    pieces: list[str] = []
    aloud = held = 0
    in_text = False

    def start(element: str, _: dict[str, str]) -> None:
        nonlocal aloud, held, in_text
        name = local(element)
        if name == item:
            pieces.clear()
            held = 0
        elif name == "rPh":
            aloud += 1
        in_text = name == "t" and not aloud

    def end(element: str) -> None:
        nonlocal aloud, in_text
        name = local(element)
        in_text = False
        if name == "rPh":
            aloud -= 1
        elif name == item:
            add(unescaped("".join(pieces)))

    def text(data: str) -> None:
        nonlocal held
        if in_text:
            held += len(data)
            if held > LONGEST_TEXT:
                raise too_long()
            pieces.append(data)

    reading.StartElementHandler, reading.EndElementHandler, reading.CharacterDataHandler = start, end, text


def unescaped(text: str) -> str:
    """A text without the way in which XLSX writes what XML cannot hold (``_x000D_``; 22.9.2.19)."""
    if "_x" not in text:
        return text
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)


def _rows(archive: zipfile.ZipFile, part: str, style: str, texts: str, *, from_1904: bool) -> Sheet:
    """The rows, one after the other; what is needed for all of them is read first."""
    sheet = _Cells(_formats(archive, style, from_1904=from_1904), _strings(archive, texts))
    for _ in parse(archive, part, sheet.reading()):
        yield from sheet.taken()
    yield from sheet.taken()


def column_letters(column: int) -> str:
    """The letters of a column, counted from 1: ``AB`` for 28."""
    letters = ""
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


class _Cells:
    """The cells of a sheet as its XML goes by."""

    def __init__(self, formats: list[Shown], strings: Strings) -> None:
        self._formats = formats
        self._strings = strings
        self._done: list[list[str] | int | str] = []
        self._row = 0  # the number of the last row that began
        self._columns: dict[str, int] = {}
        self._same: dict[tuple[int, str], str] = {}

    def taken(self) -> Iterator[list[str] | int | str]:
        """The rows that were read since."""
        done, self._done = self._done, []
        return iter(done)

    def reading(self) -> XMLParserType:
        """The parser whose handlers fill this."""
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
                kind, style = given.get("t", "n"), _whole(given.get("s"))
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
        made.StartElementHandler, made.EndElementHandler, made.CharacterDataHandler = start, end, text
        return made

    def _begin(self, number: str | None) -> None:
        row = _whole(number) or self._row + 1
        if row > MAX_ROWS or row <= self._row:
            raise UnreadableError(f"is a broken workbook: row {row} comes behind row {self._row}; {SAVE_AS}")
        if row > self._row + 1:
            self._done.append(row - self._row - 1)
        self._row = row

    def _column(self, place: str) -> int:
        """The column, from 1, of a place such as ``AB12``."""
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
        """What people see in a cell."""
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
