#!/bin/sh
# An address is lost when its property has a group, as the cards of Apple's address book have.
#
# Version: abook 0.6.1-2+b1 (Debian 12).
# Behaviour: a property may have the name of a group and a dot in front, which belong together what a label of one's own describes, and
#   names are equal in either case (RFC 6350, 3.3). abook knows neither: the person is imported without the address, and nothing is
#   said. A parameter behind the name does no harm.
# Guess: the address from all four.
# Seen:
#     EMAIL -> "Ann Smith","ann@example.com"
#     EMAIL;TYPE=WORK -> "Ann Smith","ann@example.com"
#     item1.EMAIL -> "Ann Smith",""
#     email -> "Ann Smith",""
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
sed -n 's/^#     //p' "$0" >"$folder/expected"
{
    (
        cd "$folder"
        apt-get download -q abook=0.6.1-2+b1 &&
            for package in *.deb; do dpkg -x "$package" root; done
    )
} >"$folder/log" 2>&1 || { tail -n 5 "$folder/log" >&2; exit 2; }
cd "$folder"
export HOME="$folder"
root/usr/bin/abook --formats >"$folder/log" 2>&1 || { tail -n 5 "$folder/log" >&2; exit 2; }
for name in EMAIL 'EMAIL;TYPE=WORK' item1.EMAIL email; do
    printf '%s\r\n' BEGIN:VCARD VERSION:3.0 'N:Smith;Ann;;;' 'FN:Ann Smith' "$name:ann@example.com" END:VCARD >card.vcf
    line=$(root/usr/bin/abook --convert --infile card.vcf --informat vcard --outformat csv) || exit 1
    echo "$name -> $(echo "$line" | cut -d , -f 1,2)"
done >"$folder/seen"
cat "$folder/seen"
diff "$folder/expected" "$folder/seen" || exit 1
