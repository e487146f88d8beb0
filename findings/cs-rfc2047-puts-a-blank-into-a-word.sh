#!/bin/sh
# A long subject gets a blank in the middle of a word.
#
# Version: cs.rfc2047 20200524 (PyPI), beside the email package of Python 3.11.
# Behaviour: a text that is too long for one encoded word is cut into several with white space between them, which does not
#   count (RFC 2047, 2 and 6.2), so the cut may go through a word of the text. `unrfc2047` keeps that white space, folded lines
#   and all. A single encoded word is right.
# Guess: what Python's own package says.
# Seen:
#     cs.rfc2047: Grüße
#     email: Grüße
#     cs.rfc2047: Grüße vom Haus meister
#     email: Grüße vom Hausmeister
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
sed -n 's/^#     //p' "$0" >"$folder/expected"
{
    python3 -m venv "$folder/venv" &&
        "$folder/venv/bin/pip" install -q cs.rfc2047==20200524
} >"$folder/log" 2>&1 || { tail -n 5 "$folder/log" >&2; exit 2; }
"$folder/venv/bin/python" -I - >"$folder/seen" <<'END' || exit 1
from email.header import decode_header, make_header

from cs.rfc2047 import unrfc2047

for subject in ("=?utf-8?Q?Gr=C3=BC=C3=9Fe?=", "=?utf-8?Q?Gr=C3=BC=C3=9Fe_vom_Haus?= =?utf-8?Q?meister?="):
    print("cs.rfc2047:", unrfc2047(subject))
    print("email:", make_header(decode_header(subject)))
END
cat "$folder/seen"
diff "$folder/expected" "$folder/seen" || exit 1
