#!/bin/sh
# A post code loses its zeros beside a date that comes as it is shown.
#
# Version: xlsx2csv 0.8.6, the workbook written by XlsxWriter 3.3.1 (PyPI).
# Behaviour: the number format of a cell is followed for dates and percentages, and not for `00000`, the format of a German or
#   American post code. So a look at the dates makes one believe that the rest comes as shown too.
# Guess: all as shown, or all as stored.
# Seen:
#     ann@example.com,05.01.2026,12.50%,1067
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
sed -n 's/^#     //p' "$0" >"$folder/expected"
{
    python3 -m venv "$folder/venv" &&
        "$folder/venv/bin/pip" install -q xlsx2csv==0.8.6 XlsxWriter==3.3.1
} >"$folder/log" 2>&1 || { tail -n 5 "$folder/log" >&2; exit 2; }
"$folder/venv/bin/python" -I - >"$folder/seen" <<'END' || exit 1
import io
from datetime import datetime

import xlsxwriter
from xlsx2csv import Xlsx2csv

written = io.BytesIO()
book = xlsxwriter.Workbook(written)
sheet = book.add_worksheet()
sheet.write(0, 0, "ann@example.com")
sheet.write_datetime(0, 1, datetime(2026, 1, 5), book.add_format({"num_format": "dd.mm.yyyy"}))
sheet.write(0, 2, 0.125, book.add_format({"num_format": "0.00%"}))
sheet.write(0, 3, 1067, book.add_format({"num_format": "00000"}))
book.close()
written.seek(0)
shown = io.StringIO()
Xlsx2csv(written, outputencoding="utf-8").convert(shown)
print(shown.getvalue().strip())
END
cat "$folder/seen"
diff "$folder/expected" "$folder/seen" || exit 1
