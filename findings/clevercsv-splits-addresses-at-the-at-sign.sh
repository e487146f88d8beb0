#!/bin/sh
# A list of nothing but addresses is split at the at sign.
#
# Version: clevercsv 0.8.5 (PyPI).
# Behaviour: for a file with one column of addresses, with or without a header, the sniffer says that `@` is the delimiter, and
#   its reader gives local parts and domains as two columns. One column more, and the answer is right.
# Guess: no delimiter, or a comma: its authors write for messy files, and know addresses as a type of cell.
# Seen:
#     @ [["email"], ["ann", "example.com"], ["bob", "example.com"], ["carl", "example.org"]]
#     , [["email", "name"], ["ann@example.com", "Ann"], ["bob@example.com", "Bob"]]
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
sed -n 's/^#     //p' "$0" >"$folder/expected"
{
    python3 -m venv "$folder/venv" &&
        "$folder/venv/bin/pip" install -q clevercsv==0.8.5
} >"$folder/log" 2>&1 || { tail -n 5 "$folder/log" >&2; exit 2; }
"$folder/venv/bin/python" -I - >"$folder/seen" <<'END' || exit 1
import json

import clevercsv

for text in (
    "email\nann@example.com\nbob@example.com\ncarl@example.org\n",
    "email,name\nann@example.com,Ann\nbob@example.com,Bob\n",
):
    dialect = clevercsv.Sniffer().sniff(text)
    print(dialect.delimiter, json.dumps(list(clevercsv.reader(text.splitlines(), dialect))))
END
cat "$folder/seen"
diff "$folder/expected" "$folder/seen" || exit 1
