#!/bin/sh
# The hidden preview line of a letter stands in its plain text when `!important` is in the style.
#
# Version: inscriptis 2.7.6 with lxml 6.1.3 (PyPI).
# Behaviour: `display:none` hides an element, `display:none !important` does not. Preview lines of letters are mostly
#   written in the second way, so that the style sheets of web mailers do not show them.
# Guess: `!important` changes which declaration wins, never what the value says: both are hidden.
# Seen:
#     display:none -> Hello
#     display:none !important -> Preview line Hello
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
sed -n 's/^#     //p' "$0" >"$folder/expected"
{
    python3 -m venv "$folder/venv" &&
        "$folder/venv/bin/pip" install -q inscriptis==2.7.6 lxml==6.1.3
} >"$folder/log" 2>&1 || { tail -n 5 "$folder/log" >&2; exit 2; }
"$folder/venv/bin/python" -I - >"$folder/seen" <<'END' || exit 1
from inscriptis import get_text

for style in ("display:none", "display:none !important"):
    text = get_text(f'<div style="{style}">Preview line</div><p>Hello</p>')
    print(style, "->", " ".join(text.split()))
END
cat "$folder/seen"
diff "$folder/expected" "$folder/seen" || exit 1
