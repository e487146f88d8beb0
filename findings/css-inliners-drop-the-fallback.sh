#!/bin/sh
# The fallback colour in front of a gradient is gone after inlining.
#
# Version: css-inline 0.24.0 and premailer 3.10.0 with cssutils 2.15.0 (PyPI).
# Behaviour: of a property that one rule gives twice, both keep the last value only. The first is what a mail program shows
#   that does not know the second (CSS 2.1, 4.2: an unknown value drops that declaration alone), so a button with white
#   words on `background: #c00` becomes white on white there. Two equal properties in a style attribute stay, if no rule
#   meets the element.
# Guess: the declarations of a rule are copied as they stand, which juice 11.1.1 does.
# Seen:
#     css-inline <td style="background: linear-gradient(#c00, #900);">x</td>
#     premailer <td style="background:linear-gradient(#c00, #900)">x</td>
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
sed -n 's/^#     //p' "$0" >"$folder/expected"
{
    python3 -m venv "$folder/venv" &&
        "$folder/venv/bin/pip" install -q css-inline==0.24.0 premailer==3.10.0 lxml==6.1.3 cssutils==2.15.0
} >"$folder/log" 2>&1 || { tail -n 5 "$folder/log" >&2; exit 2; }
"$folder/venv/bin/python" -I - >"$folder/seen" <<'END' || exit 1
import re

import css_inline
import premailer

html = (
    "<html><head><style>td {background: #c00; background: linear-gradient(#c00, #900)}</style></head>"
    "<body><table><tr><td>x</td></tr></table></body></html>"
)
for name, inlined in (("css-inline", css_inline.inline(html)), ("premailer", premailer.transform(html, cssutils_logging_level="CRITICAL"))):
    print(name, re.search("<td.*</td>", inlined)[0])
END
cat "$folder/seen"
diff "$folder/expected" "$folder/seen" || exit 1
