"""A sheet of an XLSX workbook (ECMA-376, ISO/IEC 29500), read as a stream."""

from __future__ import annotations

import posixpath
import re
import zipfile
from collections.abc import Callable
from xml.parsers.expat import XMLParserType

from bulkmail.campaign.cells import UnreadableError
from bulkmail.campaign.number_formats import Shown, shown_by
from bulkmail.campaign.sheet_xml import (
    LONGEST_TEXT,
    SAVE_AS,
    Quick,
    Sheet,
    choose,
    local,
    others,
    parse,
    parse_all,
    parser,
    too_long,
)
from bulkmail.campaign.xlsx_cells import Cells, Strings, unescaped, whole, without_references

_TEXT = re.compile(r'<si><t(?: xml:space="preserve")?>([^<\r]*)</t></si>|(.)', re.DOTALL)
_MARKUP = 5  # bytes of XML for one of CSV, about


def xlsx_sheet(archive: zipfile.ZipFile, wanted: str | None) -> tuple[Sheet, int, str]:
    """Return the rows of a sheet, about how many bytes of CSV they are, and `others`. Raises UnreadableError."""
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
    """Return the parts that a part leads to: by kind, and there by id; ``""`` is the package itself."""
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
    """Return name, visibility and relation of each sheet; whether days count from 1904."""
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
    """Return how each style of a cell shows a number."""
    codes: dict[int, str] = {}
    numbers: list[int] = []
    inside = False

    def start(element: str, given: dict[str, str]) -> None:
        nonlocal inside
        name = local(element)
        if name == "numFmt":
            codes[whole(given.get("numFmtId"))] = given.get("formatCode", "")
        elif name == "cellXfs":
            inside = True
        elif name == "xf" and inside:
            numbers.append(whole(given.get("numFmtId")))

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


def _strings(archive: zipfile.ZipFile, part: str) -> Strings:
    """Return the texts that cells share; rich text as its letters, without how it is read aloud."""
    strings = Strings()
    if part not in archive.NameToInfo:
        return strings
    reading = parser()
    _texts(reading, "si", strings.add)

    def take(text: str) -> bool:
        found = _TEXT.findall(text)
        texts = [without_references(words) for words, _ in found]
        if any(odd for _, odd in found) or any(words is None or len(words) > LONGEST_TEXT for words in texts):
            return False
        for words in texts:
            assert words is not None
            strings.add(unescaped(words))
        return True

    parse_all(archive, part, reading, Quick(rb"<sst(?: [A-Za-z:0-9]+=\"[^\"<>&]*\")*>", b"</si>", take))
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

    reading.StartElementHandler = start
    reading.EndElementHandler = end
    reading.CharacterDataHandler = text


def _rows(archive: zipfile.ZipFile, part: str, style: str, texts: str, *, from_1904: bool) -> Sheet:
    """Yield the rows, one after the other; what is needed for all of them is read first."""
    sheet = Cells(_formats(archive, style, from_1904=from_1904), _strings(archive, texts))
    for _ in parse(archive, part, sheet.reading(), Quick(b"<sheetData>", b"</row>", sheet.take)):
        yield from sheet.taken()
    yield from sheet.taken()
