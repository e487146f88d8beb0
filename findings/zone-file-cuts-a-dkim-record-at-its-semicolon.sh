#!/bin/sh
# A DKIM record is cut at its first semicolon.
#
# Version: zone-file 1.0.0, beside dns-zonefile 0.3.2 (npm).
# Behaviour: zone-file takes a semicolon inside a quoted string for the start of a comment, so `v=DKIM1` is all that is left of a
#   key record, and `v=DMARC1` of a policy. RFC 1035, 5.1: only a semicolon outside of a quoted string starts a comment.
# Guess: what dns-zonefile says, with or without the quotes.
# Seen:
#     zone-file "v=DKIM1"
#     dns-zonefile "\"v=DKIM1; k=rsa; p=AAA\""
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
sed -n 's/^#     //p' "$0" >"$folder/expected"
{
    command -v node &&
        npm install --prefix "$folder" --ignore-scripts --no-audit --no-fund zone-file@1.0.0 dns-zonefile@0.3.2
} >"$folder/log" 2>&1 || { tail -n 5 "$folder/log" >&2; exit 2; }
cat >"$folder/try.mjs" <<'END'
import * as dnsZonefile from "dns-zonefile";
import zoneFile from "zone-file";

const zone = '$ORIGIN example.com.\n$TTL 300\ns1._domainkey IN TXT "v=DKIM1; k=rsa; p=AAA" ; since May\n';
console.log("zone-file", JSON.stringify(zoneFile.parseZoneFile(zone).txt[0].txt));
console.log("dns-zonefile", JSON.stringify((dnsZonefile.default ?? dnsZonefile).parse(zone).txt[0].txt));
END
node "$folder/try.mjs" >"$folder/seen" || exit 1
cat "$folder/seen"
diff "$folder/expected" "$folder/seen" || exit 1
