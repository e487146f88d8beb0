#!/bin/sh
# The last part of a letter ends with the line that closes the letter.
#
# Version: eml-format 0.6.1, beside postal-mime 4.0.0 (npm).
# Behaviour: the line of `--`, boundary and `--` ends the last part and belongs to none (RFC 2046, 5.1.1, `close-delimiter`).
#   eml-format knows only the line between two parts, so the closing one stands at the end of the text, or of the last
#   attachment, which is then not what was sent.
# Guess: what postal-mime says, but for a line end.
# Seen:
#     text: eml-format "Hello Bob\r\n--b--\r\n"
#     text: postal-mime "Hello Bob\n"
#     list: eml-format "ann@example.com,1\r\n--b--\r\n"
#     list: postal-mime "ann@example.com,1\n"
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
sed -n 's/^#     //p' "$0" >"$folder/expected"
{
    command -v node &&
        npm install --prefix "$folder" --ignore-scripts --no-audit --no-fund eml-format@0.6.1 postal-mime@4.0.0
} >"$folder/log" 2>&1 || { tail -n 5 "$folder/log" >&2; exit 2; }
cat >"$folder/try.mjs" <<'END'
import { promisify } from "node:util";
import emlformat from "eml-format";
import PostalMime from "postal-mime";

const part = (type, body) => `--b\r\nContent-Type: ${type}\r\n\r\n${body}\r\n`;
const letter = (...parts) =>
    "From: ann@example.com\r\nTo: bob@example.net\r\nSubject: Hello\r\nMIME-Version: 1.0\r\n" +
    `Content-Type: multipart/mixed; boundary=b\r\n\r\n${parts.join("")}--b--\r\n`;
const text = part("text/plain", "Hello Bob");
const list = part('text/csv; name="list.csv"', "ann@example.com,1");

for (const [name, eml] of [["text", letter(text)], ["list", letter(text, list)]]) {
    const one = await promisify(emlformat.read)(eml);
    const two = await PostalMime.parse(eml, { attachmentEncoding: "utf8" });
    console.log(`${name}: eml-format ${JSON.stringify(one.attachments?.[0].data ?? one.text)}`);
    console.log(`${name}: postal-mime ${JSON.stringify(two.attachments[0]?.content ?? two.text)}`);
}
END
node "$folder/try.mjs" >"$folder/seen" || exit 1
cat "$folder/seen"
diff "$folder/expected" "$folder/seen" || exit 1
