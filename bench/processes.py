"""Several sending processes on one computer: what a message costs with a folder, with PostgreSQL, and by two of them.

Processes that share a spool in PostgreSQL are machines to each other, wherever they run: each owns destinations by
leases. So this is what more cores cost and bring. What grows with each further process is the database's part, which
all of them wait for; the rest is theirs. As in `end_to_end`, a message's cost is the difference of a long and a short
list.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import _lab as lab


@dataclass
class Cost:
    """Seconds of a run: by the clock; CPU of senders and their workers, of their main processes, of the server."""

    wall: float
    cpu: float
    main: float
    database: float

    def a_message(self, shorter: Cost, messages: int) -> Cost:
        """The difference to a run over so many messages less, in us a message."""
        pairs = zip(vars(self).values(), vars(shorter).values(), strict=True)
        return Cost(*((long - short) / messages * 1e6 for long, short in pairs))


@dataclass
class Lab:
    """Where the runs are made: receivers at ``port`` of ``sites`` addresses."""

    folder: Path
    nameserver: str
    port: int
    domains: int

    def run(self, name: str, recipients: int, processes: int, dsn: str | None) -> Cost:
        """Send a list of so many; the processes beside the one that has the campaign are there before it starts."""
        place = self.folder / f"{name}-{recipients}".replace(" ", "-")
        place.mkdir()
        campaign = lab.campaign(place, "bench", recipients, self.domains)
        configs = [self._settings(place, f"{name}-{n}".replace(" ", "-"), dsn) for n in range(processes)]
        server = lab.server_of(dsn) if dsn else 0
        before, stored = lab.children_cpu(), lab.tree_cpu(server) if server else 0.0
        with others(place, configs[1:]) as started:
            idle = sum(map(lab.cpu, started))
            cost = lab.bulkmail(campaign, configs[0], "--once", timeout=300)
            helped = sum(map(lab.cpu, started)) - idle
            mains = cost.main_cpu + helped
        assert helped >= mains / 10 * len(started), "the others sent next to nothing"
        assert cost.status == 0, cost.output[-2000:]
        counts = json.loads((campaign / "report" / "summary.json").read_text())["by_status"]
        assert counts["delivered"] == recipients, counts
        database = lab.tree_cpu(server) - stored if server else 0.0
        return Cost(cost.wall, lab.children_cpu() - before, mains, database)

    def _settings(self, place: Path, name: str, dsn: str | None) -> Path:
        own = place / name
        own.mkdir()
        config = lab.settings(own, self.nameserver, self.port, dkim=False, extra="compose: {processes: 1}\n")
        if dsn is not None:
            machine = f"machine: {{name: {name}, folder: {own}/machine, lease: 5s}}"
            config.write_text(config.read_text().replace(f"spool: {own}/spool", f"spool: {dsn}\n{machine}"))
        return config


@contextlib.contextmanager
def others(place: Path, configs: list[Path]) -> Iterator[list[int]]:
    """Start processes that help; they are ended at the end."""
    started = []
    try:
        for n, config in enumerate(configs):
            with (place / f"other{n}.log").open("wb") as log:
                command = [str(lab.TWISTD), "--nodaemon", "--pidfile=", "bulkmail", "--settings", str(config)]
                started.append(subprocess.Popen(command, cwd=place, stdout=log, stderr=log, stdin=subprocess.DEVNULL))
        if started:
            time.sleep(5.0)  # they are alive to each other, and the campaign finds them so
        yield [process.pid for process in started]
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait(60)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipients", type=int, default=20_000, help="of the longer list; the shorter has a quarter")
    parser.add_argument("--domains", type=int, default=500)
    parser.add_argument("--sites", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=1)
    given = parser.parse_args()
    lab.need("smtp-sink", "dnsmasq")
    lab.end_in_order()
    few, many = given.recipients // 4, given.recipients
    ways = (("a folder", 1, False), ("PostgreSQL", 1, True), ("PostgreSQL by two", 2, True))
    rows: list[list[object]] = []
    with tempfile.TemporaryDirectory(prefix="bulkmail-bench-") as text, contextlib.ExitStack() as stack:
        nameserver = stack.enter_context(lab.dns(Path(text), given.domains, given.sites, given.sites))
        port = stack.enter_context(lab.sinks(given.sites))
        for turn in range(given.rounds):
            for name, processes, shared in ways:
                folder = Path(text) / f"{turn}{processes}{shared}"
                folder.mkdir()
                there = Lab(folder, nameserver, port, given.domains)
                costs = []
                for count in (few, many):
                    with lab.postgres() if shared else contextlib.nullcontext() as dsn:
                        costs.append(there.run(name, count, processes, dsn))
                one = costs[1].a_message(costs[0], many - few)
                rows.append([name, 1e6 / one.wall, one.cpu, one.main, one.database, one.cpu + one.database])
    head = ["spool, processes", "messages/s", "CPU us/msg", "of main processes", "of the server", "in all"]
    print(lab.table(head, rows))
    lab.keep("processes", {"head": head, "rows": rows})


if __name__ == "__main__":
    main()
