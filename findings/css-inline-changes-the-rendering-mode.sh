#!/bin/sh
# A letter is laid out by other rules after inlining: its document type has lost its identifiers.
#
# Version: css-inline 0.24.0 (PyPI); premailer 3.10.0 (PyPI) and juice 11.1.1 (npm) beside it.
# Behaviour: the document type of XHTML 1.0 Transitional, with which most templates of newsletters begin, becomes
#   <!DOCTYPE html>. With the first a browser lays out in limited-quirks mode, with the second in no-quirks mode (HTML
#   standard, 13.2.6.4.1), where a picture alone in a cell stands on a line of text, with a gap below: cut pictures come
#   apart. premailer and juice keep the document type.
# Guess: what stands in front of <html> is kept; if not, it is left out as a whole.
# Seen:
#     before: XHTML 1.0 Transitional
#     css-inline: <!DOCTYPE html><html>
#     premailer: XHTML 1.0 Transitional
#     juice: XHTML 1.0 Transitional
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
sed -n 's/^#     //p' "$0" >"$folder/expected"
{
    python3 -m venv "$folder/venv" &&
        "$folder/venv/bin/pip" install -q css-inline==0.24.0 premailer==3.10.0 lxml==6.1.3 cssutils==2.15.0 &&
        npm install --prefix "$folder" --no-audit --no-fund --ignore-scripts juice@11.1.1
} >"$folder/log" 2>&1 || { tail -n 5 "$folder/log" >&2; exit 2; }
cat >"$folder/letter.html" <<'END'
<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN" "xhtml1-transitional.dtd">
<html><head><style>td {padding: 0}</style></head><body><table><tr><td><img src="a.png"></td></tr></table></body></html>
END
{
    "$folder/venv/bin/python" -I - "$folder/letter.html" <<'END'
import re
import sys

import css_inline
import premailer

letter = open(sys.argv[1]).read()
for name, text in (("before", letter), ("css-inline", css_inline.inline(letter)), ("premailer", premailer.transform(letter))):
    print(f"{name}:", (re.search("XHTML 1.0 Transitional", text) or re.search("<!DOCTYPE.*?<html>", text))[0])
END
    cd "$folder"
    node -e 'const made = require("juice")(require("fs").readFileSync("letter.html", "utf8"));
console.log("juice:", (made.match(/XHTML 1.0 Transitional/) || made.match(/<!DOCTYPE.*?<html>/))[0])'
} >"$folder/seen" || exit 1
cat "$folder/seen"
diff "$folder/expected" "$folder/seen" || exit 1
