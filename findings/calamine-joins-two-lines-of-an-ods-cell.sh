#!/bin/sh
# Two lines of an ODS cell become one word.
#
# Version: python-calamine 0.9.1 (PyPI).
# Behaviour: `<text:line-break/>` and `<text:tab/>` inside a paragraph leave nothing behind, so two addresses in one cell become
#   one address that may even look valid. A second paragraph becomes a line break, `<text:s/>` a blank.
# Guess: a line break and a tab (OpenDocument 1.2, part 1, 6.1.4 and 6.1.5).
# Seen:
#     [['ann@example.combob@example.com', 'AnnSmith']]
#     [['ann@example.com\nbob@example.com', 'Ann Smith']]
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



print(rows(cell("ann@example.com<text:line-break/>bob@example.com") + cell("Ann<text:tab/>Smith")))
print(rows(cell("ann@example.com</text:p><text:p>bob@example.com") + cell("Ann<text:s/>Smith")))
END
cat "$folder/seen"
diff "$folder/expected" "$folder/seen" || exit 1
