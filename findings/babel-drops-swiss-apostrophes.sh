#!/bin/sh
# A Swiss number of a million loses both of its thousands separators.
#
# Version: babel 2.19.0 (PyPI).
# Behaviour: in locales whose group symbol is the apostrophe (CLDR), what stands between two apostrophes of a formatted number
#   is taken for a quoted text of the pattern (UTS 35, part 3), and both are taken away.
# Guess: the separators are there, however many the number has.
# Seen:
#     12345 -> 12'345
#     1234567 -> 1234567
#     1234567890 -> 1234567'890
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
sed -n 's/^#     //p' "$0" >"$folder/expected"
{
    python3 -m venv "$folder/venv" &&
        "$folder/venv/bin/pip" install -q babel==2.19.0
} >"$folder/log" 2>&1 || { tail -n 5 "$folder/log" >&2; exit 2; }
"$folder/venv/bin/python" -I - >"$folder/seen" <<'END' || exit 1
from babel.numbers import format_decimal

for number in (12345, 1234567, 1234567890):
    print(number, "->", format_decimal(number, locale="de_CH"))
END
cat "$folder/seen"
diff "$folder/expected" "$folder/seen" || exit 1
