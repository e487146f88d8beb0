"""`bulkmail check` of long lists: rows a second with and without the DNS, CPU a row, memory, beside composing alone."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
import _lab as lab

from bulkmail.content import Composer

_BATCH = 64
_TICK = 0.2


def composing(pem: bytes, count: int) -> dict[str, float]:
    """CPU us a message of the production composer alone, in this process, unsigned and signed."""
    people, contents = lab.letters_of_welcome(pem, count)
    costs = {}
    for name, content in zip(("unsigned", "signed"), contents, strict=True):
        composer = Composer()
        composer.handle(("load", 1, content))
        composer.handle(("compose", 1, people[:_BATCH]))
        start = time.process_time()
        for at in range(0, count, _BATCH):
            composer.handle(("compose", 1, people[at : at + _BATCH]))
        costs[name] = (time.process_time() - start) / count * 1e6
    return costs


def check(place: Path, config: Path, *options: str) -> dict[str, Any]:
    """Run the command; what it says, its seconds, the CPU seconds of all its processes and its peak in MB."""
    command = [sys.executable, "-m", "bulkmail.cli", "check", str(place), "--settings", str(config), "--json", *options]
    before, began = lab.children_cpu(), time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=lab.ROOT) as process:
        peaks: dict[int, float] = {}
        over = threading.Event()

        def watch() -> None:
            while not over.wait(_TICK):
                for pid in (process.pid, *lab.children(process.pid)):
                    try:
                        peaks[pid] = max(peaks.get(pid, 0.0), lab.peak_mb(pid))
                    except (OSError, StopIteration):  # it has just ended
                        continue

        watching = threading.Thread(target=watch)
        watching.start()
        out, _ = process.communicate()
        over.set()
        watching.join()
    found = json.loads(out)
    return {
        "wall_s": time.monotonic() - began,
        "cpu_s": lab.children_cpu() - before,
        "main_mb": peaks.pop(process.pid, 0.0),
        "child_mb": max(peaks.values(), default=0.0),
        "rows": found["rows"],
        "seconds": found["seconds"],
        "domains": found["domains"],
        "findings": sorted({one["code"] for one in found["findings"]}),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="*", default=[10_000, 100_000], help="lists with the DNS")
    parser.add_argument("--domains", type=int, default=20_000)
    parser.add_argument("--sites", type=int, default=2_000)
    parser.add_argument("--long", type=int, default=1_000_000, help="a list without the DNS; 0: none")
    parser.add_argument("--composed", type=int, default=6_400, help="messages of the bare composer")
    given = parser.parse_args()
    lab.end_in_order()
    costs = composing(lab.new_key(), given.composed)
    print(f"the composer alone: {costs['unsigned']:.0f} us of CPU a message unsigned, {costs['signed']:.0f} us signed")
    runs: list[tuple[str, int, tuple[str, ...]]] = [(f"{rows:,} with DNS", rows, ()) for rows in given.rows]
    if given.long:
        runs.append((f"{given.long:,} without DNS", given.long, ("--no-dns",)))
    table: list[list[object]] = []
    figures: dict[str, object] = {"composer_us": costs, "cores": len(os.sched_getaffinity(0))}
    with (
        tempfile.TemporaryDirectory(prefix="bulkmail-bench-") as text,
        lab.many_domains(given.domains, given.sites, 4) as nameserver,
    ):
        folder = Path(text)
        config = lab.settings(folder, nameserver, 25, dkim=True)
        for name, rows, options in runs:
            place = lab.campaign(folder, f"list{rows}{len(options)}", rows, given.domains)
            got = figures[name] = check(place, config, *options)
            each = got["cpu_s"] / rows * 1e6
            table.append([
                name, got["wall_s"], rows / got["wall_s"], got["cpu_s"], each, each / costs["unsigned"],
                got["main_mb"], got["child_mb"],
            ])  # fmt: skip
            print(f"{name}: {json.dumps(got)}", flush=True)
    head = ["list", "wall s", "rows/s", "CPU s", "CPU us/row", "in bare composing", "main MB", "largest child MB"]
    print(lab.table(head, table))
    lab.keep("check", figures)


if __name__ == "__main__":
    main()
