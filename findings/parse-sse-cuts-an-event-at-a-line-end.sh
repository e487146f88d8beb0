#!/bin/sh
# An event of two lines becomes two events when a packet ends inside a line end.
#
# Version: parse-sse 0.1.0, beside eventsource-parser 3.0.6 (npm).
# Behaviour: carriage return and line feed together are one line end (HTML standard, 9.2.5). When they come in two pieces, as
#   the network likes, parse-sse takes the first for a line end and the second for an empty line, which ends the event. The same
#   bytes in one piece are read right, so it happens now and then only.
# Guess: the same event, however the bytes are cut.
# Seen:
#     parse-sse whole ["{\n\"sent\": 7}"] cut ["{","\"sent\": 7}"]
#     eventsource-parser whole ["{\n\"sent\": 7}"] cut ["{\n\"sent\": 7}"]
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
sed -n 's/^#     //p' "$0" >"$folder/expected"
{
    command -v node &&
        npm install --prefix "$folder" --ignore-scripts --no-audit --no-fund parse-sse@0.1.0 eventsource-parser@3.0.6
} >"$folder/log" 2>&1 || { tail -n 5 "$folder/log" >&2; exit 2; }
cat >"$folder/try.mjs" <<'END'
import { createParser } from "eventsource-parser";
import { ServerSentEventTransformStream } from "parse-sse";

const text = 'data: {\r\ndata: "sent": 7}\r\n\r\n';
const border = text.indexOf("\n");
const readers = {
    "parse-sse": async (pieces) => {
        const found = [];
        const stream = ReadableStream.from(pieces).pipeThrough(new ServerSentEventTransformStream());
        for await (const { data } of stream) found.push(data);
        return found;
    },
    "eventsource-parser": async (pieces) => {
        const found = [];
        const parser = createParser({ onEvent: ({ data }) => found.push(data) });
        for (const piece of pieces) parser.feed(piece);
        return found;
    },
};
for (const [name, read] of Object.entries(readers)) {
    const whole = await read([text]);
    const cut = await read([text.slice(0, border), text.slice(border)]);
    console.log(name, "whole", JSON.stringify(whole), "cut", JSON.stringify(cut));
}
END
node "$folder/try.mjs" >"$folder/seen" || exit 1
cat "$folder/seen"
diff "$folder/expected" "$folder/seen" || exit 1
