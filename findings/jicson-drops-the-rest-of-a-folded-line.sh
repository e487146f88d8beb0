#!/bin/sh
# What stands on the second line of a property is gone.
#
# Version: jicson 1.0.2, beside icalendar 7.3.2 (PyPI).
# Behaviour: a line of a calendar is folded by a line end and a blank before it has more than 75 octets, anywhere in its text
#   (RFC 5545, 3.1), which every writer does. jicson keeps the first piece and skips the others without an error: the title of
#   an invitation is cut, and a guest with a long name has half an address.
# Guess: what icalendar says.
# Seen:
#     jicson summary: An invitation to the open day of the new building with a tour and
#     icalendar summary: An invitation to the open day of the new building with a tour and a supper
#     jicson attendee: mailto:ann@example
#     icalendar attendee: mailto:ann@example.com
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
sed -n 's/^#     //p' "$0" >"$folder/expected"
{
    python3 -m venv "$folder/venv" &&
        "$folder/venv/bin/pip" install -q jicson==1.0.2 icalendar==7.3.2
} >"$folder/log" 2>&1 || { tail -n 5 "$folder/log" >&2; exit 2; }
"$folder/venv/bin/python" -I - >"$folder/seen" <<'END' || exit 1
import jicson
from icalendar import Calendar, Event

event = Event()
event.add("summary", "An invitation to the open day of the new building with a tour and a supper")
event.add("attendee", "mailto:ann@example.com", parameters={"cn": "Ann Smith of the office for the open days"})
calendar = Calendar()
calendar.add_component(event)
text = calendar.to_ical().decode()

seen = jicson.fromText(text.replace("\r\n", "\n"))["VCALENDAR"][0]["VEVENT"][0]
(known,) = Calendar.from_ical(text).walk("VEVENT")
print("jicson summary:", seen["SUMMARY"].strip())
print("icalendar summary:", known["SUMMARY"])
print("jicson attendee:", *(value for name, value in seen.items() if name.startswith("ATTENDEE")))
print("icalendar attendee:", known["ATTENDEE"])
END
cat "$folder/seen"
diff "$folder/expected" "$folder/seen" || exit 1
