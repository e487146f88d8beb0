#!/bin/sh
# A comment in List-Unsubscribe turns its link into an identifier.
#
# Version: mailparser 3.14.2 (npm).
# Behaviour: `headers.get("list").unsubscribe` has `url` and `mail`. With a comment in front, as in an example of RFC 2369, 3.2,
#   the link stands under `id`, as in List-Id, and there is no `url`. Of two addresses the last one
#   stays, where section 2 prefers the first.
# Guess: `url` in both; of two, both or the first.
# Seen:
#     <https://example.com/u> -> {"url":"https://example.com/u"}
#     (Leave the list) <https://example.com/u> -> {"name":"Leave the list","id":"https://example.com/u"}
#     <https://example.com/1>, <https://example.com/2> -> {"url":"https://example.com/2"}
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
sed -n 's/^#     //p' "$0" >"$folder/expected"
{
    command -v node &&
        npm install --prefix "$folder" --ignore-scripts --no-audit --no-fund mailparser@3.14.2
} >"$folder/log" 2>&1 || { tail -n 5 "$folder/log" >&2; exit 2; }
cat >"$folder/try.mjs" <<'END'
import { simpleParser } from "mailparser";

for (const value of [
    "<https://example.com/u>",
    "(Leave the list) <https://example.com/u>",
    "<https://example.com/1>, <https://example.com/2>",
]) {
    const letter = await simpleParser(`List-Unsubscribe: ${value}\r\n\r\nHello\r\n`);
    console.log(`${value} -> ${JSON.stringify(letter.headers.get("list").unsubscribe)}`);
}
END
node "$folder/try.mjs" >"$folder/seen" || exit 1
cat "$folder/seen"
diff "$folder/expected" "$folder/seen" || exit 1
