#!/bin/sh
# A line break between two cells of an ODS file makes the file unreadable.
#
# Version: python-calamine 0.9.1 (PyPI).
# Behaviour: white space between the elements of a row, which any indenting XML writer puts there, is refused, and the error
#   says that the file format cannot be detected. Between rows it is taken. The schema of OpenDocument gives a row
#   elements only, and white space there carries no meaning (version 1.2, part 1, 6.1.2).
# Guess: both files are the same sheet.
# Seen:
#     [['ann@example.com', 'Ann']]
#     CalamineError Cannot detect file format
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
sed -n 's/^#     //p' "$0" >"$folder/expected"
{
    python3 -m venv "$folder/venv" &&
        "$folder/venv/bin/pip" install -q python-calamine==0.9.1
} >"$folder/log" 2>&1 || { tail -n 5 "$folder/log" >&2; exit 2; }
"$folder/venv/bin/python" -I - >"$folder/seen" <<'END' || exit 1
import io
import zipfile

import python_calamine

NAMES = " ".join(
    f"xmlns:{name}=\"urn:oasis:names:tc:opendocument:xmlns:{name}:1.0\"" for name in ("office", "table", "text")
)
KIND = "application/vnd.oasis.opendocument.spreadsheet"
MANIFEST = (
    "<manifest:manifest xmlns:manifest=\"urn:oasis:names:tc:opendocument:xmlns:manifest:1.0\" manifest:version=\"1.2\">"
    f"<manifest:file-entry manifest:full-path=\"/\" manifest:media-type=\"{KIND}\"/>"
    "<manifest:file-entry manifest:full-path=\"content.xml\" manifest:media-type=\"text/xml\"/></manifest:manifest>"
)


def rows(inside):
    """Read a one-row sheet from an ODS file with these cells."""
    content = (
        f"<office:document-content {NAMES} office:version=\"1.2\"><office:body><office:spreadsheet>"
        f"<table:table table:name=\"List\"><table:table-row>{inside}</table:table-row></table:table>"
        "</office:spreadsheet></office:body></office:document-content>"
    )
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        file.writestr("mimetype", KIND)
        file.writestr("content.xml", content)
        file.writestr("META-INF/manifest.xml", MANIFEST)
    packed.seek(0)
    return python_calamine.CalamineWorkbook.from_filelike(packed).get_sheet_by_index(0).to_python()


def cell(text):
    return f"<table:table-cell office:value-type=\"string\"><text:p>{text}</text:p></table:table-cell>"



print(rows(cell("ann@example.com") + cell("Ann")))
try:
    print(rows(cell("ann@example.com") + "\n" + cell("Ann")))
except python_calamine.CalamineError as error:
    print(type(error).__name__, error)
END
cat "$folder/seen"
diff "$folder/expected" "$folder/seen" || exit 1
