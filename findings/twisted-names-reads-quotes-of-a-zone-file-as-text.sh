#!/bin/sh
# A zone file gives other records than it holds.
#
# Version: twisted.names.authority.BindAuthority of Twisted 26.10.0 (PyPI).
# Behaviour: a quoted string of a TXT record is split at its blanks, and the quotes stay, so `"v=spf1 -all"` is two strings that no
#   SPF reader knows. The relative name of an exchanger is served as it stands, though the origin is put behind the
#   relative name at the beginning of the same line. RFC 1035, 5.1, for both.
# Guess: `v=spf1 -all` in one string, and mx.example.com.
# Seen:
#     TXT "v=spf1 | -all"
#     MX 10 mx
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
sed -n 's/^#     //p' "$0" >"$folder/expected"
{
    python3 -m venv "$folder/venv" &&
        "$folder/venv/bin/pip" install -q twisted==26.10.0
} >"$folder/log" 2>&1 || { tail -n 5 "$folder/log" >&2; exit 2; }
"$folder/venv/bin/python" -I - >"$folder/seen" <<'END' || exit 1
import tempfile

from twisted.names.authority import BindAuthority

ZONE = """$ORIGIN example.com.
$TTL 300
example.com. IN SOA ns.example.com. hostmaster.example.com. 1 7200 900 604800 300
shop IN TXT "v=spf1 -all"
shop IN MX 10 mx
"""
with tempfile.NamedTemporaryFile("w") as file:
    file.write(ZONE)
    file.flush()
    text, exchanger = BindAuthority(file.name).records[b"shop.example.com"]
print("TXT", " | ".join(part if isinstance(part, str) else part.decode() for part in text.data))
print("MX", exchanger.preference, exchanger.name)
END
cat "$folder/seen"
diff "$folder/expected" "$folder/seen" || exit 1
