#!/bin/sh
# Copied header fields of a signature are cut between name and value, and not between two fields.
#
# Version: dkim-signature 1.3.0 (npm).
# Behaviour: `z=` holds copies of fields, with a vertical bar between two of them, a colon behind each name, and its other
#   special characters encoded (RFC 6376, 3.5). dkim-signature cuts at the colons, as it does rightly in `h=`, so the value of
#   one field and the name of the next are one piece.
# Guess: two copies, `From:ann@example.com` and `Subject:Hello=20Bob`.
# Seen:
#     h: From Subject
#     z: From ann@example.com|Subject Hello=20Bob
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
sed -n 's/^#     //p' "$0" >"$folder/expected"
{
    command -v node &&
        npm install --prefix "$folder" --ignore-scripts --no-audit --no-fund dkim-signature@1.3.0
} >"$folder/log" 2>&1 || { tail -n 5 "$folder/log" >&2; exit 2; }
cat >"$folder/try.mjs" <<'END'
import Signature from "dkim-signature";

const signature = Signature.parse(
    "v=1; a=rsa-sha256; d=example.com; s=mail; h=From:Subject; bh=aGk=; b=aGk=; z=From:ann@example.com|Subject:Hello=20Bob",
);
console.log(`h: ${signature.headers.join(" ")}`);
console.log(`z: ${signature.copiedHeaders.join(" ")}`);
END
node "$folder/try.mjs" >"$folder/seen" || exit 1
cat "$folder/seen"
diff "$folder/expected" "$folder/seen" || exit 1
