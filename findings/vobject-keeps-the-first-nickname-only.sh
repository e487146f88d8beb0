#!/bin/sh
# Of several nicknames on a card only the first is kept.
#
# Version: vobject 0.9.9 (PyPI).
# Behaviour: NICKNAME is a list (RFC 2426, 3.1.3), with commas as CATEGORIES is. The first entry is its value, the others are
#   dropped on reading, and a card that is only read and written again has lost them.
# Guess: a list, as CATEGORIES gives; or the words as they stand.
# Seen:
#     NICKNAME:Jim
#     CATEGORIES:customer,newsletter
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
sed -n 's/^#     //p' "$0" >"$folder/expected"
{
    python3 -m venv "$folder/venv" &&
        "$folder/venv/bin/pip" install -q vobject==0.9.9
} >"$folder/log" 2>&1 || { tail -n 5 "$folder/log" >&2; exit 2; }
"$folder/venv/bin/python" -I - >"$folder/seen" <<'END' || exit 1
import vobject

card = vobject.readOne(
    "BEGIN:VCARD\r\nVERSION:3.0\r\nFN:James Smith\r\nN:Smith;James\r\nNICKNAME:Jim,Jimmie\r\n"
    "CATEGORIES:customer,newsletter\r\nEND:VCARD\r\n"
)
written = card.serialize().splitlines()
for name in ("NICKNAME", "CATEGORIES"):
    print(*(line for line in written if line.startswith(name)))
END
cat "$folder/seen"
diff "$folder/expected" "$folder/seen" || exit 1
