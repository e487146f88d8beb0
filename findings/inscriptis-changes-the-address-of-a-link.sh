#!/bin/sh
# A link changes its address on the way from HTML to plain text.
#
# Version: inscriptis 2.7.6 with lxml 6.1.3 (PyPI).
# Behaviour: in an attribute, `&region=`, `&section=` and `&copy=` become `®ion=`, `§ion=` and `©=`. HTML leaves a name
#   without a semicolon alone there when `=`, a letter or a digit follows ("named character reference state"),
#   so a browser opens the address as written and the reader of the text part another one. The parser is libxml2; the
#   html.parser of CPython before 3.14 does the same, and with it html2text 2025.4.15.
# Guess: the address in the text is the address in the HTML.
# Seen:
#     [Go](https://shop.example/?a=1®ion=eu§ion=3©=2)
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
from inscriptis.model.config import ParserConfig

html = '<p><a href="https://shop.example/?a=1&region=eu&section=3&copy=2">Go</a></p>'
print(get_text(html, ParserConfig(display_links=True)).strip())
END
cat "$folder/seen"
diff "$folder/expected" "$folder/seen" || exit 1
