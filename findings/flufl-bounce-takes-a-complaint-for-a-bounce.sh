#!/bin/sh
# A complaint about a bounce counts as a bounce.
#
# Version: flufl.bounce 6.0.0 (PyPI).
# Behaviour: a feedback report (RFC 5965) encloses the letter that was complained about. Where that letter is itself a delivery
#   status notification, as with backscatter, the recipient named inside it is given as a permanent failure. The outer
#   `report-type=feedback-report` is not looked at.
# Guess: nothing failed: the report is no notification, and its enclosed letter is not about mail of ours.
# Seen:
#     temporary [], permanent [bob@example.net]
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

BOUNCE = """From: MAILER-DAEMON@mx.example
To: ann@example.com
Subject: Undelivered
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary=inner

--inner
Content-Type: text/plain

It could not be delivered.
--inner
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example

Final-Recipient: rfc822; bob@example.net
Action: failed
Status: 5.1.1

--inner--
"""
REPORT = f"""From: feedback@isp.example
To: abuse@example.com
Subject: complaint
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary=outer

--outer
Content-Type: text/plain

This is an abuse report.
--outer
Content-Type: message/feedback-report

Feedback-Type: abuse
User-Agent: Reporter/1.0
Version: 1

--outer
Content-Type: message/rfc822

{BOUNCE}
--outer--
"""
failures = all_failures(message_from_string(REPORT))
print("temporary [{}], permanent [{}]".format(*(" ".join(map(bytes.decode, found)) for found in failures)))
END
cat "$folder/seen"
diff "$folder/expected" "$folder/seen" || exit 1
