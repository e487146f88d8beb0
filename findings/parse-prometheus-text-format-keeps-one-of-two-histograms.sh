#!/bin/sh
# Of two histograms with one name only one is kept, and it has neither labels nor a count.
#
# Version: parse-prometheus-text-format 1.1.1 (npm).
# Behaviour: a histogram or summary may have labels of its own beside `le` and `quantile`, one set for each of its series
#   (Prometheus text format, "Histograms and summaries"). The parser puts the buckets of all series into one, where the last
#   series wins, and leaves out labels, sum and count. Without labels, and for counters with labels, all is there.
# Guess: two metrics with their labels, as for a counter.
# Seen:
#     counter: [{"value":"1","labels":{"lane":"a"}},{"value":"2","labels":{"lane":"b"}}]
#     without labels: [{"buckets":{"1":"1","+Inf":"2"},"count":"2","sum":"3"}]
#     with labels: [{"buckets":{"1":"7","+Inf":"8"}}]
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
sed -n 's/^#     //p' "$0" >"$folder/expected"
{
    command -v node &&
        npm install --prefix "$folder" --ignore-scripts --no-audit --no-fund parse-prometheus-text-format@1.1.1
} >"$folder/log" 2>&1 || { tail -n 5 "$folder/log" >&2; exit 2; }
cat >"$folder/try.mjs" <<'END'
import parse from "parse-prometheus-text-format";

const histogram = (labels, few, all, sum) =>
    `size_bucket{${labels}le="1"} ${few}\nsize_bucket{${labels}le="+Inf"} ${all}\n` +
    (labels ? `size_sum{${labels}} ${sum}\nsize_count{${labels}} ${all}\n` : `size_sum ${sum}\nsize_count ${all}\n`);

for (const [name, text] of [
    ["counter", '# TYPE sent counter\nsent{lane="a"} 1\nsent{lane="b"} 2\n'],
    ["without labels", "# TYPE size histogram\n" + histogram("", 1, 2, 3)],
    ["with labels", "# TYPE size histogram\n" + histogram('lane="a",', 1, 2, 3) + histogram('lane="b",', 7, 8, 9)],
]) {
    console.log(`${name}: ${JSON.stringify(parse(text)[0].metrics)}`);
}
END
node "$folder/try.mjs" >"$folder/seen" || exit 1
cat "$folder/seen"
diff "$folder/expected" "$folder/seen" || exit 1
