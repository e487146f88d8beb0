"""End to end: CSV in, report out, over real DNS and SMTP; messages a second and CPU a message, signed and not."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import _lab as lab


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipients", type=int, default=20_000, help="of the longer list; the shorter has a quarter")
    parser.add_argument("--domains", type=int, default=500)
    parser.add_argument("--sites", type=int, default=4)
    given = parser.parse_args()
    lab.need("smtp-sink", "dnsmasq")
    rows: list[list[object]] = []
    figures: dict[str, object] = {}
    with tempfile.TemporaryDirectory(prefix="bulkmail-bench-") as text:
        folder = Path(text)
        with lab.dns(folder, given.domains, given.sites, given.sites) as nameserver, lab.sinks(given.sites) as port:
            for dkim in (False, True):
                bare = lab.bare_signatures()
                costs = {}
                for count in (given.recipients // 4, given.recipients):
                    place = folder / f"{'signed' if dkim else 'plain'}{count}"
                    place.mkdir()
                    campaign = lab.campaign(place, "bench", count, given.domains)
                    config = lab.settings(place, nameserver, port, dkim=dkim)
                    costs[count] = cost = lab.bulkmail(campaign, config)
                    summary = json.loads((campaign / "report" / "summary.json").read_text())
                    assert cost.status == 0, cost.output[-2000:]
                    assert summary["by_status"]["delivered"] == count, summary["by_status"]
                (few, less), (many, more) = costs.items()
                extra = many - few
                rate = extra / (more.wall - less.wall)
                cpu = (more.cpu - less.cpu) / extra * 1e6
                main_cpu = (more.main_cpu - less.main_cpu) / extra * 1e6
                cores = len(os.sched_getaffinity(0))
                of_bare = rate / (cores * bare)
                name = "DKIM RSA-2048" if dkim else "unsigned"
                rows.append([name, rate, cpu, main_cpu, more.main_rss_mb, bare, of_bare, cpu * bare / 1e6])
                figures[name] = {
                    "messages_per_second": rate,
                    "cpu_us_per_message": cpu,
                    "main_process_us_per_message": main_cpu,
                    "main_process_mb": more.main_rss_mb,
                    "bare_signatures_per_second_and_core": bare,
                    "share_of_all_cores_signatures": of_bare,
                    "cpu_in_bare_signatures": cpu * bare / 1e6,
                }
    print(
        lab.table(
            ["", "messages/s", "CPU us/msg", "main us/msg", "main MB", "bare sig/s", "of cores x sig", "CPU in sig"],
            rows,
        )
    )
    lab.keep("end_to_end", figures)


if __name__ == "__main__":
    main()
