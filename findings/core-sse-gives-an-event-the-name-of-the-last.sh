#!/bin/sh
# A ping without data gives its name to the event behind it.
#
# Version: @azure/core-sse 2.3.0, beside eventsource-parser 3.0.6 (npm).
# Behaviour: an empty line behind an `event:` line without data ends an event that is not delivered, and its name is forgotten
#   with it (HTML standard, 9.2.6, the steps to dispatch the event). core-sse keeps the name, so the unnamed message behind it
#   comes as `ping`, and somebody who handles messages and skips pings loses it. A ping with data does no harm.
# Guess: what eventsource-parser says.
# Seen:
#     core-sse ping=one
#     eventsource-parser message=one
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
sed -n 's/^#     //p' "$0" >"$folder/expected"
{
    command -v node &&
        npm install --prefix "$folder" --ignore-scripts --no-audit --no-fund @azure/core-sse@2.3.0 eventsource-parser@3.0.6
} >"$folder/log" 2>&1 || { tail -n 5 "$folder/log" >&2; exit 2; }
cat >"$folder/try.mjs" <<'END'
import { createSseStream } from "@azure/core-sse";
import { createParser } from "eventsource-parser";

const text = "event: ping\n\ndata: one\n\n";
const show = (name, events) => console.log(name, ...events.map(({ event, data }) => `${event || "message"}=${data}`));

const ofCore = [];
for await (const event of createSseStream(new Response(text).body)) ofCore.push(event);
show("core-sse", ofCore);

const ofParser = [];
createParser({ onEvent: (event) => ofParser.push(event) }).feed(text);
show("eventsource-parser", ofParser);
END
node "$folder/try.mjs" >"$folder/seen" || exit 1
cat "$folder/seen"
diff "$folder/expected" "$folder/seen" || exit 1
