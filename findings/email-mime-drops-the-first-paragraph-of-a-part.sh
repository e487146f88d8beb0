#!/bin/sh
# The first paragraph of a letter is gone when its part has no header fields.
#
# Version: Email::MIME 1.953-1 with Email::Simple 2.218-1 (Debian 12).
# Behaviour: a part needs no header fields; one that begins with an empty line is plain text (RFC 2046, 5.1). Email::MIME passes
#   over that line and takes what follows for the header, up to the next empty line: the first paragraph is dropped, or becomes a
#   field where it has a colon, and a text of one paragraph is empty. With `Content-Type: text/plain` the same part is whole.
# Guess: the same text in all three.
# Seen:
#     Content-Type: text/plain -> [Content-Type] Hello Bob. / We meet at noon.
#     no field -> [] We meet at noon.
#     no field, a colon in the text -> [Hello] We meet at noon.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
sed -n 's/^#     //p' "$0" >"$folder/expected"
{
    command -v perl &&
        (
            cd "$folder"
            apt-get download -q libemail-mime-perl=1.953-1 libemail-simple-perl=2.218-1 libemail-address-xs-perl=1.05-1+b1 &&
                apt-get download -q libemail-messageid-perl=1.408-1 libemail-date-format-perl=1.008-1 libmime-types-perl=2.24-1 &&
                apt-get download -q libemail-mime-contenttype-perl=1.028-1 libemail-mime-encodings-perl=1.317-1 &&
                apt-get download -q libmodule-runtime-perl=0.016-2 libtext-unidecode-perl=1.30-3 &&
                for package in *.deb; do dpkg -x "$package" root; done
        )
} >"$folder/log" 2>&1 || { tail -n 5 "$folder/log" >&2; exit 2; }
PERL5LIB=$(echo "$folder"/root/usr/share/perl5 "$folder"/root/usr/lib/*/perl5/5.* | tr ' ' ':')
export PERL5LIB
perl -MEmail::MIME -e 1 2>"$folder/log" || { tail -n 5 "$folder/log" >&2; exit 2; }
perl - >"$folder/seen" <<'END' || exit 1
use strict;
use warnings;
use Email::MIME;

for (
    ["Content-Type: text/plain", "Content-Type: text/plain\n", "Hello Bob."],
    ["no field", "", "Hello Bob."],
    ["no field, a colon in the text", "", "Hello: Bob."],
) {
    my ($name, $fields, $first) = @$_;
    my $letter = Email::MIME->new(<<"LETTER");
From: ann\@example.com
To: bob\@example.net
Subject: Noon
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=b

--b
$fields
$first

We meet at noon.
--b
Content-Type: text/csv

ann\@example.com
--b--
LETTER
    my ($part) = $letter->subparts;
    my @paragraphs = split(/\n+/, $part->body);
    print "$name -> [", join(" ", $part->header_names), "] ", join(" / ", @paragraphs), "\n";
}
END
cat "$folder/seen"
diff "$folder/expected" "$folder/seen" || exit 1
