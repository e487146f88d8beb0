#!/bin/sh
# Who stands behind a group becomes a member of it when the letter is written again.
#
# Version: ruby-mail 2.7.1+dfsg1-2 with Ruby 3.1.2 (Debian 12).
# Behaviour: a group ends with its semicolon, and further addresses may follow (RFC 5322, 3.4). The field is read right, and only a
#   look at it makes the writer put the group's end behind the last address. Of a group without members, as in
#   `undisclosed-recipients:;`, nothing is left but the name of the field, which may not be (3.6.3).
# Guess: the fields as they were.
# Seen:
#     To: Sales: bob@example.net;, carl@example.org -> To: Sales: bob@example.net, carl@example.org;
#     To: carl@example.org, Sales: bob@example.net; -> To: carl@example.org, Sales: bob@example.net;
#     Cc: undisclosed-recipients:; -> Cc:
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
$ruby -r mail - >"$folder/seen" <<'END' || exit 1
[
  "To: Sales: bob@example.net;, carl@example.org",
  "To: carl@example.org, Sales: bob@example.net;",
  "Cc: undisclosed-recipients:;",
].each do |field|
  letter = Mail.new("From: ann@example.com\r\n#{field}\r\n\r\nHello.\r\n")
  name = field[/\w+/]
  letter[name].addresses
  written = letter[name].encoded.gsub(/\s+/, " ").strip
  puts "#{field} -> #{written}"
end
END
cat "$folder/seen"
diff "$folder/expected" "$folder/seen" || exit 1
