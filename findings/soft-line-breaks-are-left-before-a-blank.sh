#!/bin/sh
# A line that was broken for the way stays broken when a server has put a blank behind it.
#
# Version: postal-mime 4.0.0, beside mailparser 3.14.2 (npm); Ruby 3.1.2 (Debian 12).
# Behaviour: blanks may stand behind the `=` that ends a line of quoted-printable, since servers add some, and a reader takes them
#   away with the break (RFC 2045, 6.7, `transport-padding` and rule 3). postal-mime leaves sign, blank and break in the text. Ruby's
#   `unpack1("M")`, with which its mail library decodes, stops there and gives all that follows as it stands, however long.
# Guess: what mailparser says.
# Seen:
#     mailparser "Two words: a=b\n"
#     postal-mime "Two wo= \nrds: a=b\n"
#     Ruby "Two wo= \nrds: a=3Db\n"
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
sed -n 's/^#     //p' "$0" >"$folder/expected"
{
    command -v node &&
        (
            cd "$folder"
            apt-get download -q ruby3.1=3.1.7+really3.1.2-0+deb12u1 libruby3.1=3.1.7+really3.1.2-0+deb12u1 &&
                for package in *.deb; do dpkg -x "$package" root; done
        ) &&
        npm install --prefix "$folder" --ignore-scripts --no-audit --no-fund postal-mime@4.0.0 mailparser@3.14.2
} >"$folder/log" 2>&1 || { tail -n 5 "$folder/log" >&2; exit 2; }
cat >"$folder/try.mjs" <<'END'
import { simpleParser } from "mailparser";
import PostalMime from "postal-mime";

const letter = [
    "From: ann@example.com",
    "MIME-Version: 1.0",
    "Content-Type: text/plain; charset=us-ascii",
    "Content-Transfer-Encoding: quoted-printable",
    "",
    "Two wo= ",
    "rds: a=3Db",
    "",
].join("\r\n");
console.log(`mailparser ${JSON.stringify((await simpleParser(letter)).text)}`);
console.log(`postal-mime ${JSON.stringify((await PostalMime.parse(letter)).text)}`);
END
node "$folder/try.mjs" >"$folder/seen" || exit 1
cd "$folder/root/usr/lib"
export LD_LIBRARY_PATH="$PWD:$(dirname "$PWD"/*/libruby-3.1.so.3.1)"
"$folder/root/usr/bin/ruby3.1" --disable-gems -e 1 2>"$folder/log" || { tail -n 5 "$folder/log" >&2; exit 2; }
"$folder/root/usr/bin/ruby3.1" --disable-gems - >>"$folder/seen" <<'END' || exit 1
puts "Ruby #{"Two wo= \nrds: a=3Db\n".unpack1("M").dump}"
END
cat "$folder/seen"
diff "$folder/expected" "$folder/seen" || exit 1
