#!/bin/sh
# An initial in a name is moved away from its dot.
#
# Version: Mail::Address of MailTools 2.21-2 (Debian 12).
# Behaviour: `Ann B. Smith <ann@example.com>` has no quotes, as most people write it, and a reader has to take the dot (RFC 5322, 4.1,
#   `obs-phrase`). Mail::Address joins the words of a name by blanks and counts the dot as a word, in what it gives and in what it
#   writes. In quotes the name stays as it is.
# Guess: `Ann B. Smith` in all.
# Seen:
#     Ann B. Smith <ann@example.com> -> name Ann B . Smith, written "Ann B . Smith" <ann@example.com>
#     Dr. Ann Smith <ann@example.com> -> name Dr . Ann Smith, written "Dr . Ann Smith" <ann@example.com>
#     "Ann B. Smith" <ann@example.com> -> name Ann B. Smith, written "Ann B. Smith" <ann@example.com>
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
sed -n 's/^#     //p' "$0" >"$folder/expected"
{
    command -v perl &&
        (
            cd "$folder"
            apt-get download -q libmailtools-perl=2.21-2 &&
                for package in *.deb; do dpkg -x "$package" root; done
        )
} >"$folder/log" 2>&1 || { tail -n 5 "$folder/log" >&2; exit 2; }
perl -I "$folder/root/usr/share/perl5" - >"$folder/seen" <<'END' || exit 1
use strict;
use warnings;
use Mail::Address;

for my $field (
    'Ann B. Smith <ann@example.com>', 'Dr. Ann Smith <ann@example.com>', '"Ann B. Smith" <ann@example.com>',
) {
    my ($address) = Mail::Address->parse($field);
    print "$field -> name ", $address->name, ", written ", $address->format, "\n";
}
END
cat "$folder/seen"
diff "$folder/expected" "$folder/seen" || exit 1
