#!/bin/sh
# A letter cannot be read when there is a plus in its boundary.
#
# Version: mimemessage 1.0.5, beside postal-mime 4.0.0 (npm).
# Behaviour: a boundary may hold `+`, `?`, brackets and dots (RFC 2046, 5.1.1, `bchars`), and mutt makes its boundaries of 16
#   letters, digits, `+` and `/`. mimemessage takes the boundary for a regular expression, does not find it, and says that the
#   letter is none. With another letter for the plus it is read.
# Guess: two parts.
# Seen:
#     HlLx5n6rz5pIUxbD mimemessage: text/plain, text/csv
#     HlLx5n6rz5pIUxbD postal-mime: text/plain, text/csv
#     HlL+5n6rz5pIUxbD mimemessage: false
#     HlL+5n6rz5pIUxbD postal-mime: text/plain, text/csv
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
sed -n 's/^#     //p' "$0" >"$folder/expected"
{
    command -v node &&
        npm install --prefix "$folder" --ignore-scripts --no-audit --no-fund mimemessage@1.0.5 postal-mime@4.0.0
} >"$folder/log" 2>&1 || { tail -n 5 "$folder/log" >&2; exit 2; }
cat >"$folder/try.mjs" <<'END'
import mimemessage from "mimemessage";
import PostalMime from "postal-mime";

for (const boundary of ["HlLx5n6rz5pIUxbD", "HlL+5n6rz5pIUxbD"]) {
    const letter =
        `MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="${boundary}"\r\n\r\n` +
        `--${boundary}\r\nContent-Type: text/plain\r\n\r\nHello Bob\r\n` +
        `--${boundary}\r\nContent-Type: text/csv\r\nContent-Disposition: attachment\r\n\r\n1\r\n--${boundary}--\r\n`;
    const one = mimemessage.parse(letter);
    const two = await PostalMime.parse(letter);
    console.log(`${boundary} mimemessage: ${one ? one.body.map((part) => part.contentType().fulltype).join(", ") : one}`);
    console.log(`${boundary} postal-mime: text/plain, ${two.attachments[0].mimeType}`);
}
END
node "$folder/try.mjs" >"$folder/seen" || exit 1
cat "$folder/seen"
diff "$folder/expected" "$folder/seen" || exit 1
