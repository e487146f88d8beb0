#!/bin/sh
# A reader who refuses a letter by a rule of their own counts as an address that does not exist.
#
# Version: flufl.bounce 6.0.0 (PyPI).
# Behaviour: Sieve's `reject` answers with a disposition notification (RFC 5429, 2.2.1; RFC 8098):
#   report-type=disposition-notification, a Disposition field, no Action, no Status and no delivery-status part. The address
#   takes mail of others as before. Dovecot's own sentence in the text part makes its recipient a permanent failure; the type of
#   the report is not looked at.
# Guess: nothing failed, as for a notification that the letter was read; both say what became of a letter that arrived.
# Seen:
#     displayed: temporary [], permanent []
#     deleted: temporary [], permanent [bob@example.net]
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

NOTICE = """From: Postmaster <postmaster@example.net>
To: <ann@example.com>
Subject: {subject}
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=disposition-notification; boundary=b

--b
Content-Type: text/plain; charset=utf-8

{text}
--b
Content-Type: message/disposition-notification

Reporting-UA: example.net; Dovecot Mail Delivery Agent
Final-Recipient: rfc822; bob@example.net
Original-Message-ID: <1@example.com>
Disposition: automatic-action/MDN-sent-automatically; {what}

--b--
"""
for what, subject, text in (
    ("displayed", "Read: Hello", "Your message to <bob@example.net> was read."),
    ("deleted", "Rejected: Hello", "Your message to <bob@example.net> was automatically rejected:\nNo, thank you."),
):
    failures = all_failures(message_from_string(NOTICE.format(what=what, subject=subject, text=text)))
    print("{}: temporary [{}], permanent [{}]".format(what, *(" ".join(map(bytes.decode, found)) for found in failures)))
END
cat "$folder/seen"
diff "$folder/expected" "$folder/seen" || exit 1
