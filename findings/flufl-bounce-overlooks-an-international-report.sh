#!/bin/sh
# The failure of a plain ASCII address is overlooked where the report has the international media type.
#
# Version: flufl.bounce 6.0.0 (PyPI).
# Behaviour: a message that was taken with SMTPUTF8 comes back with its status under message/global-delivery-status (RFC 6533,
#   4), whatever its recipient's address is made of. The fields in it are the same. Python's email package splits
#   message/delivery-status into blocks and takes every other message/* for one enclosed letter, so that the recipients become
#   the text of a letter that nobody looks at.
# Guess: bob@example.net failed in both, as the fields say in the same words.
# Seen:
#     message/delivery-status: permanent bob@example.net
#     message/global-delivery-status: permanent nobody
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
sed -n 's/^#     //p' "$0" >"$folder/expected"
{
    python3 -m venv "$folder/venv" &&
        "$folder/venv/bin/pip" install -q flufl.bounce==6.0.0
} >"$folder/log" 2>&1 || { tail -n 5 "$folder/log" >&2; exit 2; }
"$folder/venv/bin/python" -I - >"$folder/seen" <<'END' || exit 1
from email import message_from_string

from flufl.bounce import all_failures

REPORT = """From: MAILER-DAEMON@mx.example
To: ann@example.com
Subject: Undelivered Mail Returned to Sender
MIME-Version: 1.0
Content-Type: multipart/report; report-type={kind}; boundary=b

--b
Content-Type: text/plain; charset=utf-8

Your message could not be delivered.
--b
Content-Type: message/{kind}

Reporting-MTA: dns; mx.example

Final-Recipient: rfc822; bob@example.net
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 User unknown

--b--
"""
for kind in ("delivery-status", "global-delivery-status"):
    temporary, permanent = all_failures(message_from_string(REPORT.format(kind=kind)))
    print(f"message/{kind}: permanent {' '.join(map(bytes.decode, permanent)) or 'nobody'}")
END
cat "$folder/seen"
diff "$folder/expected" "$folder/seen" || exit 1
