#!/bin/sh
# Reports go to another address than the record names, when there are capitals in it.
#
# Version: dmarc 1.2.1 (PyPI).
# Behaviour: the whole record is put into small letters before it is read. That is right for its tags, and not for the addresses of
#   `rua` and `ruf`, which are URIs (RFC 7489, 6.3): the path of a URI and the part in front of the `@` of an address have letters
#   of two kinds (RFC 3986, 6.2.2.1; RFC 5321, 2.4), and senders of reports like to give each customer a code in one.
# Guess: the URIs as they are written.
# Seen:
#     policy: reject
#     reports: mailto:dmarc+xb7q@example.com https://example.com/reports/xb7q
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
sed -n 's/^#     //p' "$0" >"$folder/expected"
{
    python3 -m venv "$folder/venv" &&
        "$folder/venv/bin/pip" install -q dmarc==1.2.1
} >"$folder/log" 2>&1 || { tail -n 5 "$folder/log" >&2; exit 2; }
"$folder/venv/bin/python" -I - >"$folder/seen" <<'END' || exit 1
from dmarc import DMARC

RECORD = "v=DMARC1; p=Reject; rua=mailto:DMARC+Xb7Q@example.com,https://example.com/Reports/Xb7Q"
policy = DMARC().parse_record(RECORD, domain="example.com", org_domain="example.com")
print(f"policy: {policy.p.value}")
print(f"reports: {' '.join(policy.rua)}")
END
cat "$folder/seen"
diff "$folder/expected" "$folder/seen" || exit 1
