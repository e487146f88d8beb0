#!/bin/sh
# One quotation mark in an exemplar makes the metrics that the library wrote unreadable for the library.
#
# Version: prometheus_client 0.26.0 (PyPI).
# Behaviour: the labels of an exemplar are written as those of a sample, with quotation marks escaped (OpenMetrics 1.0, ABNF:
#   `exemplar`, `labels`, `escaped-string`). With an odd number of marks in one, as in an answer about a disk of `5"`, the
#   OpenMetrics parser of the same package raises ValueError for the whole text; with two, or in a label of the sample, it
#   reads what was written.
# Guess: what is written is read.
# Seen:
#     sample 5" disk: read
#     exemplar "5" disk: read
#     exemplar 5" disk: ValueError
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
sed -n 's/^#     //p' "$0" >"$folder/expected"
{
    python3 -m venv "$folder/venv" &&
        "$folder/venv/bin/pip" install -q prometheus_client==0.26.0
} >"$folder/log" 2>&1 || { tail -n 5 "$folder/log" >&2; exit 2; }
"$folder/venv/bin/python" -I - >"$folder/seen" <<'END' || exit 1
from prometheus_client import CollectorRegistry, Counter
from prometheus_client.openmetrics.exposition import generate_latest
from prometheus_client.openmetrics.parser import text_string_to_metric_families


def outcome(label, exemplar):
    registry = CollectorRegistry()
    Counter("deferred", "Deferred messages.", ["answer"], registry=registry).labels(label).inc(1, {"answer": exemplar})
    try:
        (family,) = text_string_to_metric_families(generate_latest(registry).decode())
    except ValueError:
        return "ValueError"
    sample = family.samples[0]
    same = (sample.labels["answer"], sample.exemplar.labels["answer"]) == (label, exemplar)
    return "read" if same else "changed"


print("sample 5\" disk:", outcome("5\" disk", "full"))
for answer in ("\"5\" disk", "5\" disk"):
    print(f"exemplar {answer}:", outcome("full", answer))
END
cat "$folder/seen"
diff "$folder/expected" "$folder/seen" || exit 1
