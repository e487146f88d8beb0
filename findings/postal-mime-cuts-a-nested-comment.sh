#!/bin/sh
# Half a comment becomes part of the name.
#
# Version: postal-mime 4.0.0, beside mailparser 3.14.2 (npm).
# Behaviour: comments nest (RFC 5322, 3.2.2). postal-mime ends one at the first closing bracket, nested or escaped, and what
#   follows is taken for the display name.
# Guess: the name is `Ann Smith`, as mailparser says.
# Seen:
#     Ann (of the (big) house) Smith <ann@example.com>: postal-mime "Ann house) Smith", mailparser "Ann Smith"
#     Ann (a smile: \) ) Smith <ann@example.com>: postal-mime "Ann ) Smith", mailparser "Ann Smith"
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
sed -n 's/^#     //p' "$0" >"$folder/expected"
{
    command -v node &&
        npm install --prefix "$folder" --ignore-scripts --no-audit --no-fund postal-mime@4.0.0 mailparser@3.14.2
} >"$folder/log" 2>&1 || { tail -n 5 "$folder/log" >&2; exit 2; }
cat >"$folder/try.mjs" <<'END'
import { simpleParser } from "mailparser";
import PostalMime from "postal-mime";

for (const to of ["Ann (of the (big) house) Smith <ann@example.com>", "Ann (a smile: \\) ) Smith <ann@example.com>"]) {
    const letter = `To: ${to}\r\n\r\nHello\r\n`;
    const postal = (await PostalMime.parse(letter)).to[0].name;
    const other = (await simpleParser(letter)).to.value[0].name;
    console.log(`${to}: postal-mime ${JSON.stringify(postal)}, mailparser ${JSON.stringify(other)}`);
}
END
node "$folder/try.mjs" >"$folder/seen" || exit 1
cat "$folder/seen"
diff "$folder/expected" "$folder/seen" || exit 1
