#!/bin/sh
# Each date of a year becomes one and the same day of July 1905.
#
# Version: exceljs 4.4.0, beside xlsx 0.18.5 (npm); the workbook written by openpyxl 3.1.5 with `iso_dates` (PyPI).
# Behaviour: a cell of type `d` holds its date in ISO 8601 (ECMA-376, part 1, 18.18.11), which openpyxl writes on request. exceljs
#   takes the digits up to the first hyphen for a count of days, so every date of 2026 is day 2026. Nothing says so, and the
#   value is a date like any other.
# Guess: the dates as written, as xlsx gives them; or the text.
# Seen:
#     exceljs 1905-07-18 1905-07-18
#     xlsx 2026-03-01 2026-12-24
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
sed -n 's/^#     //p' "$0" >"$folder/expected"
{
    command -v node &&
        npm install --prefix "$folder" --ignore-scripts --no-audit --no-fund exceljs@4.4.0 xlsx@0.18.5 &&
        python3 -m venv "$folder/venv" &&
        "$folder/venv/bin/pip" install -q openpyxl==3.1.5
} >"$folder/log" 2>&1 || { tail -n 5 "$folder/log" >&2; exit 2; }
"$folder/venv/bin/python" -I - "$folder/list.xlsx" >"$folder/written" <<'END' || exit 1
import datetime
import sys

import openpyxl

book = openpyxl.Workbook(iso_dates=True)
book.active.append([datetime.date(2026, 3, 1), datetime.date(2026, 12, 24)])
book.save(sys.argv[1])
END
cat >"$folder/try.mjs" <<'END'
import ExcelJS from "exceljs";
import XLSX from "xlsx";

const file = process.argv[2];
const show = (name, dates) => console.log(name, ...dates.map((date) => new Date(date).toISOString().slice(0, 10)));

const book = new ExcelJS.Workbook();
await book.xlsx.readFile(file);
show("exceljs", book.worksheets[0].getRow(1).values.slice(1));

const { Sheets, SheetNames } = XLSX.readFile(file, { cellDates: true });
show("xlsx", XLSX.utils.sheet_to_json(Sheets[SheetNames[0]], { header: 1 })[0]);
END
TZ=UTC node "$folder/try.mjs" "$folder/list.xlsx" >"$folder/seen" || exit 1
cat "$folder/seen"
diff "$folder/expected" "$folder/seen" || exit 1
