#!/bin/sh
# The signature of an event depends on the zone in which its instant is written.
#
# Version: standardwebhooks 1.1.0 (PyPI).
# Behaviour: `sign` puts the zone UTC on the clock face of the datetime it is given. One instant written in two zones gets two
#   signatures, and the one outside UTC does not belong to the timestamp that the receiver gets.
# Guess: an aware datetime is an instant: both signatures are equal.
# Seen:
#     equal instants: True
#     equal signatures: False
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
sed -n 's/^#     //p' "$0" >"$folder/expected"
{
    python3 -m venv "$folder/venv" &&
        "$folder/venv/bin/pip" install -q standardwebhooks==1.1.0
} >"$folder/log" 2>&1 || { tail -n 5 "$folder/log" >&2; exit 2; }
"$folder/venv/bin/python" -I - >"$folder/seen" <<'END' || exit 1
from datetime import datetime, timedelta, timezone

from standardwebhooks import Webhook

hook = Webhook("whsec_" + "A" * 32)
utc = datetime(2026, 12, 1, 10, 0, tzinfo=timezone.utc)
berlin = utc.astimezone(timezone(timedelta(hours=1)))
print("equal instants:", utc == berlin)
print("equal signatures:", hook.sign("event-1", utc, "{}") == hook.sign("event-1", berlin, "{}"))
END
cat "$folder/seen"
diff "$folder/expected" "$folder/seen" || exit 1
