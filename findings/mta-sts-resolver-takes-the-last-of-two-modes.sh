#!/bin/sh
# Of two equal fields in an MTA-STS policy the last one counts.
#
# Version: postfix-mta-sts-resolver 1.5.1 (PyPI).
# Behaviour: RFC 8461, section 3.2, says what a policy with a field given twice means: the first one counts, but for `mx`.
#   The resolver takes the last, so a policy that other senders only test is enforced here, and lives seven times as long.
# Guess: `testing` and 86400.
# Seen:
#     enforce 604800 [mx.example.com]
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
sed -n 's/^#     //p' "$0" >"$folder/expected"
{
    python3 -m venv "$folder/venv" &&
        "$folder/venv/bin/pip" install -q postfix-mta-sts-resolver==1.5.1
} >"$folder/log" 2>&1 || { tail -n 5 "$folder/log" >&2; exit 2; }
"$folder/venv/bin/python" -I - >"$folder/seen" <<'END' || exit 1
from postfix_mta_sts_resolver.utils import parse_mta_sts_policy

policy = parse_mta_sts_policy(
    "version: STSv1\r\nmode: testing\r\nmax_age: 86400\r\nmx: mx.example.com\r\nmode: enforce\r\nmax_age: 604800\r\n"
)
print(policy["mode"], policy["max_age"], "[" + " ".join(policy["mx"]) + "]")
END
cat "$folder/seen"
diff "$folder/expected" "$folder/seen" || exit 1
