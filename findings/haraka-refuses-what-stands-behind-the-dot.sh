#!/bin/sh
# A server that offers PIPELINING refuses the commands behind the dot.
#
# Version: Haraka 3.3.4 (npm), with a plugin of two lines that accepts all.
# Behaviour: each command that arrives together with the end of the message is answered with 503, and its message is taken.
#   RFC 2920, 3.1, allows the content of a message to be the first thing of a group, so that MAIL and RCPT of the next
#   message travel with it. The same commands a moment later are taken.
# Guess: 250 to all, as EHLO has promised.
# Seen:
#     EHLO: PIPELINING offered
#     one after the other: dot 250, MAIL 250, RCPT 250
#     in one group: dot 250, MAIL 503, RCPT 503
set -eu
folder=$(mktemp -d)
server=
trap 'if [ -n "$server" ]; then kill "$server" || true; fi; rm -rf "$folder"' EXIT
sed -n 's/^#     //p' "$0" >"$folder/expected"
{
    command -v node && command -v python3 &&
        npm install --prefix "$folder" --ignore-scripts --no-audit --no-fund Haraka@3.3.4
} >"$folder/log" 2>&1 || { tail -n 5 "$folder/log" >&2; exit 2; }
mkdir -p "$folder/server/plugins"
cp -r "$folder/node_modules/Haraka/config" "$folder/server/config"
printf 'listen=127.0.0.1:52525\nnodes=0\n' >"$folder/server/config/smtp.ini"
echo take >"$folder/server/config/plugins"
cat >"$folder/server/plugins/take.js" <<'END'
exports.hook_rcpt = (next) => next(OK);
exports.hook_queue = (next) => next(OK);
END
HARAKA="$folder/server" node "$folder/node_modules/Haraka/haraka.js" >"$folder/log" 2>&1 &
server=$!
sleep 8
kill -0 "$server" || { tail -n 5 "$folder/log" >&2; server=; exit 2; }
python3 -I - >"$folder/seen" <<'END' || exit 1
import smtplib

MAIL, RCPT = "MAIL FROM:<ann@example.com>", "RCPT TO:<bob@example.net>"
LETTER = "Subject: Hello\r\n\r\nHello\r\n."
with smtplib.SMTP("127.0.0.1", 52525, timeout=30) as client:
    client.ehlo("client.example")
    print("EHLO: PIPELINING", "offered" if client.has_extn("pipelining") else "not offered")
    for name, together in (("one after the other", False), ("in one group", True)):
        client.docmd(MAIL)
        client.docmd(RCPT)
        client.docmd("DATA")
        codes = []
        for group in ((LETTER, MAIL, RCPT),) if together else ((LETTER,), (MAIL,), (RCPT,)):
            client.send("".join(f"{line}\r\n" for line in group))
            codes += [client.getreply()[0] for _ in group]
        print(f"{name}: dot {codes[0]}, MAIL {codes[1]}, RCPT {codes[2]}")
        client.docmd("RSET")
END
cat "$folder/seen"
diff "$folder/expected" "$folder/seen" || exit 1
