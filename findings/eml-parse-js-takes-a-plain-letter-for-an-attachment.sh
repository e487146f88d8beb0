#!/bin/sh
# A letter without Content-Type has no text, and an attachment without a name instead.
#
# Version: eml-parse-js 1.1.15 and eml-format 0.6.1, beside postal-mime 4.0.0 (npm).
# Behaviour: a letter without Content-Type is plain text (RFC 2045, 5.2), as scripts and monitors like to write it. Both
#   libraries put its body among the attachments and leave the text out; one of them warns. With `Content-Type: text/plain` the
#   same letter has its text.
# Guess: what postal-mime says.
# Seen:
#     without: eml-parse-js text undefined, attachments 1
#     without: eml-format text undefined, attachments 1
#     without: postal-mime text "Hello Bob", attachments 0
#     with: eml-parse-js text "Hello Bob", attachments 0
#     with: eml-format text "Hello Bob", attachments 0
#     with: postal-mime text "Hello Bob", attachments 0
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
sed -n 's/^#     //p' "$0" >"$folder/expected"
{
    command -v node &&
        npm install --prefix "$folder" --ignore-scripts --no-audit --no-fund eml-parse-js@1.1.15 eml-format@0.6.1 postal-mime@4.0.0
} >"$folder/log" 2>&1 || { tail -n 5 "$folder/log" >&2; exit 2; }
cat >"$folder/try.mjs" <<'END'
import { promisify } from "node:util";
import emlformat from "eml-format";
import emlparse from "eml-parse-js";
import PostalMime from "postal-mime";

console.warn = () => {};
const FIELDS = "From: ann@example.com\r\nTo: bob@example.net\r\nSubject: Hello\r\n";
const show = ({ text, attachments }) => `text ${JSON.stringify(text?.trim())}, attachments ${(attachments ?? []).length}`;

for (const [name, type] of [["without", ""], ["with", "Content-Type: text/plain\r\n"]]) {
    const eml = `${FIELDS}${type}\r\nHello Bob\r\n`;
    console.log(`${name}: eml-parse-js ${show(await promisify(emlparse.readEml)(eml))}`);
    console.log(`${name}: eml-format ${show(await promisify(emlformat.read)(eml))}`);
    console.log(`${name}: postal-mime ${show(await PostalMime.parse(eml))}`);
}
END
node "$folder/try.mjs" >"$folder/seen" || exit 1
cat "$folder/seen"
diff "$folder/expected" "$folder/seen" || exit 1
