#!/bin/sh
# A job of the 13th and of each Friday runs only when the 13th is a Friday.
#
# Version: cron-converter 2.1.0, beside cron-parser 5.10.6 (npm).
# Behaviour: where day of month and day of week are both given, a job runs on each day that meets one of them (POSIX, crontab;
#   crontab(5) of Debian). cron-converter wants both at once, so `0 0 13 * 5` runs twice in a year instead of some sixty times.
#   With one of the two fields all is as in cron, and its README speaks of neither case.
# Guess: what cron-parser says.
# Seen:
#     0 0 * * 5 cron-converter 2026-03-06 2026-03-13 2026-03-20 2026-03-27
#     0 0 * * 5 cron-parser    2026-03-06 2026-03-13 2026-03-20 2026-03-27
#     0 0 13 * * cron-converter 2026-03-13 2026-04-13 2026-05-13 2026-06-13
#     0 0 13 * * cron-parser    2026-03-13 2026-04-13 2026-05-13 2026-06-13
#     0 0 13 * 5 cron-converter 2026-03-13 2026-11-13 2027-08-13 2028-10-13
#     0 0 13 * 5 cron-parser    2026-03-06 2026-03-13 2026-03-20 2026-03-27
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
sed -n 's/^#     //p' "$0" >"$folder/expected"
{
    command -v node &&
        npm install --prefix "$folder" --ignore-scripts --no-audit --no-fund cron-converter@2.1.0 cron-parser@5.10.6
} >"$folder/log" 2>&1 || { tail -n 5 "$folder/log" >&2; exit 2; }
cat >"$folder/try.mjs" <<'END'
import { getSchedule, stringToArray } from "cron-converter";
import { CronExpressionParser } from "cron-parser";

const start = new Date("2026-03-01T12:00:00Z");
const four = (next) => Array.from({ length: 4 }, () => next().slice(0, 10)).join(" ");

for (const times of ["0 0 * * 5", "0 0 13 * *", "0 0 13 * 5"]) {
    const schedule = getSchedule(stringToArray(times), start, "UTC");
    const expression = CronExpressionParser.parse(times, { currentDate: start, tz: "UTC" });
    console.log(`${times} cron-converter ${four(() => schedule.next().toISO())}`);
    console.log(`${times} cron-parser    ${four(() => expression.next().toISOString())}`);
}
END
node "$folder/try.mjs" >"$folder/seen" || exit 1
cat "$folder/seen"
diff "$folder/expected" "$folder/seen" || exit 1
