"""A workbook (XLSX, ODS) as lines of CSV: its sheet, the cells as people see them, one line for each row of the sheet.

It is read as a stream, so memory stays flat whatever the sheet says of itself; what a file unpacks to is bounded.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from io import BufferedReader, FileIO

from bulkmail.campaign.cells import Converted, UnreadableError, line_of, unreadable
from bulkmail.campaign.ods import ods_sheet
from bulkmail.campaign.sheet_xml import SAVE_AS, Sheet
from bulkmail.campaign.xlsx import xlsx_sheet

_MOST_UNPACKED = 8 << 30
_CHUNK = 64 * 1024


def open_workbook(file: FileIO, sheet: str | None) -> Converted:
    """Read a workbook from its file, the first sheet or the named one. Raises UnreadableError."""
    try:
        archive = zipfile.ZipFile(BufferedReader(file, _CHUNK))
        names = set(archive.namelist())
        packed = sum(info.file_size for info in archive.infolist())
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise UnreadableError(f"is a broken workbook or archive ({error}); {SAVE_AS}") from None
    if packed > _MOST_UNPACKED:
        raise UnreadableError(f"unpacks to {packed >> 30:,} GB, which is more than any list has; save it as .csv")
    rows, expected, told = _sheet(archive, names, sheet)
    return Converted(file, lines_of(rows), expected, kept=archive, others=told)


def _sheet(archive: zipfile.ZipFile, names: set[str], sheet: str | None) -> tuple[Sheet, int, str]:
    if "xl/workbook.bin" in names:
        raise UnreadableError(f"is a binary workbook (.xlsb); {SAVE_AS}")
    if any(name.endswith(".iwa") or name in ("Index.zip", "index.apxl") for name in names):
        raise UnreadableError(f"is an Apple Numbers document; {SAVE_AS}")
    if "content.xml" in names:
        return ods_sheet(archive, sheet)
    if "[Content_Types].xml" in names and not {"word/document.xml", "ppt/presentation.xml"} & names:
        return xlsx_sheet(archive, sheet)
    raise UnreadableError("is a ZIP archive, or a document that is no workbook; unpack it, or export a CSV")


def lines_of(rows: Sheet) -> Iterator[bytes]:
    """Yield the rows of a sheet as lines of CSV."""
    for row in rows:
        if isinstance(row, int):
            for _ in range(row):
                yield b"\n"
        elif isinstance(row, str):
            yield unreadable(row)
        else:
            yield line_of(row).encode("utf-8", "surrogatepass") + b"\n"
