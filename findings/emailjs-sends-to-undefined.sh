#!/bin/sh
# A letter to `undisclosed-recipients:;` is sent to the address `undefined`.
#
# Version: emailjs 5.0.3 (npm).
# Behaviour: To may hold a group, with members or without (RFC 5322, 3.4), and the empty one is what stands there when all
#   recipients are blind copies. emailjs makes one recipient of a group, whose address is the word `undefined`, in the envelope
#   and in the header. The members of a group are sent nothing.
# Guess: RCPT for the members and the blind copies, and the group in the header as it was given.
# Seen:
#     RCPT TO:<undefined> RCPT TO:<ann@example.com> To: =?UTF-8?Q?undisclosed-recipients?= <undefined>
#     RCPT TO:<undefined> To: =?UTF-8?Q?Sales?= <undefined>
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
sed -n 's/^#     //p' "$0" >"$folder/expected"
{
    command -v node &&
        npm install --prefix "$folder" --ignore-scripts --no-audit --no-fund emailjs@5.0.3
} >"$folder/log" 2>&1 || { tail -n 5 "$folder/log" >&2; exit 2; }
cat >"$folder/try.mjs" <<'END'
import { createServer } from "node:net";
import { createInterface } from "node:readline";
import { Message, SMTPClient } from "emailjs";

let seen = [];
const server = createServer((socket) => {
    let inData = false;
    socket.on("error", () => {});
    socket.write("220 mx.example.com ESMTP\r\n");
    createInterface({ input: socket }).on("line", (line) => {
        if (/^(RCPT |To:)/.test(line)) seen.push(line);
        if (inData && line !== ".") return;
        inData = /^data$/i.test(line);
        socket.write(inData ? "354 go on\r\n" : "250 fine\r\n");
    });
});
await new Promise((done) => server.listen(0, "127.0.0.1", done));
for (const recipients of [
    { to: "undisclosed-recipients:;", bcc: "ann@example.com" },
    { to: "Sales: ann@example.com, bob@example.com;" },
]) {
    const client = new SMTPClient({ host: "127.0.0.1", port: server.address().port });
    await client.sendAsync(new Message({ from: "news@example.com", subject: "News", text: "Hello", ...recipients }));
    console.log(...seen);
    seen = [];
}
process.exit(0);
END
node "$folder/try.mjs" >"$folder/seen" || exit 1
cat "$folder/seen"
diff "$folder/expected" "$folder/seen" || exit 1
