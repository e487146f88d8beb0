"""A sheet of an old Excel workbook (``.xls``, BIFF 5 to 8), by xlrd: the cells as people see them.

xlrd holds the sheet as a whole and is written in Python, so what it takes is bounded by the size of the file: at most
`MOST` bytes are read, which is twice what the largest list has that such a sheet can hold (65,536 rows).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from io import FileIO, StringIO
from typing import Any

from bulkmail.campaign.cells import Converted, UnreadableError
from bulkmail.campaign.number_formats import Shown, shown_by
from bulkmail.campaign.sheet_xml import SAVE_AS, Sheet, choose, others
from bulkmail.campaign.workbook import lines_of

MOST = 32 << 20
_SINCE_EXCEL_5 = 50
_TEXT, _NUMBER, _DATE, _BOOLEAN, _ERROR = range(1, 6)  # kinds of a cell; the others are empty
_NO_XLRD = f"is an old Excel workbook (.xls), which needs the extra bulkmail[xls]; install it, or {SAVE_AS}"


def open_xls(file: FileIO, wanted: str | None) -> Converted:
    """Read a workbook from its file, the first sheet or the named one. Raises UnreadableError."""
    size = os.fstat(file.fileno()).st_size
    if size > MOST:
        raise UnreadableError(f"is an old Excel workbook (.xls) of more than {MOST >> 20} MB; {SAVE_AS}")
    try:
        xlrd = import_module("xlrd")
    except ImportError:
        raise UnreadableError(_NO_XLRD) from None
    book = _tried(lambda: _opened(xlrd, file.read()), xlrd)
    if book.biff_version < _SINCE_EXCEL_5:
        raise UnreadableError(f"is a workbook of Excel 4 or older; {SAVE_AS}")
    sheets = list(zip(book.sheet_names(), (not one for one in book._sheet_visibility), strict=True))  # noqa: SLF001
    at = choose(sheets, wanted)
    sheet = _tried(lambda: book.sheet_by_index(at), xlrd)
    return Converted(file, lines_of(_rows(book, sheet, xlrd)), size, others=others(sheets, at))


def _opened(xlrd: Any, data: bytes) -> Any:
    return xlrd.open_workbook(
        file_contents=data, formatting_info=True, on_demand=True, ragged_rows=True, logfile=StringIO()
    )


def _tried(read: Callable[[], Any], xlrd: Any) -> Any:
    """Return what xlrd has read. Raises UnreadableError for whatever it raises: a broken file can lead it anywhere."""
    try:
        return read()
    except xlrd.XLRDError as error:
        if "encrypted" in str(error) or "OLE2" in str(error):  # a .xlsx with a password is such a file, too
            words = f"is a workbook with a password, or a document that is none; {SAVE_AS}, without a password"
            raise UnreadableError(words) from None
        raise UnreadableError(f"is a broken workbook ({error}); {SAVE_AS}") from None
    except Exception as error:  # noqa: BLE001
        raise UnreadableError(f"is a broken workbook ({type(error).__name__}); {SAVE_AS}") from None


def _rows(book: Any, sheet: Any, xlrd: Any) -> Sheet:
    codes = {key: one.format_str for key, one in book.format_map.items()}
    made: dict[int, Shown] = {}

    def shown(style: int, value: float) -> str:
        key = book.xf_list[style].format_key
        if key not in made:
            made[key] = shown_by(key, codes, from_1904=book.datemode == 1)
        return made[key](repr(value))

    def cells(row: int) -> Iterator[str]:
        kinds, values = sheet.row_types(row), sheet.row_values(row)
        for column, (kind, value) in enumerate(zip(kinds, values, strict=True)):
            if kind == _TEXT:
                yield value
            elif kind in (_NUMBER, _DATE):
                yield shown(sheet.cell_xf_index(row, column), value)
            elif kind == _BOOLEAN:
                yield "TRUE" if value else "FALSE"
            elif kind == _ERROR:
                yield xlrd.error_text_from_code.get(value, "#ERROR")
            else:
                yield ""

    for row in range(sheet.nrows):
        yield _tried(partial(list, cells(row)), xlrd)
