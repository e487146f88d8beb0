#!/bin/sh
# One category with a comma in its name becomes two, with a backslash between them.
#
# Version: ts-ics 2.4.6 and ical 0.8.0, beside ical.js 2.2.1 (npm).
# Behaviour: CATEGORIES is a list with commas between its texts, and a comma inside a text is escaped (RFC 5545, 3.8.1.2 and
#   3.3.11). Both readers cut the list at each comma and leave the backslash, while a summary with the same words is right.
# Guess: what ical.js says.
# Seen:
#     ts-ics: Sales, Europe | ["Sales\\"," Europe","News"]
#     ical: Sales, Europe | ["Sales\\","Europe","News"]
#     ical.js: Sales, Europe | ["Sales, Europe","News"]
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
sed -n 's/^#     //p' "$0" >"$folder/expected"
{
    command -v node &&
        npm install --prefix "$folder" --ignore-scripts --no-audit --no-fund ts-ics@2.4.6 ical@0.8.0 ical.js@2.2.1
} >"$folder/log" 2>&1 || { tail -n 5 "$folder/log" >&2; exit 2; }
cat >"$folder/try.mjs" <<'END'
import ical from "ical";
import ICAL from "ical.js";
import { convertIcsCalendar } from "ts-ics";

const text = [
    "BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//example//EN", "BEGIN:VEVENT", "UID:1", "DTSTAMP:20260101T000000Z",
    "DTSTART:20260101T100000Z", "SUMMARY:Sales\\, Europe", "CATEGORIES:Sales\\, Europe,News", "END:VEVENT", "END:VCALENDAR", "",
].join("\r\n");

const show = (name, summary, categories) => console.log(`${name}: ${summary} | ${JSON.stringify(categories)}`);
const one = convertIcsCalendar(undefined, text).events[0];
show("ts-ics", one.summary, one.categories);
const two = Object.values(ical.parseICS(text)).find(({ type }) => type === "VEVENT");
show("ical", two.summary, two.categories);
const three = new ICAL.Component(ICAL.parse(text)).getFirstSubcomponent("vevent");
show("ical.js", three.getFirstPropertyValue("summary"), three.getFirstProperty("categories").getValues());
END
node "$folder/try.mjs" >"$folder/seen" || exit 1
cat "$folder/seen"
diff "$folder/expected" "$folder/seen" || exit 1
