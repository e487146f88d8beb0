#!/bin/sh
# The text of a card keeps its backslashes, and a line break that is written disappears.
#
# Version: vcf 2.1.2 (npm).
# Behaviour: commas, semicolons and line breaks of a text value are escaped in a card (RFC 6350, 3.4). The reader gives the escapes
#   as they stand, so a greeting reads `Smith\, Ann`. The writer leaves commas and semicolons bare and drops the line break,
#   which joins two words.
# Guess: escapes are undone on reading and put back on writing.
# Seen:
#     read "Smith\\, Ann" "first line\\nsecond line"
#     written "FN:Smith, Ann" "NOTE:first linesecond line"
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
sed -n 's/^#     //p' "$0" >"$folder/expected"
{
    command -v node &&
        npm install --prefix "$folder" --ignore-scripts --no-audit --no-fund vcf@2.1.2
} >"$folder/log" 2>&1 || { tail -n 5 "$folder/log" >&2; exit 2; }
cat >"$folder/try.mjs" <<'END'
import vCard from "vcf";

const card = new vCard().parse(
    "BEGIN:VCARD\r\nVERSION:4.0\r\nFN:Smith\\, Ann\r\nNOTE:first line\\nsecond line\r\nEND:VCARD\r\n",
);
console.log("read", ...["fn", "note"].map((name) => JSON.stringify(card.get(name).valueOf())));

const written = new vCard();
written.set("fn", "Smith, Ann");
written.set("note", "first line\nsecond line");
const lines = written.toString("4.0").split("\r\n");
console.log("written", ...["FN", "NOTE"].map((name) => JSON.stringify(lines.find((line) => line.startsWith(name)))));
END
node "$folder/try.mjs" >"$folder/seen" || exit 1
cat "$folder/seen"
diff "$folder/expected" "$folder/seen" || exit 1
