#!/bin/sh
# A letter with umlauts says that it has none.
#
# Version: mimetext 3.0.28 and its offshoot mail-mime-builder 1.0.4 (npm).
# Behaviour: a part without an encoding given is written as `Content-Transfer-Encoding: 7bit`, and its text as it stands. 7bit
#   means that no octet is above 127 (RFC 2045, 2.7 and 6.2), and a server without 8BITMIME may refuse or cut the others. The
#   name and the subject of the same letter are encoded without being asked.
# Guess: quoted-printable or base64 where the text needs it; at the least, 8bit.
# Seen:
#     mimetext: Content-Transfer-Encoding: 7bit, octets above 127: 4
#     mail-mime-builder: Content-Transfer-Encoding: 7bit, octets above 127: 4
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
sed -n 's/^#     //p' "$0" >"$folder/expected"
{
    command -v node &&
        npm install --prefix "$folder" --ignore-scripts --no-audit --no-fund mimetext@3.0.28 mail-mime-builder@1.0.4
} >"$folder/log" 2>&1 || { tail -n 5 "$folder/log" >&2; exit 2; }
cat >"$folder/try.mjs" <<'END'
import { createMimeMessage as build } from "mail-mime-builder";
import { createMimeMessage as mimetext } from "mimetext";

for (const [name, create] of [["mimetext", mimetext], ["mail-mime-builder", build]]) {
    const letter = create();
    letter.setSender("ann@example.com");
    letter.setTo("bob@example.net");
    letter.setSubject("Grüße");
    letter.addMessage({ contentType: "text/plain", data: "Grüße" });
    const raw = Buffer.from(letter.asRaw());
    const [encoding] = /Content-Transfer-Encoding: \w+/.exec(raw);
    console.log(`${name}: ${encoding}, octets above 127: ${raw.filter((octet) => octet > 127).length}`);
}
END
node "$folder/try.mjs" >"$folder/seen" || exit 1
cat "$folder/seen"
diff "$folder/expected" "$folder/seen" || exit 1
