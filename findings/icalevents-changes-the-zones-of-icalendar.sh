#!/bin/sh
# An import moves the end of an event by one hour, for everybody in the program.
#
# Version: icalevents 0.3.1 with icalendar 7.3.2 and pytz 2026.6 (PyPI).
# Behaviour: the import calls `icalendar.use_pytz()`, which changes the zones that icalendar gives from then on, in the whole
#   process. An event of one day (`P1D`) from Saturday noon, in the night of the clock change, ended on Sunday noon before (RFC
#   5545, 3.3.6: a day of a duration is as long as the clock makes it); afterwards its end is 13:00 by the clock.
# Guess: an import changes nothing for those who do not use it.
# Seen:
#     before: zoneinfo 2026-03-29 12:00:00+02:00
#     after: pytz 2026-03-29 13:00:00+02:00
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
sed -n 's/^#     //p' "$0" >"$folder/expected"
{
    python3 -m venv "$folder/venv" &&
        "$folder/venv/bin/pip" install -q icalevents==0.3.1 icalendar==7.3.2 pytz==2026.6 tzdata==2026.6
} >"$folder/log" 2>&1 || { tail -n 5 "$folder/log" >&2; exit 2; }
"$folder/venv/bin/python" -I - >"$folder/seen" <<'END' || exit 1
from zoneinfo import ZoneInfo

from icalendar import Calendar

EVENT = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//example//EN
BEGIN:VEVENT
UID:1
DTSTAMP:20260101T000000Z
DTSTART;TZID=Europe/Berlin:20260328T120000
DURATION:P1D
END:VEVENT
END:VCALENDAR
"""


def show(when):
    (event,) = Calendar.from_ical(EVENT).walk("VEVENT")
    print(when, type(event.start.tzinfo).__module__.split(".")[0], event.end.astimezone(ZoneInfo("Europe/Berlin")))


show("before:")
import icalevents.icalevents

show("after:")
END
cat "$folder/seen"
diff "$folder/expected" "$folder/seen" || exit 1
