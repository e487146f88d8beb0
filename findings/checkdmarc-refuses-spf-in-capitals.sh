#!/bin/sh
# An SPF record in capitals is called wrong, though its mechanisms may be in capitals.
#
# Version: checkdmarc 6.0.4 (PyPI).
# Behaviour: `V=SPF1` is a syntax error at its first letter; `IP4:` and `-ALL` are taken. The strings of RFC 7208 are ABNF
#   literals, which are equal in either case (RFC 5234, 2.3), `v=spf1` too (4.5 and 12), and pyspf 2.0.14
#   passes mail by such a record.
# Guess: all four are valid.
# Seen:
#     v=spf1 ip4:192.0.2.1 -all: valid
#     v=spf1 IP4:192.0.2.1 -ALL: valid
#     V=spf1 ip4:192.0.2.1 -all: SPFSyntaxError
#     V=SPF1 IP4:192.0.2.1 -ALL: SPFSyntaxError
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
sed -n 's/^#     //p' "$0" >"$folder/expected"
{
    python3 -m venv "$folder/venv" &&
        "$folder/venv/bin/pip" install -q checkdmarc==6.0.4
} >"$folder/log" 2>&1 || { tail -n 5 "$folder/log" >&2; exit 2; }
"$folder/venv/bin/python" -I - >"$folder/seen" <<'END' || exit 1
from checkdmarc.spf import SPFSyntaxError, parse_spf_record

for record in (
    "v=spf1 ip4:192.0.2.1 -all",
    "v=spf1 IP4:192.0.2.1 -ALL",
    "V=spf1 ip4:192.0.2.1 -all",
    "V=SPF1 IP4:192.0.2.1 -ALL",
):
    try:
        parse_spf_record(record, "example.com")
        print(f"{record}: valid")
    except SPFSyntaxError as error:
        print(f"{record}: {type(error).__name__}")
END
cat "$folder/seen"
diff "$folder/expected" "$folder/seen" || exit 1
