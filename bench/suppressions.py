"""Millions of suppressions imported by the command, then looked up: entries a second, memory, time of a look-up."""

from __future__ import annotations

import argparse
import json
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
import _lab as lab

from bulkmail.spool import Audience, find_reader

TOGETHER = 16  # as messages come back from being composed
ROUNDS = 2000
BULK = 5000  # as rows are read
OURS = Audience("news", "spring")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--postgres", action="store_true", help="in PostgreSQL instead of a folder")
    parser.add_argument("--json", default=str(lab.ROOT / "bench" / "results" / "suppressions.json"))
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bulkmail-suppressions-") as text, ExitStack() as stack:
        folder = Path(text)
        spool = stack.enter_context(lab.postgres()) if given.postgres else str(folder / "spool")
        (folder / "bulkmail.yaml").write_text(f"hostname: mta1.example.com\nspool: {json.dumps(spool)}\n")
        with (folder / "left.txt").open("w") as file:
            file.writelines(f"{address(n)}\n" for n in range(given.entries))
        figures = {"entries": given.entries, **imported(folder, given.entries)}
        if not given.postgres:
            size = sum(path.stat().st_size for path in (folder / "spool").glob("spool.sqlite3*"))
            figures["bytes of the spool for each"] = round(size / given.entries, 1)
        figures |= looked_up(spool, given.entries)
    Path(given.json).parent.mkdir(parents=True, exist_ok=True)
    Path(given.json).write_text(json.dumps(figures, indent=2) + "\n")
    print(json.dumps(figures, indent=2))


def address(n: int) -> str:
    """Name the n-th person, in no order of anything."""
    return f"user-{n * 2_654_435_761 % 2**32:08x}.{n}@d{n % 100_003}.example.com"


def imported(folder: Path, entries: int) -> dict[str, Any]:
    """Import the list with the command, in a process of its own."""
    command = [str(lab.ROOT / ".venv" / "bin" / "bulkmail"), "suppress", "import", "left.txt", "--json"]
    began = time.monotonic()
    done = subprocess.run(command, cwd=folder, check=True, stdout=subprocess.PIPE)
    seconds = time.monotonic() - began
    if json.loads(done.stdout)["added"] != entries:
        raise SystemExit(f"not all were added: {done.stdout!r}")
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "imported, entries/s": round(entries / seconds),
        "CPU us for each": round((used.ru_utime + used.ru_stime) / entries * 1e6, 1),
        "MB at the peak": round(used.ru_maxrss / 1024, 1),
    }


def looked_up(spool: str, entries: int) -> dict[str, Any]:
    """Ask for people in and out of the list, by reader, as a list that is read asks; and count them all."""
    reader = find_reader(spool)
    if reader is None:
        raise SystemExit("there is no spool")
    dice = random.Random(1)

    def some(count: int) -> list[str]:
        chosen = [dice.randrange(entries) for _ in range(count)]
        return [address(n) if n % 2 else f"other-{n}@d{n % 1009}.example.org" for n in chosen]

    def ask(count: int) -> Callable[[list[str]], None]:
        def once(addresses: list[str]) -> None:
            found = reader.suppressed(addresses, OURS)
            if len(found) != sum(one.startswith("user") for one in set(addresses)):
                raise SystemExit(f"{len(found)} of {count} were found")

        return once

    one = list(timed(ask(1), (some(1) for _ in range(ROUNDS))))
    few = list(timed(ask(TOGETHER), (some(TOGETHER) for _ in range(ROUNDS))))
    bulk = [clock for clock, _ in timed(ask(BULK), (some(BULK) for _ in range(20)))]
    began = time.monotonic()
    counted = reader.count_suppressions()[0][2]
    counting = time.monotonic() - began
    reader.close()
    if counted != entries:
        raise SystemExit(f"{counted} were counted")
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "one address, ms": spread(one),
        f"{TOGETHER} addresses, ms": spread(few),
        f"us for each of {BULK}": round(statistics.median(bulk) / BULK * 1e6, 1),
        "counted, s": round(counting, 2),
        "MB at the peak, looking up": round(own, 1),
    }


def timed(work: Callable[[list[str]], None], inputs: Iterator[list[str]]) -> Iterator[tuple[float, float]]:
    """Yield the seconds of each, by the clock and of CPU."""
    for given in inputs:
        began, worked = time.perf_counter(), time.thread_time()
        work(given)
        yield time.perf_counter() - began, time.thread_time() - worked


def spread(seconds: list[tuple[float, float]]) -> dict[str, float]:
    """The median, what one of a hundred exceeds, and the most, in milliseconds; of CPU too, for a busy machine."""
    found: dict[str, float] = {}
    for name, column in zip(("", " of CPU"), zip(*seconds, strict=True), strict=True):
        ordered = sorted(1000 * one for one in column)
        last = len(ordered) - 1
        places = {"median": last // 2, "p99": last * 99 // 100, "most": last}
        found |= {f"{what}{name}": round(ordered[at], 3) for what, at in places.items()}
    return found


if __name__ == "__main__":
    main()
