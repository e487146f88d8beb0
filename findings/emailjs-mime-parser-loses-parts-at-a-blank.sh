#!/bin/sh
# A bounce has no parts when a blank stands behind its boundary.
#
# Version: emailjs-mime-parser 2.0.7, beside postal-mime 4.0.0 (npm).
# Behaviour: blanks may stand behind a boundary, since servers on the way add some, and a reader has to cope with them (RFC 2046,
#   5.1.1, `transport-padding`). With one blank the report is read without an error as a message of no parts and no text,
#   so that nobody sees who was not reached.
# Guess: the same two parts in both.
# Seen:
#     emailjs-mime-parser 2 without, 0 with a blank
#     postal-mime 2 without, 2 with a blank
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
sed -n 's/^#     //p' "$0" >"$folder/expected"
{
    command -v node &&
        npm install --prefix "$folder" --ignore-scripts --no-audit --no-fund emailjs-mime-parser@2.0.7 postal-mime@4.0.0
} >"$folder/log" 2>&1 || { tail -n 5 "$folder/log" >&2; exit 2; }
cat >"$folder/try.mjs" <<'END'
import emailjs from "emailjs-mime-parser";
import PostalMime from "postal-mime";

const report = (boundary) => [
    "From: MAILER-DAEMON@example.com", "Subject: Undelivered", "MIME-Version: 1.0",
    'Content-Type: multipart/report; report-type=delivery-status; boundary="b1"', "",
    boundary, "Content-Type: text/plain", "", "Not delivered.",
    boundary, "Content-Type: message/delivery-status", "", "Reporting-MTA: dns; mx.example.com", "",
    "Final-Recipient: rfc822; ann@example.com", "Action: failed", "Status: 5.1.1", "--b1--", "",
].join("\r\n");
const parse = emailjs.default ?? emailjs;
const parts = {
    "emailjs-mime-parser": (text) => parse(new TextEncoder().encode(text)).childNodes.length,
    "postal-mime": async (text) => {
        const { text: words, attachments } = await PostalMime.parse(text);
        return (words ? 1 : 0) + attachments.length;
    },
};
for (const [name, count] of Object.entries(parts)) {
    console.log(name, await count(report("--b1")), "without,", await count(report("--b1 ")), "with a blank");
}
END
node "$folder/try.mjs" >"$folder/seen" || exit 1
cat "$folder/seen"
diff "$folder/expected" "$folder/seen" || exit 1
