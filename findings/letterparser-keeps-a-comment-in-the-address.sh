#!/bin/sh
# A comment behind an address becomes part of the address.
#
# Version: letterparser 0.1.8, beside mailparser 3.14.2 (npm).
# Behaviour: `bob@example.net (Bob)` is an address with a comment, the older way to give a name (RFC 5322, 3.4 and Appendix
#   A.5). letterparser gives all of it as the address. Of a group (3.4) it takes name, colon and semicolon for an address, or
#   for a part of one, also when the group has no members.
# Guess: what mailparser says.
# Seen:
#     Bob <bob@example.net> -> letterparser [bob@example.net], mailparser [bob@example.net]
#     bob@example.net (Bob) -> letterparser [bob@example.net (Bob)], mailparser [bob@example.net]
#     Team: bob@example.net; -> letterparser [Team: bob@example.net;], mailparser [bob@example.net]
#     undisclosed-recipients:; -> letterparser [undisclosed-recipients:;], mailparser []
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
sed -n 's/^#     //p' "$0" >"$folder/expected"
{
    command -v node &&
        npm install --prefix "$folder" --ignore-scripts --no-audit --no-fund letterparser@0.1.8 mailparser@3.14.2
} >"$folder/log" 2>&1 || { tail -n 5 "$folder/log" >&2; exit 2; }
cat >"$folder/try.mjs" <<'END'
import { extract } from "letterparser";
import { simpleParser } from "mailparser";

const members = (list) => (list ?? []).flatMap(({ address, group }) => (group ? members(group) : [address]));

for (const to of [
    "Bob <bob@example.net>",
    "bob@example.net (Bob)",
    "Team: bob@example.net;",
    "undisclosed-recipients:;",
]) {
    const letter = `From: ann@example.com\r\nTo: ${to}\r\n\r\nHello\r\n`;
    const show = (list) => `[${members(list).join("|")}]`;
    const other = (await simpleParser(letter)).to.value;
    console.log(`${to} -> letterparser ${show(extract(letter).to)}, mailparser ${show(other)}`);
}
END
node "$folder/try.mjs" >"$folder/seen" || exit 1
cat "$folder/seen"
diff "$folder/expected" "$folder/seen" || exit 1
