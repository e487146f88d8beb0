#!/bin/sh
# A percent sign in a file name is decoded where it should stand.
#
# Version: mailparser 3.14.2, beside postal-mime 4.0.0 (npm).
# Behaviour: a long parameter may be cut into encoded parts, with an asterisk at the end of their names, and plain ones
#   (RFC 2231, 4.1). mailparser decodes the plain ones too, so `20%25.pdf` becomes `20%.pdf`.
# Guess: what postal-mime says.
# Seen:
#     mailparser "Rücken 20%.pdf"
#     postal-mime "Rücken 20%25.pdf"
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
sed -n 's/^#     //p' "$0" >"$folder/expected"
{
    command -v node &&
        npm install --prefix "$folder" --ignore-scripts --no-audit --no-fund mailparser@3.14.2 postal-mime@4.0.0
} >"$folder/log" 2>&1 || { tail -n 5 "$folder/log" >&2; exit 2; }
cat >"$folder/try.mjs" <<'END'
import { simpleParser } from "mailparser";
import PostalMime from "postal-mime";

const letter = [
    "MIME-Version: 1.0",
    "Content-Type: application/pdf",
    "Content-Disposition: attachment; filename*0*=utf-8''R%C3%BCcken%20;",
    ' filename*1="20%25.pdf"',
    "",
    "x",
    "",
].join("\r\n");
console.log("mailparser", JSON.stringify((await simpleParser(letter)).attachments[0].filename));
console.log("postal-mime", JSON.stringify((await PostalMime.parse(letter)).attachments[0].filename));
END
node "$folder/try.mjs" >"$folder/seen" || exit 1
cat "$folder/seen"
diff "$folder/expected" "$folder/seen" || exit 1
