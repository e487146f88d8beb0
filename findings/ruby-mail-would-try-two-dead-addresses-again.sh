#!/bin/sh
# A bounce of one dead address is final, and a bounce of two is worth another try.
#
# Version: ruby-mail 2.7.1+dfsg1-2 with Ruby 3.1.2 (Debian 12).
# Behaviour: a delivery status notification may tell of several recipients, each with an action and a status (RFC 3464, 2.3).
#   `retryable?` says whether the failure may pass, which a status of class 5 does not (RFC 3463, 2). Of two recipients the library
#   compares the list of their statuses with a pattern for one, which never matches, so two addresses that do not exist are
#   retryable. `bounced?` looks at the first action, and overlooks a failure behind a delivery.
# Guess: bounced in all three, retryable in none.
# Seen:
#     5.1.1: bounced true, retryable false
#     5.1.1 5.1.1: bounced true, retryable true
#     2.0.0 5.1.1: bounced false, retryable true
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
sed -n 's/^#     //p' "$0" >"$folder/expected"
{
    (
        cd "$folder"
        apt-get download -q ruby3.1=3.1.7+really3.1.2-0+deb12u1 libruby3.1=3.1.7+really3.1.2-0+deb12u1 &&
            apt-get download -q ruby-mail=2.7.1+dfsg1-2 ruby-mini-mime=1.1.1-2 &&
            for package in *.deb; do dpkg -x "$package" root; done
    )
} >"$folder/log" 2>&1 || { tail -n 5 "$folder/log" >&2; exit 2; }
export LANG=C.UTF-8
export RUBYLIB="$folder/root/usr/lib/ruby/vendor_ruby"
cd "$folder/root/usr/lib"
for place in ruby/3.1.0 */ruby/3.1.0 ruby/gems/3.1.0/gems/*/lib ../share/rubygems-integration/all/gems/*/lib; do
    RUBYLIB="$RUBYLIB:$PWD/$place"
done
export LD_LIBRARY_PATH="$PWD:$(dirname "$PWD"/*/libruby-3.1.so.3.1)"
ruby="$folder/root/usr/bin/ruby3.1 --disable-gems"
$ruby -r stringio -r mail -e 1 2>"$folder/log" || { tail -n 5 "$folder/log" >&2; exit 2; }
$ruby -r mail - >"$folder/seen" 2>"$folder/log" <<'END' || exit 1
[%w[5.1.1], %w[5.1.1 5.1.1], %w[2.0.0 5.1.1]].each do |statuses|
  recipients = statuses.each_with_index.map do |status, at|
    "Final-Recipient: rfc822; bob#{at}@example.net\nAction: #{status.start_with?("5") ? "failed" : "delivered"}\nStatus: #{status}\n"
  end
  letter = Mail.new((<<~HEAD + recipients.join("\n") + "\n--b--\n").gsub("\n", "\r\n"))
    From: MAILER-DAEMON@mx.example.net
    To: ann@example.com
    Subject: Undelivered Mail Returned to Sender
    MIME-Version: 1.0
    Content-Type: multipart/report; report-type=delivery-status; boundary=b

    --b
    Content-Type: text/plain

    Not all were reached.
    --b
    Content-Type: message/delivery-status

    Reporting-MTA: dns; mx.example.net

  HEAD
  puts "#{statuses.join(" ")}: bounced #{letter.bounced?}, retryable #{letter.retryable?}"
end
END
cat "$folder/seen"
diff "$folder/expected" "$folder/seen" || exit 1
