#!/bin/sh
# A report of a failure says nothing of what failed when the field is folded.
#
# Version: parsedmarc 11.1.0 (PyPI).
# Behaviour: the fields of a feedback report have the syntax of header fields (RFC 5965, 3), so a long one is folded, as every server
#   folds Authentication-Results, in which a report of a failure says what failed (RFC 6591). parsedmarc reads the first line and
#   drops the others without an error: of the results there is the name of the server left.
# Guess: the same values, on however many lines.
# Seen:
#     one line: mx.example.net; dmarc=fail header.from=example.com
#     folded: mx.example.net;
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
sed -n 's/^#     //p' "$0" >"$folder/expected"
{
    python3 -m venv "$folder/venv" &&
        "$folder/venv/bin/pip" install -q parsedmarc==11.1.0
} >"$folder/log" 2>&1 || { tail -n 5 "$folder/log" >&2; exit 2; }
"$folder/venv/bin/python" -I - >"$folder/seen" <<'END' || exit 1
from parsedmarc import parse_report_email

REPORT = """From: reports@example.net
To: ann@example.com
Subject: FW: Hello
Date: Tue, 1 Dec 2026 10:00:00 +0000
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary=b

--b
Content-Type: text/plain

This is an authentication failure report.
--b
Content-Type: message/feedback-report

Feedback-Type: auth-failure
Version: 1
User-Agent: example/1.0
Auth-Failure: dmarc
Identity-Alignment: none
Arrival-Date: Tue, 1 Dec 2026 09:59:00 +0000
Source-IP: 192.0.2.1
Reported-Domain: example.com
Authentication-Results: mx.example.net;{space}dmarc=fail header.from=example.com

--b
Content-Type: text/rfc822-headers

From: ann@example.com
To: bob@example.net
Subject: Hello
Date: Tue, 1 Dec 2026 09:58:00 +0000

--b--
"""
for name, space in (("one line", " "), ("folded", "\n ")):
    parsed = parse_report_email(REPORT.format(space=space), offline=True)
    print(f"{name}: {parsed['report']['authentication_results']}")
END
cat "$folder/seen"
diff "$folder/expected" "$folder/seen" || exit 1
