#!/bin/sh
# A colon in the label of a postal address becomes a part of the address.
#
# Version: vcard-parser 1.0.0, beside ical.js 2.2.1 (npm).
# Behaviour: the value of a parameter may hold colons and semicolons when it is in quotes (RFC 6350, 3.3 and 5), as the label of
#   an address does (6.3.1). vcard-parser ends the parameters at the first colon, quoted or not. The rest of the label becomes
#   the post office box, and a semicolon in it moves each field of the address on by one, so that the street is the town.
# Guess: what ical.js says.
# Seen:
#     vcard-parser [" Bob"," 2nd floor\":","","Main Road 1","Bristol","","BS1","UK"]
#     ical.js ["","","Main Road 1","Bristol","","BS1","UK"]
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
sed -n 's/^#     //p' "$0" >"$folder/expected"
{
    command -v node &&
        npm install --prefix "$folder" --ignore-scripts --no-audit --no-fund vcard-parser@1.0.0 ical.js@2.2.1
} >"$folder/log" 2>&1 || { tail -n 5 "$folder/log" >&2; exit 2; }
cat >"$folder/try.mjs" <<'END'
import ICAL from "ical.js";
import vcardParser from "vcard-parser";

const card = [
    "BEGIN:VCARD", "VERSION:4.0", "FN:Ann Smith",
    'ADR;LABEL="c/o: Bob; 2nd floor":;;Main Road 1;Bristol;;BS1;UK', "END:VCARD", "",
].join("\r\n");
console.log("vcard-parser", JSON.stringify(vcardParser.parse(card).adr[0].value));
console.log("ical.js", JSON.stringify(new ICAL.Component(ICAL.parse(card)).getFirstPropertyValue("adr")));
END
node "$folder/try.mjs" >"$folder/seen" || exit 1
cat "$folder/seen"
diff "$folder/expected" "$folder/seen" || exit 1
