#!/bin/sh
# The text of a letter goes on with the text of the letter that is attached to it.
#
# Version: imap-tools 1.16.0 (PyPI).
# Behaviour: a letter inside a letter (RFC 2046, 5.2.1) is one part, here an attachment with a name. `text` walks through all parts,
#   those of the enclosed letter too, and joins them with nothing between, so that one word is made of two and nobody can tell
#   who wrote what. In a bounce the text contains the returned letter. The attachment is there as well.
# Guess: `See below.`, and the other letter among the attachments only.
# Seen:
#     text: See below.I shall never pay.
#     attachments: letter.eml
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
sed -n 's/^#     //p' "$0" >"$folder/expected"
{
    python3 -m venv "$folder/venv" &&
        "$folder/venv/bin/pip" install -q imap-tools==1.16.0
} >"$folder/log" 2>&1 || { tail -n 5 "$folder/log" >&2; exit 2; }
"$folder/venv/bin/python" -I - >"$folder/seen" <<'END' || exit 1
from imap_tools import MailMessage

LETTER = b"""From: ann@example.com
To: bob@example.net
Subject: Fwd: Bill
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=b

--b
Content-Type: text/plain

See below.
--b
Content-Type: message/rfc822
Content-Disposition: attachment; filename="letter.eml"

From: carl@example.org
Subject: Bill
Content-Type: text/plain

I shall never pay.
--b--
"""
message = MailMessage.from_bytes(LETTER.replace(b"\n", b"\r\n"))
print(f"text: {message.text}")
print(f"attachments: {' '.join(attachment.filename for attachment in message.attachments)}")
END
cat "$folder/seen"
diff "$folder/expected" "$folder/seen" || exit 1
