#!/bin/sh
# The link of an event ends at its first comma.
#
# Version: ruby-icalendar 2.8.0-1 with Ruby 3.1.2 (Debian 12).
# Behaviour: URL and ATTACH hold one URI each, which is not escaped (RFC 5545, 3.8.4.6, 3.8.1.1 and 3.3.13), and a URI may hold commas
#   and semicolons. ruby-icalendar makes a list of it: the first entry is a link to another page, the others are relative ones.
#   A summary with an escaped comma is right.
# Guess: the link as it stands.
# Seen:
#     URL:https://example.com/map?at=51.5,7.1;z=9 -> https://example.com/map?at=51.5 7.1 z=9
#     ATTACH:https://example.com/a,b.pdf -> https://example.com/a b.pdf
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
sed -n 's/^#     //p' "$0" >"$folder/expected"
{
    (
        cd "$folder"
        apt-get download -q ruby3.1=3.1.7+really3.1.2-0+deb12u1 libruby3.1=3.1.7+really3.1.2-0+deb12u1 &&
            apt-get download -q ruby-icalendar=2.8.0-1 ruby-ice-cube=0.16.4-3 &&
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
$ruby -r stringio -r icalendar -e 1 2>"$folder/log" || { tail -n 5 "$folder/log" >&2; exit 2; }
$ruby -r stringio -r icalendar - >"$folder/seen" <<'END' || exit 1
["URL:https://example.com/map?at=51.5,7.1;z=9", "ATTACH:https://example.com/a,b.pdf"].each do |line|
  calendars = Icalendar::Calendar.parse(<<~CALENDAR.gsub("\n", "\r\n"))
    BEGIN:VCALENDAR
    VERSION:2.0
    PRODID:-//example//EN
    BEGIN:VEVENT
    UID:1@example.com
    DTSTAMP:20260101T000000Z
    DTSTART:20260301T100000Z
    SUMMARY:Spring
    #{line}
    END:VEVENT
    END:VCALENDAR
  CALENDAR
  event = calendars.first.events.first
  value = line.start_with?("URL") ? event.url : event.attach.first
  puts "#{line} -> #{[*value].join(" ")}"
end
END
cat "$folder/seen"
diff "$folder/expected" "$folder/seen" || exit 1
