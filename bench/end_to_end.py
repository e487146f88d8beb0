"""End to end: CSV in, report out, over real DNS and SMTP; messages a second, CPU a message, signed and not, or TLS."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import _lab as lab
from _tls import KEYS, tls_sinks

UNLIMITED = 1_000_000  # messages a connection


@dataclass
class Slope:
    """What one message more takes: seconds by the clock, CPU us of all processes and of the main one; its memory."""

    wall: float
    cpu: float
    main_cpu: float
    main_rss_mb: float


@dataclass
class Lists:
    """Sends lists of two lengths, ``few`` and ``many``, to the receivers at ``port``."""

    folder: Path
    nameserver: str
    domains: int
    few: int
    many: int

    def slope(self, name: str, port: int, *, dkim: bool = False, each: int = UNLIMITED) -> Slope:
        """The difference between the two; ``each``: messages on a connection."""
        costs = []
        for count in (self.few, self.many):
            place = self.folder / f"{name}{count}".replace(" ", "-")
            place.mkdir()
            campaign = lab.campaign(place, "bench", count, self.domains)
            config = lab.settings(place, self.nameserver, port, dkim=dkim, messages_per_connection=each)
            cost = lab.bulkmail(campaign, config, "--once", timeout=300)
            summary = json.loads((campaign / "report" / "summary.json").read_text())
            assert summary["by_status"]["delivered"] == count, summary["by_status"]
            assert cost.status == 0, cost.output[-2000:]
            costs.append(cost)
        less, more = costs
        extra = self.many - self.few
        return Slope(
            (more.wall - less.wall) / extra,
            (more.cpu - less.cpu) / extra * 1e6,
            (more.main_cpu - less.main_cpu) / extra * 1e6,
            more.main_rss_mb,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipients", type=int, default=20_000, help="of the longer list; the shorter has a quarter")
    parser.add_argument("--domains", type=int, default=500)
    parser.add_argument("--sites", type=int, default=4)
    parser.add_argument("--tls", action="store_true", help="unsigned, under TLS 1.3 and in clear")
    given = parser.parse_args()
    lab.need("smtp-sink", "dnsmasq")
    lab.end_in_order()
    with tempfile.TemporaryDirectory(prefix="bulkmail-bench-") as text:
        folder = Path(text)
        with lab.dns(folder, given.domains, given.sites, given.sites) as nameserver:
            lists = Lists(folder, nameserver, given.domains, given.recipients // 4, given.recipients)
            if given.tls:
                lab.keep("end_to_end_tls", under_tls(lists, given.sites))
            else:
                lab.keep("end_to_end", signed_and_not(lists, given.sites))


def signed_and_not(lists: Lists, sites: int) -> dict[str, object]:
    """One connection for as long as it is needed, in clear."""
    rows: list[list[object]] = []
    figures: dict[str, object] = {}
    cores = len(os.sched_getaffinity(0))
    with lab.sinks(sites) as port:
        for name, dkim in (("unsigned", False), ("DKIM RSA-2048", True)):
            bare = lab.bare_signatures()
            one = lists.slope(name, port, dkim=dkim)
            rate = 1 / one.wall
            of_bare, in_bare = rate / (cores * bare), one.cpu * bare / 1e6
            rows.append([name, rate, one.cpu, one.main_cpu, one.main_rss_mb, bare, of_bare, in_bare])
            figures[name] = {
                "messages_per_second": rate,
                "cpu_us_per_message": one.cpu,
                "main_process_us_per_message": one.main_cpu,
                "main_process_mb": one.main_rss_mb,
                "bare_signatures_per_second_and_core": bare,
                "share_of_all_cores_signatures": of_bare,
                "cpu_in_bare_signatures": in_bare,
            }
    head = ["", "messages/s", "CPU us/msg", "main us/msg", "main MB", "bare sig/s", "of cores x sig", "CPU in sig"]
    print(lab.table(head, rows))
    return figures


def under_tls(lists: Lists, sites: int) -> dict[str, object]:
    """With 100 and 10 messages a connection: in clear, then each kind of certificate, resumed and not."""
    rows: list[list[object]] = []
    figures: dict[str, object] = {}
    for each in (100, 10):
        with lab.sinks(sites) as port:
            clear = lists.slope(f"clear {each}", port, each=each)
        found = {"in clear": clear}
        for kind in KEYS:
            for resumption in (True, False):
                name = f"{kind}, {'resumed' if resumption else 'not resumed'}"
                with tls_sinks(lists.folder, sites, kind=kind, resumption=resumption) as port:
                    found[name] = lists.slope(f"{kind} {resumption} {each}", port, each=each)
        for name, one in found.items():
            more, times = one.cpu - clear.cpu, one.cpu / clear.cpu
            rows.append([f"{each} a connection, {name}", 1 / one.wall, one.cpu, one.main_cpu, more, times])
            figures[f"{each}, {name}"] = {
                "messages_per_second": 1 / one.wall,
                "cpu_us_per_message": one.cpu,
                "main_process_us_per_message": one.main_cpu,
                "us_more_than_in_clear": more,
                "of_the_cpu_in_clear": times,
            }
    print(lab.table(["", "messages/s", "CPU us/msg", "main us/msg", "us more", "x clear"], rows))
    return figures


if __name__ == "__main__":
    main()
