#!/bin/sh
# A name in quotes loses its brackets, and a comment is made of them.
#
# Version: Email::Address 1.913-1, beside Email::Address::XS 1.05-1+b1 (Debian 12).
# Behaviour: brackets inside a quoted string are a part of the text and no comment (RFC 5322, 3.2.4), which is why names with
#   brackets are written in quotes. Email::Address cuts them out of the name, wherever they stand; written anew they stand behind
#   the address.
# Guess: what Email::Address::XS says.
# Seen:
#     Email::Address: name "Ann", written "Ann" <ann@example.com> (Sales)
#     Email::Address::XS: name "Ann (Sales)", written "Ann (Sales)" <ann@example.com>
#     Email::Address: name "Ann, Ltd", written "Ann, Ltd" <ann@example.com> (UK)
#     Email::Address::XS: name "Ann (UK), Ltd", written "Ann (UK), Ltd" <ann@example.com>
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
sed -n 's/^#     //p' "$0" >"$folder/expected"
{
    command -v perl &&
        (
            cd "$folder"
            apt-get download -q libemail-address-perl=1.913-1 libemail-address-xs-perl=1.05-1+b1 &&
                for package in *.deb; do dpkg -x "$package" root; done
        )
} >"$folder/log" 2>&1 || { tail -n 5 "$folder/log" >&2; exit 2; }
PERL5LIB=$(echo "$folder"/root/usr/share/perl5 "$folder"/root/usr/lib/*/perl5/5.* | tr ' ' ':')
export PERL5LIB
perl -MEmail::Address -MEmail::Address::XS -e 1 2>"$folder/log" || { tail -n 5 "$folder/log" >&2; exit 2; }
perl - >"$folder/seen" <<'END' || exit 1
use strict;
use warnings;
use Email::Address;
use Email::Address::XS;

for my $field ('"Ann (Sales)" <ann@example.com>', '"Ann (UK), Ltd" <ann@example.com>') {
    for my $library ("Email::Address", "Email::Address::XS") {
        my ($address) = $library->parse($field);
        print "$library: name \"", $address->phrase, "\", written ", $address->format, "\n";
    }
}
END
cat "$folder/seen"
diff "$folder/expected" "$folder/seen" || exit 1
