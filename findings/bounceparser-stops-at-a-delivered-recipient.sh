#!/bin/sh
# A recipient who was reached hides one who was not.
#
# Version: Mail::DeliveryStatus::BounceParser 1.543+repacked-1 with libmime-tools-perl 5.510-1 (Debian 12).
# Behaviour: a delivery status notification may tell of several recipients with several actions (RFC 3464, 2.3). At the first one
#   that was delivered or delayed the parser stops and says that the letter is no bounce. Whether the failed recipient is
#   among the reports depends on the order in which the server wrote them.
# Guess: a bounce in all three, with one report, of bob@example.net.
# Seen:
#     bob failed: bounce, reports: bob@example.net
#     bob failed, carl delivered: no bounce, reports: bob@example.net
#     carl delivered, bob failed: no bounce, reports:
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
sed -n 's/^#     //p' "$0" >"$folder/expected"
{
    command -v perl &&
        (
            cd "$folder"
            apt-get download -q libmail-deliverystatus-bounceparser-perl=1.543+repacked-1 libmailtools-perl=2.21-2 libmime-tools-perl=5.510-1 libtimedate-perl=2.3300-2 &&
                for package in *.deb; do dpkg -x "$package" root; done
        )
} >"$folder/log" 2>&1 || { tail -n 5 "$folder/log" >&2; exit 2; }
cd "$folder"
perl -I root/usr/share/perl5 - >"$folder/seen" <<'END' || exit 1
use strict;
use warnings;
use Mail::DeliveryStatus::BounceParser;

my $bob = "Final-Recipient: rfc822; bob\@example.net\nAction: failed\nStatus: 5.1.1\n";
my $carl = "Final-Recipient: rfc822; carl\@example.net\nAction: delivered\nStatus: 2.1.5\n";
for (["bob failed", $bob], ["bob failed, carl delivered", "$bob\n$carl"], ["carl delivered, bob failed", "$carl\n$bob"]) {
    my ($name, $recipients) = @$_;
    my $parsed = Mail::DeliveryStatus::BounceParser->new(<<"LETTER");
From: MAILER-DAEMON\@mx.example.net
To: ann\@example.com
Subject: Undelivered Mail Returned to Sender
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

This is about your message.

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.net

$recipients
--b
Content-Type: message/rfc822

From: ann\@example.com
To: bob\@example.net, carl\@example.net
Subject: Hello

Hello

--b--
LETTER
    my $kind = $parsed->is_bounce ? "bounce" : "no bounce";
    print "$name: $kind, reports:", (map { " " . $_->get("email") } $parsed->reports), "\n";
}
END
cat "$folder/seen"
diff "$folder/expected" "$folder/seen" || exit 1
