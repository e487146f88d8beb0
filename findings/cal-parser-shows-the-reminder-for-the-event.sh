#!/bin/sh
# An event with a reminder has the title and the guest of its reminder.
#
# Version: cal-parser 1.0.2, beside node-ical 0.27.2 (npm).
# Behaviour: a reminder by mail is a component inside the event and has a summary, a text and attendees of its own (RFC 5545,
#   3.6.6). cal-parser puts its properties into the event, where the last one wins: the event `Spring offer` is called
#   `Reminder`, and its guest is the one who is reminded. Without a reminder the event is right.
# Guess: what node-ical says; the reminder apart, or not at all.
# Seen:
#     cal-parser Reminder mailto:bob@example.com
#     node-ical Spring offer mailto:ann@example.com
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
sed -n 's/^#     //p' "$0" >"$folder/expected"
{
    command -v node &&
        npm install --prefix "$folder" --ignore-scripts --no-audit --no-fund cal-parser@1.0.2 node-ical@0.27.2
} >"$folder/log" 2>&1 || { tail -n 5 "$folder/log" >&2; exit 2; }
cat >"$folder/try.mjs" <<'END'
import calParser from "cal-parser";
import nodeIcal from "node-ical";

const text = [
    "BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//example.com//letters//EN",
    "BEGIN:VEVENT", "UID:1@example.com", "DTSTAMP:20261201T100000Z", "DTSTART:20270301T100000Z",
    "SUMMARY:Spring offer", "ATTENDEE:mailto:ann@example.com",
    "BEGIN:VALARM", "ACTION:EMAIL", "TRIGGER:-PT15M", "SUMMARY:Reminder", "DESCRIPTION:Soon",
    "ATTENDEE:mailto:bob@example.com", "END:VALARM",
    "END:VEVENT", "END:VCALENDAR", "",
].join("\r\n");

const [event] = calParser.parseString(text).events;
console.log("cal-parser", event.summary.value, event.attendee.value);
const other = Object.values(nodeIcal.sync.parseICS(text)).find(({ type }) => type === "VEVENT");
console.log("node-ical", other.summary, other.attendee);
END
node "$folder/try.mjs" >"$folder/seen" || exit 1
cat "$folder/seen"
diff "$folder/expected" "$folder/seen" || exit 1
