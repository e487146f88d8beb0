#!/bin/sh
# A quoted value in Authentication-Results is lost when another property follows.
#
# Version: authres 1.2.0 (PyPI).
# Behaviour: `header.b="AbC/+d=="` is read when it is the last property of its method, and left out without an error when one
#   follows; what follows is read. A value may be a quoted string (RFC 8601, 2.2), and has to be one when it holds a `/`
#   or `=`, as the signature by which two DKIM results are told apart (RFC 6008).
# Guess: a quoted value is read wherever it stands, or the field is refused.
# Seen:
#     dkim=pass header.d=example.com header.b="AbC/+d==" -> d=example.com b=AbC/+d==
#     dkim=pass header.b="AbC/+d==" header.d=example.com -> d=example.com
#     auth=pass smtp.auth="ann" smtp.mailfrom=ann@example.com -> mailfrom=ann@example.com
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
sed -n 's/^#     //p' "$0" >"$folder/expected"
{
    python3 -m venv "$folder/venv" &&
        "$folder/venv/bin/pip" install -q authres==1.2.0
} >"$folder/log" 2>&1 || { tail -n 5 "$folder/log" >&2; exit 2; }
"$folder/venv/bin/python" -I - >"$folder/seen" <<'END' || exit 1
from authres import AuthenticationResultsHeader

for result in (
    'dkim=pass header.d=example.com header.b="AbC/+d=="',
    'dkim=pass header.b="AbC/+d==" header.d=example.com',
    'auth=pass smtp.auth="ann" smtp.mailfrom=ann@example.com',
):
    header = AuthenticationResultsHeader.parse(f"Authentication-Results: mx.example.com; {result}")
    print(result, "->", *(f"{known.name}={known.value}" for known in header.results[0].properties))
END
cat "$folder/seen"
diff "$folder/expected" "$folder/seen" || exit 1
