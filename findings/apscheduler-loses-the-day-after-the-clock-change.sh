#!/bin/sh
# A daily job just after midnight does not run on the day after the clocks went forward.
#
# Version: APScheduler 3.11.3 with tzdata 2026.6 (PyPI).
# Behaviour: a cron trigger between 00:00 and 00:59 in a zone whose clocks jump later in the night (Berlin, New York) fires on
#   the day of the jump and then two days later: a job planned daily at 00:30 does not run on 30 March 2026. From
#   01:00 on nothing is lost, neither in London, where the jump is at 01:00, nor in autumn.
# Guess: the jump may move or drop a time inside the gap; 00:30 on the day after is no such time, so the job runs daily.
# Seen:
#     Europe/Berlin 00:30 fires 03-28 03-29 03-31 04-01
#     Europe/Berlin 01:00 fires 03-28 03-29 03-30 03-31
#     Europe/London 00:30 fires 03-28 03-29 03-30 03-31
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
sed -n 's/^#     //p' "$0" >"$folder/expected"
{
    python3 -m venv "$folder/venv" &&
        "$folder/venv/bin/pip" install -q apscheduler==3.11.3 tzdata==2026.6
} >"$folder/log" 2>&1 || { tail -n 5 "$folder/log" >&2; exit 2; }
"$folder/venv/bin/python" -I - >"$folder/seen" <<'END' || exit 1
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from apscheduler.triggers.cron import CronTrigger

for name, hour, minute in (("Europe/Berlin", 0, 30), ("Europe/Berlin", 1, 0), ("Europe/London", 0, 30)):
    zone = ZoneInfo(name)
    trigger = CronTrigger(hour=hour, minute=minute, timezone=zone)
    now, fired, days = datetime(2026, 3, 27, 12, tzinfo=zone), None, []
    for _ in range(4):
        fired = trigger.get_next_fire_time(fired, now)
        days.append(fired.strftime("%m-%d"))
        # the scheduler asks again as soon as the job was started
        now = (fired.astimezone(timezone.utc) + timedelta(seconds=1)).astimezone(zone)
    print(f"{name} {hour:02}:{minute:02} fires", *days)
END
cat "$folder/seen"
diff "$folder/expected" "$folder/seen" || exit 1
