#!/bin/sh
# The pieces of a long file name are put together in the order 0, 1, 10, 11, 2.
#
# Version: ruby-mail 2.7.1+dfsg1-2 with Ruby 3.1.2 (Debian 12).
# Behaviour: a long parameter is cut into numbered pieces, and the numbers are decimal (RFC 2231, 3). ruby-mail sorts them as texts,
#   so with more than ten pieces, as a name of a hundred Chinese or Arabic letters needs them, the eleventh follows the second, and
#   the name loses its end. Up to ten all is right.
# Guess: the order of the numbers.
# Seen:
#     10 pieces: a-b-c-d-e-f-g-h-i-j.csv
#     11 pieces: a-b-k.csvc-d-e-f-g-h-i-j-
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
[10, 11].each do |count|
  pieces = ("a".."z").first(count)
  named = pieces.each_with_index.map do |letter, at|
    " filename*#{at}=#{letter}#{at == count - 1 ? ".csv" : "-"}"
  end
  letter = Mail.new(<<~LETTER.gsub("\n", "\r\n"))
    From: ann@example.com
    Subject: List
    MIME-Version: 1.0
    Content-Type: multipart/mixed; boundary=b

    --b
    Content-Type: text/plain

    See the list.
    --b
    Content-Type: text/csv
    Content-Disposition: attachment;
    #{named.join(";\n")}

    bob@example.net
    --b--
  LETTER
  puts "#{count} pieces: #{letter.attachments.first.filename}"
end
END
cat "$folder/seen"
diff "$folder/expected" "$folder/seen" || exit 1
