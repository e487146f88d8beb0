#!/bin/sh
# An address that is a link in its cell comes back as a piece of Markdown.
#
# Version: odfdo 3.27.3, beside pyexcel-ods 0.6.0 (PyPI).
# Behaviour: an address in a cell may be a link, which is an element inside the text of the cell, as a span is (OpenDocument 1.2,
#   part 1, 6.1.7 and 6.1.8). Of a span odfdo gives the text; of a link it gives brackets around the text and the target
#   behind it, also where plain values of cells are asked for, so that nothing in the column is an address.
# Guess: what pyexcel-ods says: the text of both.
# Seen:
#     odfdo [['[ann@example.com](mailto:ann@example.com)', 'bob@example.com']]
#     pyexcel-ods [['ann@example.com', 'bob@example.com']]
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
sed -n 's/^#     //p' "$0" >"$folder/expected"
{
    python3 -m venv "$folder/venv" &&
        "$folder/venv/bin/pip" install -q odfdo==3.27.3 pyexcel-ods==0.6.0
} >"$folder/log" 2>&1 || { tail -n 5 "$folder/log" >&2; exit 2; }
"$folder/venv/bin/python" -I - "$folder/list.ods" >"$folder/seen" <<'END' || exit 1
import sys

import odfdo
import pyexcel_ods


def cell(*inside):
    """A string cell with one paragraph that holds these elements."""
    made = odfdo.Cell()
    made.set_attribute("office:value-type", "string")
    paragraph = odfdo.Paragraph()
    for element in inside:
        paragraph.append(element)
    made.append(paragraph)
    return made


row = odfdo.Row()
row.append(cell(odfdo.Link("mailto:ann@example.com", text="ann@example.com")))
row.append(cell(odfdo.Span("bob@example.com")))
table = odfdo.Table("List")
table.append(row)
document = odfdo.Document("spreadsheet")
document.body.clear()
document.body.append(table)
document.save(sys.argv[1])

print("odfdo", [list(values) for values in odfdo.Document(sys.argv[1]).body.get_table(0).iter_values()])
print("pyexcel-ods", pyexcel_ods.get_data(sys.argv[1])["List"])
END
cat "$folder/seen"
diff "$folder/expected" "$folder/seen" || exit 1
