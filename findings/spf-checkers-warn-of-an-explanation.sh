#!/bin/sh
# A record that stands in the standard itself is wrong for one SPF checker, and loses its end in the eyes of another.
#
# Version: spf-parse 1.0.4 (npm), spf-validator 1.4.1 (PyPI).
# Behaviour: `exp=` is a modifier and no mechanism. It may stand anywhere and had better stand at the end, also behind `all`,
#   which ends the mechanisms (RFC 7208, 5.1 and 6; the record is that of 6.2). Both checkers take it for a mechanism that comes
#   too late.
# Guess: both records are fine.
# Seen:
#     spf-parse "v=spf1 mx -all": fine
#     spf-validator "v=spf1 mx -all": fine
#     spf-parse "v=spf1 mx -all exp=explain._spf.%{d}": One or more mechanisms were found after the "all" mechanism. These mechanisms will be ignored
#     spf-validator "v=spf1 mx -all exp=explain._spf.%{d}": The catchall is not at the end of the SPF record.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
sed -n 's/^#     //p' "$0" >"$folder/expected"
{
    command -v node &&
        npm install --prefix "$folder" --ignore-scripts --no-audit --no-fund spf-parse@1.0.4 &&
        python3 -m venv "$folder/venv" &&
        "$folder/venv/bin/pip" install -q spf-validator==1.4.1
} >"$folder/log" 2>&1 || { tail -n 5 "$folder/log" >&2; exit 2; }
cd "$folder"
for record in "v=spf1 mx -all" "v=spf1 mx -all exp=explain._spf.%{d}"; do
    node -e '
        const { messages = [] } = require("spf-parse")(process.argv[1]);
        console.log(`spf-parse "${process.argv[1]}": ${messages.map(({ message }) => message).join("; ") || "fine"}`);
    ' "$record"
    "$folder/venv/bin/python" -I - "$record" <<'PY'
import sys

from spf_validator.validator import validate_spf_string

print(f'spf-validator "{sys.argv[1]}": {"; ".join(validate_spf_string(sys.argv[1])) or "fine"}')
PY
done >"$folder/seen" || exit 1
cat "$folder/seen"
diff "$folder/expected" "$folder/seen" || exit 1
