#!/bin/sh
# The numbers of a workbook are read, and all of its texts are empty.
#
# Version: pylightxl 1.61, the workbooks written by XlsxWriter 3.3.1 (PyPI).
# Behaviour: a text may stand in its cell (`inlineStr`) or in the table of shared strings (ECMA-376, part 1, 18.18.11). XlsxWriter
#   does the first when it is told to save memory (`constant_memory`), as long lists are written. Such a cell is an empty
#   string without an error, the header line and all addresses among them; numbers beside it are right.
# Guess: the same rows from both workbooks.
# Seen:
#     shared [['email', 'orders'], ['ann@example.com', 7]]
#     inline [['', ''], ['', 7]]
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
sed -n 's/^#     //p' "$0" >"$folder/expected"
{
    python3 -m venv "$folder/venv" &&
        "$folder/venv/bin/pip" install -q pylightxl==1.61 xlsxwriter==3.3.1
} >"$folder/log" 2>&1 || { tail -n 5 "$folder/log" >&2; exit 2; }
"$folder/venv/bin/python" -I - "$folder/list.xlsx" >"$folder/seen" <<'END' || exit 1
import sys

import pylightxl
import xlsxwriter

for name, saves_memory in (("shared", False), ("inline", True)):
    book = xlsxwriter.Workbook(sys.argv[1], {"constant_memory": saves_memory})
    sheet = book.add_worksheet("List")
    sheet.write_row(0, 0, ["email", "orders"])
    sheet.write_row(1, 0, ["ann@example.com", 7])
    book.close()
    print(name, list(pylightxl.readxl(sys.argv[1]).ws("List").rows))
END
cat "$folder/seen"
diff "$folder/expected" "$folder/seen" || exit 1
