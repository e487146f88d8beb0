#!/bin/sh
# Escapes of a zone file are read as octal numbers.
#
# Version: dnslib 0.9.26, beside dnspython 2.9.2 (PyPI).
# Behaviour: `\066` is the octet 66, `B`, since `\DDD` is decimal (RFC 1035, 5.1). dnslib reads 66 as an octal number, octet 54,
#   and gives `6`; with an 8 or 9 among the digits it raises ValueError.
#   A record without escapes is right.
# Guess: what dnspython says.
# Seen:
#     "\066" dnslib "6" dnspython "B"
#     "\059" dnslib ValueError dnspython ";"
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
sed -n 's/^#     //p' "$0" >"$folder/expected"
{
    python3 -m venv "$folder/venv" &&
        "$folder/venv/bin/pip" install -q dnslib==0.9.26 dnspython==2.9.2
} >"$folder/log" 2>&1 || { tail -n 5 "$folder/log" >&2; exit 2; }
"$folder/venv/bin/python" -I - >"$folder/seen" <<'END' || exit 1
import dns.rdata
import dnslib

for text in (r'"\066"', r'"\059"'):
    try:
        read = dnslib.RR.fromZone(f"a.example. 300 IN TXT {text}")[0].rdata
    except ValueError as error:
        read = type(error).__name__
    print(text, "dnslib", read, "dnspython", dns.rdata.from_text("IN", "TXT", text))
END
cat "$folder/seen"
diff "$folder/expected" "$folder/seen" || exit 1
