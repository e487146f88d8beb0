#!/bin/sh
# A field for a group of recipients is no longer valid once it is written.
#
# Version: php-mail-mime 1.10.11-1 with php-pear 1:1.10.13+submodules+notgz+2022032202-2 and PHP 8.2.36 (Debian 12).
# Behaviour: To may hold a group: a name, a colon, addresses and a semicolon (RFC 5322, 3.4). Mail_mime takes name and colon for the name
#   of the first member and puts quotes around both, so that an address without angle brackets follows a name, and a semicolon ends
#   nothing; with an umlaut in a member's name, the group's name and colon go into the encoded word. A group without members stays.
# Guess: the field as it is, with the names of the members encoded.
# Seen:
#     Team: bob@example.net, carl@example.org; -> "Team:" bob@example.net, carl@example.org;
#     Team: Jürgen <j@example.com>; -> =?utf-8?Q?Team=3A_J=C3=BCrgen?= <j@example.com>;
#     undisclosed-recipients:; -> undisclosed-recipients:;
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
sed -n 's/^#     //p' "$0" >"$folder/expected"
{
    (
        cd "$folder"
        apt-get download -q php8.2-cli=8.2.36-1~deb12u1 php-mail-mime=1.10.11-1 libargon2-1=0~20171227-0.3+deb12u1 &&
            apt-get download -q libsodium23=1.0.18-1+deb12u1 php-pear=1:1.10.13+submodules+notgz+2022032202-2 &&
            for package in *.deb; do dpkg -x "$package" root; done
    )
} >"$folder/log" 2>&1 || { tail -n 5 "$folder/log" >&2; exit 2; }
LD_LIBRARY_PATH=$(dirname "$folder"/root/usr/lib/*/libsodium.so.23)
export LD_LIBRARY_PATH
php="$folder/root/usr/bin/php8.2 -n -d include_path=$folder/root/usr/share/php -d error_reporting=0"
$php -r 'require "Mail/mime.php";' >"$folder/log" 2>&1 || { tail -n 5 "$folder/log" >&2; exit 2; }
$php >"$folder/seen" <<'END' || exit 1
<?php
require "Mail/mime.php";

$fields = [
    "Team: bob@example.net, carl@example.org;",
    "Team: Jürgen <j@example.com>;",
    "undisclosed-recipients:;",
];
foreach ($fields as $field) {
    $letter = new Mail_mime(["eol" => "\n", "head_charset" => "utf-8"]);
    $letter->setTXTBody("Hello.");
    $letter->get();
    echo "$field -> ", $letter->headers(["To" => $field])["To"], "\n";
}
END
cat "$folder/seen"
diff "$folder/expected" "$folder/seen" || exit 1
