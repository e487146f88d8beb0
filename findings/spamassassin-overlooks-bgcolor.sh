#!/bin/sh
# White words on a blue cell count as hidden when the blue stands in `bgcolor`.
#
# Version: spamassassin 4.0.1-1~deb12u1 with the rules of its package, without network tests (Debian 12).
# Behaviour: HTML_FONT_LOW_CONTRAST compares the colours of words and background. It follows the style `background-color` of a
#   cell and overlooks its attribute `bgcolor`, so the button of a letter, which has the attribute for the sake of old
#   mail programs, costs 0.7 points. Both at once cost nothing.
# Guess: the attribute counts where no style overrules it, as in every mail program.
# Seen:
#     bgcolor="#1a5fb4": HTML_FONT_LOW_CONTRAST 0.7
#     style="background-color:#1a5fb4": no such rule
#     bgcolor="#1a5fb4" style="background-color:#1a5fb4": no such rule
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
sed -n 's/^#     //p' "$0" >"$folder/expected"
HOME=$folder
export HOME
touch "$folder/prefs"
score() {
    perl -T -I "$folder/root/usr/share/perl5" -I "$(echo "$folder"/root/usr/lib/*/perl5/5.*)" "$folder/root/usr/bin/spamassassin" \
        --local --test-mode --configpath="$folder/root/usr/share/spamassassin" \
        --siteconfigpath="$folder/root/etc/spamassassin" --prefspath="$folder/prefs"
}
{
    command -v perl &&
        (
            cd "$folder"
            apt-get download -q spamassassin=4.0.1-1~deb12u1 libhtml-parser-perl=3.81-1+deb12u1 libhtml-tagset-perl=3.20-6 libnet-dns-perl=1.36-1+deb12u1 libnetaddr-ip-perl=4.079+dfsg-2+b1 &&
                for package in *.deb; do dpkg -x "$package" root; done
        ) && printf 'Subject: x\n\nx\n' | score
} >"$folder/log" 2>&1 || { tail -n 5 "$folder/log" >&2; exit 2; }
for cell in 'bgcolor="#1a5fb4"' 'style="background-color:#1a5fb4"' 'bgcolor="#1a5fb4" style="background-color:#1a5fb4"'; do
    score >"$folder/scored" <<END
From: Shop <shop@example.com>
To: Ann <ann@example.net>
Subject: Spring
Date: Tue, 1 Dec 2026 10:00:00 +0000
Message-ID: <20261201100000.1@example.com>
MIME-Version: 1.0
Content-Type: text/html; charset=utf-8

<html><body><p>Hello Ann, these are three things that we made this spring.</p>
<table><tr><td $cell><a href="https://example.com/" style="color:#ffffff">See the offers</a></td></tr></table>
</body></html>
END
    found=$(sed -n 's/^ *\([0-9.]*\) HTML_FONT_LOW_CONTRAST .*/HTML_FONT_LOW_CONTRAST \1/p' "$folder/scored")
    echo "$cell: ${found:-no such rule}"
done >"$folder/seen"
cat "$folder/seen"
diff "$folder/expected" "$folder/seen" || exit 1
