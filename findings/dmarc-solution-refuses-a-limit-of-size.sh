#!/bin/sh
# A valid DMARC record is refused when it says how large a report may be.
#
# Version: dmarc-solution 1.2.5, beside dmarc-parse 1.2.1 (npm).
# Behaviour: behind the URI of `rua` or `ruf` an exclamation mark and a number may say how large a report may be, with a letter for the
#   unit (RFC 7489, 6.2 and 6.4, `dmarc-uri`). dmarc-solution takes that for a part of the address and says that the address is
#   invalid, so that nothing of the record is read.
# Guess: `none` from both records.
# Seen:
#     mailto:dmarc@example.com: none
#     mailto:dmarc@example.com!10m: Invalid email address in 'rua': 'dmarc@example.com!10m'
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
sed -n 's/^#     //p' "$0" >"$folder/expected"
{
    command -v node &&
        npm install --prefix "$folder" --ignore-scripts --no-audit --no-fund dmarc-solution@1.2.5
} >"$folder/log" 2>&1 || { tail -n 5 "$folder/log" >&2; exit 2; }
cat >"$folder/try.mjs" <<'END'
import dmarc from "dmarc-solution";

for (const uri of ["mailto:dmarc@example.com", "mailto:dmarc@example.com!10m"]) {
    let seen;
    try {
        seen = await dmarc.parse(`v=DMARC1; p=none; rua=${uri}`);
    } catch (error) {
        seen = error;
    }
    console.log(`${uri}: ${seen.message ?? seen.p.value}`);
}
END
node "$folder/try.mjs" >"$folder/seen" || exit 1
cat "$folder/seen"
diff "$folder/expected" "$folder/seen" || exit 1
