#!/bin/sh
# The second half of a DKIM key is lost, unless it stands in brackets.
#
# Version: zonefile-parser 0.1.20, beside dnspython 2.9.2 (PyPI).
# Behaviour: a string of a TXT record holds 255 octets, so a key of 2048 bits is written as two strings (RFC 1035, 3.3.14; RFC
#   6376, 3.6.2.2: they are put together). Of two strings on one line the parser gives the first, in brackets it gives both.
# Guess: one text in both cases, or a list of strings.
# Seen:
#     line: zonefile-parser v=DKIM1; p=MIIB
#     line: dnspython v=DKIM1; p=MIIBIDAQAB
#     brackets: zonefile-parser v=DKIM1; p=MIIBIDAQAB
#     brackets: dnspython v=DKIM1; p=MIIBIDAQAB
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
sed -n 's/^#     //p' "$0" >"$folder/expected"
{
    python3 -m venv "$folder/venv" &&
        "$folder/venv/bin/pip" install -q zonefile-parser==0.1.20 dnspython==2.9.2
} >"$folder/log" 2>&1 || { tail -n 5 "$folder/log" >&2; exit 2; }
"$folder/venv/bin/python" -I - >"$folder/seen" <<'END' || exit 1
import dns.zone
import zonefile_parser

for name, strings in (("line", '"v=DKIM1; p=MIIB" "IDAQAB"'), ("brackets", '( "v=DKIM1; p=MIIB" "IDAQAB" )')):
    text = f"$ORIGIN example.com.\n$TTL 3600\nkey._domainkey IN TXT {strings}\n"
    (seen,) = zonefile_parser.parse(text)
    zone = dns.zone.from_text(text, check_origin=False)
    ((_, _, known),) = zone.iterate_rdatas()
    print(f"{name}: zonefile-parser {seen.rdata['value']}")
    print(f"{name}: dnspython {b''.join(known.strings).decode()}")
END
cat "$folder/seen"
diff "$folder/expected" "$folder/seen" || exit 1
