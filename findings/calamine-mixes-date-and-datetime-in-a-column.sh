#!/bin/sh
# One column of date-times comes as two types.
#
# Version: python-calamine 0.9.1, the workbook written by openpyxl 3.1.5 (PyPI).
# Behaviour: a date-time at midnight is given as `datetime.date`, any other as `datetime.datetime`, though all cells of the
#   column have one number format with hours. Python refuses to compare the two, so a sort works until one row is
#   from midnight.
# Guess: the type follows the format of the cell: three date-times.
# Seen:
#     datetime 2026-01-04 23:59:00
#     date 2026-01-05
#     datetime 2026-01-05 09:30:00
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
sed -n 's/^#     //p' "$0" >"$folder/expected"
{
    python3 -m venv "$folder/venv" &&
        "$folder/venv/bin/pip" install -q python-calamine==0.9.1 openpyxl==3.1.5
} >"$folder/log" 2>&1 || { tail -n 5 "$folder/log" >&2; exit 2; }
"$folder/venv/bin/python" -I - >"$folder/seen" <<'END' || exit 1
import io
from datetime import datetime

import openpyxl
import python_calamine

book = openpyxl.Workbook()
for moment in (datetime(2026, 1, 4, 23, 59), datetime(2026, 1, 5), datetime(2026, 1, 5, 9, 30)):
    book.active.append([moment])
for (cell,) in book.active.iter_rows():
    cell.number_format = "yyyy-mm-dd hh:mm"
written = io.BytesIO()
book.save(written)
written.seek(0)
for (value,) in python_calamine.CalamineWorkbook.from_filelike(written).get_sheet_by_index(0).to_python():
    print(type(value).__name__, value)
END
cat "$folder/seen"
diff "$folder/expected" "$folder/seen" || exit 1
