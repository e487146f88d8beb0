#!/bin/sh
# A name that was encoded is shown as `=?utf-8?q?...?=` once the address was read and written again.
#
# Version: Email::Address 1.913-1, beside Email::Address::XS 1.05-1+b1 (Debian 12).
# Behaviour: `format` puts quotes around a name of several words, encoded words among them. Inside a quoted string an encoded word
#   must not be (RFC 2047, 5, rule 3), and readers show it as it stands, so that whoever only copies an address from one field to
#   another makes its name unreadable. A name of one encoded word stays as it is.
# Guess: the field as it was.
# Seen:
#     Email::Address: "=?utf-8?q?J=C3=BCrgen?= Smith" <j@example.com>
#     Email::Address::XS: =?utf-8?q?J=C3=BCrgen?= Smith <j@example.com>
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

for my $library ("Email::Address", "Email::Address::XS") {
    my ($address) = $library->parse('=?utf-8?q?J=C3=BCrgen?= Smith <j@example.com>');
    print "$library: ", $address->format, "\n";
}
END
cat "$folder/seen"
diff "$folder/expected" "$folder/seen" || exit 1
