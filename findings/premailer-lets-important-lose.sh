#!/bin/sh
# An `!important` rule of the style sheet loses against the style attribute.
#
# Version: premailer 3.10.0 with cssutils 2.15.0 and lxml 6.1.3 (PyPI).
# Behaviour: the rule is dropped and the style attribute stays as it was, although an important declaration wins against
#   a normal one of the style attribute (CSS Cascading Level 4, "Important
#   Declarations"). So the inlined letter looks unlike its source.
# Guess: `margin: 1px`, which css-inline 0.24.0 and juice 11.1.1 write.
# Seen:
#     <p style="margin:9px">x</p>
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
sed -n 's/^#     //p' "$0" >"$folder/expected"
{
    python3 -m venv "$folder/venv" &&
        "$folder/venv/bin/pip" install -q premailer==3.10.0 lxml==6.1.3 cssutils==2.15.0
} >"$folder/log" 2>&1 || { tail -n 5 "$folder/log" >&2; exit 2; }
"$folder/venv/bin/python" -I - >"$folder/seen" <<'END' || exit 1
import re

from premailer import transform

html = '<html><head><style>p {margin: 1px !important}</style></head><body><p style="margin: 9px">x</p></body></html>'
print(re.search("<p.*</p>", transform(html))[0])
END
cat "$folder/seen"
diff "$folder/expected" "$folder/seen" || exit 1
