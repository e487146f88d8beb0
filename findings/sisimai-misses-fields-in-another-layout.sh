#!/bin/sh
# A bounce is overlooked because of the layout of one field.
#
# Version: Sisimai 4.25.15-1 (Debian 12).
# Behaviour: the fields of a notification have the syntax of header fields: names in either case, folding, comments
#   (RFC 3464, 2.1.1). With `Final-Recipient` in one of these forms no bounce is found at all, and nothing is said. For
#   `RFC822`, `FAILED` and a field without a blank it is found.
# Guess: the same bounce in all five.
# Seen:
#     plain: bob@example.net userunknown
#     capitals: bob@example.net userunknown
#     small letters: none
#     folded: none
#     comment: none
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
sed -n 's/^#     //p' "$0" >"$folder/expected"
{
    command -v perl &&
        (
            cd "$folder"
            apt-get download -q libsisimai-perl=4.25.15-1 libclass-accessor-lite-perl=0.08-3 libjson-perl=4.10000-1 &&
                for package in *.deb; do dpkg -x "$package" root; done
        )
} >"$folder/log" 2>&1 || { tail -n 5 "$folder/log" >&2; exit 2; }
cd "$folder"
perl -I root/usr/share/perl5 - >"$folder/seen" <<'END' || exit 1
use strict;
use warnings;
use Sisimai;

for (
    ["plain", "Final-Recipient: rfc822; bob\@example.net\nAction: failed"],
    ["capitals", "Final-Recipient:RFC822;bob\@example.net\nAction:FAILED"],
    ["small letters", "final-recipient: rfc822; bob\@example.net\naction: failed"],
    ["folded", "Final-Recipient: rfc822;\n bob\@example.net\nAction: failed"],
    ["comment", "Final-Recipient: rfc822; bob\@example.net (Bob)\nAction: failed"],
) {
    my ($name, $fields) = @$_;
    open(my $file, ">", "letter.eml") or die $!;
    print $file <<"LETTER";
Return-Path: <>
Date: Tue, 1 Dec 2026 10:00:00 +0000
From: MAILER-DAEMON\@mx.example.net (Mail Delivery System)
To: ann\@example.com
Subject: Undelivered Mail Returned to Sender
Message-Id: <1\@mx.example.net>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

It could not be delivered.

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.net
Arrival-Date: Tue, 1 Dec 2026 09:00:00 +0000

$fields
Status: 5.1.1

--b
Content-Type: message/rfc822

From: ann\@example.com
To: bob\@example.net
Subject: Hello
Message-Id: <2\@example.com>
Date: Tue, 1 Dec 2026 09:00:00 +0000

Hello

--b--
LETTER
    close($file);
    my $found = Sisimai->make("letter.eml");
    print "$name: ", ($found ? join(" ", map { $_->recipient->address . " " . $_->reason } @$found) : "none"), "\n";
}
END
cat "$folder/seen"
diff "$folder/expected" "$folder/seen" || exit 1
