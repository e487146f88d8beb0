"""Reconciliation: 100,000 recipients over 500 domains from two CSV files; every message received exactly once?"""

from __future__ import annotations

import argparse
import csv
import json
import re
import sys
import tempfile
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import _lab as lab

_RCPT = re.compile(rb"^X-Rcpt-Args: <([^>]+)>", re.MULTILINE)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipients", type=int, default=100_000)
    parser.add_argument("--domains", type=int, default=500)
    parser.add_argument("--dkim", action="store_true")
    given = parser.parse_args()
    lab.need("smtp-sink", "dnsmasq")
    with tempfile.TemporaryDirectory(prefix="bulkmail-bench-") as text:
        folder = Path(text)
        dump = folder / "received"
        dump.mkdir()
        with lab.dns(folder, given.domains, 8, 4) as nameserver, lab.sinks(4, dump) as port:
            place = lab.campaign(folder, "reconcile", given.recipients, given.domains, files=2)
            cost = lab.bulkmail(place, lab.settings(folder, nameserver, port, dkim=given.dkim))
        received: Counter[str] = Counter()
        for file in dump.glob("*.dump*"):
            with file.open("rb") as lines:
                for line in lines:
                    found = _RCPT.match(line)
                    if found:
                        received[found[1].decode()] += 1
        with (place / "report" / "recipients.csv").open(newline="", encoding="utf-8-sig") as rows:
            report = [(row["email"], row["status"]) for row in csv.DictReader(rows)]
        summary = json.loads((place / "report" / "summary.json").read_text())
    wanted = Counter(email for email, _ in report)
    print(f"exit status {cost.status}, {cost.wall:.1f} s, {given.recipients / cost.wall:,.0f} messages/s over all")
    print(f"report rows {len(report):,}, statuses {dict(Counter(status for _, status in report))}")
    print(f"summary { ({key: value for key, value in summary['by_status'].items() if value}) }")
    lost, more = wanted - received, received - wanted
    print(f"received {received.total():,}; lost {lost.total()}; received more than once or unasked {more.total()}")
    ok = cost.status == 0 and not lost and not more and len(report) == given.recipients
    raise SystemExit(0 if ok else 1)


if __name__ == "__main__":
    main()
