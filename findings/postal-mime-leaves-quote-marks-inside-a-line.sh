#!/bin/sh
# A quoted paragraph of format=flowed text gets quote marks in its middle.
#
# Version: postal-mime 4.0.0, beside mailparser 3.14.2 (npm).
# Behaviour: lines are joined, but the quote mark of the second one is left inside the joined line. RFC 3676, 4.2 and 4.5: the
#   marks are taken off first, and lines of one depth are joined.
# Guess: `> We meet at noon.`, as mailparser says.
# Seen:
#     postal-mime "> We meet > at noon.\nGood.\n"
#     mailparser "> We meet at noon.\nGood."
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

const letter = "Content-Type: text/plain; format=flowed\r\n\r\n> We meet \r\n> at noon.\r\nGood.\r\n";
console.log("postal-mime", JSON.stringify((await PostalMime.parse(letter)).text));
console.log("mailparser", JSON.stringify((await simpleParser(letter)).text));
END
node "$folder/try.mjs" >"$folder/seen" || exit 1
cat "$folder/seen"
diff "$folder/expected" "$folder/seen" || exit 1
