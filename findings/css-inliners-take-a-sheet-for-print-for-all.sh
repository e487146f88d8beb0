#!/bin/sh
# Rules of a style sheet for print are written into the elements, and so hold on every screen.
#
# Version: css-inline 0.24.0 (PyPI) and juice 11.1.1 (npm); premailer 3.10.0 (PyPI) beside them.
# Behaviour: the `media` of a <style> element is not looked at. A sheet with media="print" that hides the buttons of a letter
#   on paper (HTML standard, 4.2.6: its rules hold where the media query matches) hides them for everybody, and the element
#   that said so is gone. premailer leaves such a sheet where it is.
# Guess: a sheet with another medium than the screen stays, as an @media rule in a sheet does.
# Seen:
#     css-inline <p style="display: none;">Read me.</p>
#     premailer <style media="print">p {display: none}</style></head><body><p>Read me.</p>
#     juice <p style="display: none;">Read me.</p>
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
<html><head><style media="print">p {display: none}</style></head><body><p>Read me.</p></body></html>
END
{
    "$folder/venv/bin/python" -I - "$folder/letter.html" <<'END'
import re
import sys

import css_inline
import premailer

letter = open(sys.argv[1]).read()
for name, inlined in (("css-inline", css_inline.inline(letter)), ("premailer", premailer.transform(letter))):
    print(name, re.search("(<style.*|<p.*)</p>", inlined)[0])
END
    cd "$folder"
    node -e 'const made = require("juice")(require("fs").readFileSync("letter.html", "utf8"));
console.log("juice", made.match(/(<style.*|<p.*)<\/p>/)[0])'
} >"$folder/seen" || exit 1
cat "$folder/seen"
diff "$folder/expected" "$folder/seen" || exit 1
