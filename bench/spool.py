"""The spool alone: a list imported, its rows claimed and settled, on SQLite and on PostgreSQL; rows a second."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
import _lab as lab
from twisted.internet.defer import DeferredList

from bulkmail.delivery.lifecycle.importing import Importing
from bulkmail.delivery.run import Run
from bulkmail.settings import Retry
from bulkmail.spool import Attempt, OneOfMany, Settlement, open_spool

_HOLD = 4096  # as the feeder's window
_BATCH = 64  # rows of one queue asked for at once
_ACCEPTED = (1, "delivered", "", 250, "2.0.0", "2.0.0 Ok: queued as 4XYZ", "dot", "mx1.example.com", "192.0.2.1")


class Bench:
    """One spool, in a process with a reactor, as the daemon has it; ``figures`` is what came out."""

    def __init__(self, place: str, folder: Path, files: list[str], settle: int, server: int) -> None:
        from twisted.internet import reactor

        self.reactor: Any = reactor
        self.place, self.folder, self.files, self.settle = place, folder, files, settle
        self.server = server
        self.figures: dict[str, float] = {}

    def server_cpu(self) -> float:
        return lab.tree_cpu(self.server) if self.server else 0.0

    async def run(self) -> None:
        machine = OneOfMany(str(self.folder / "machine"), "bench", 15.0, time.monotonic)
        spool = await open_spool(self.place, self.reactor, clock=time.time, retry=Retry(), machine=machine)
        try:
            run = await self._import(spool)
            await self._send(spool, run)
        finally:
            await spool.close()

    async def _import(self, spool: Any) -> Any:
        columns = ["email", "first_name", "last_name", "city", "plan", "products", "joined"]
        row = await spool.create_campaign(
            "bench", "/c", key=b"k" * 32, content={}, digests={}, files=[("r.csv", columns)], now=time.time()
        )
        await spool.set_state(row.id, "running", time.time())
        run = Run(row.id, "bench", "/c", {}, "retry", time.time())
        job = {"files": self.files, "encoding": None, "suppress": [], "skip": 0, "resume": None}
        importing = Importing(
            reactor=self.reactor,
            spool=spool,
            run=run,
            job={**job, "scratch": str(self.folder)},
            wall=time.time,
            stored=lambda _: None,
        )
        began, cpu, server = time.monotonic(), time.process_time(), self.server_cpu()
        await importing.open()
        await importing.import_all()
        self.figures["rows"] = run.input_rows
        self.figures["import_s"] = time.monotonic() - began
        self.figures["import_cpu_s"] = time.process_time() - cpu
        self.figures["import_server_cpu_s"] = self.server_cpu() - server
        return run

    async def _send(self, spool: Any, run: Any) -> None:
        now = time.time()
        queues = []
        while page := await spool.backlog(queues[-1] if queues else 0, 500):
            queues += [queue for queue, _, _ in page]
        waiting: list[Any] = []
        done = 0
        server = self.server_cpu()
        began, cpu, event_loop = time.monotonic(), time.process_time(), time.thread_time()
        asked = iter(queues)
        while done < self.settle:
            batch = [queue for queue, _ in zip(asked, range(_HOLD // _BATCH), strict=False)]
            if not batch:
                if not await spool.backlog(0, 1):
                    break
                asked = iter(queues)
                continue
            claims = [spool.claim(queue, _BATCH) for queue in batch]
            for claim in claims:
                for claimed in await claim:
                    attempt = Attempt(now, *_ACCEPTED)
                    who = (claimed.id, claimed.queue_id, "delivered", "", "")
                    waiting.append(spool.settle(Settlement(*who, attempt, now, now, 0.0, 12_000)))
                    done += 1
            if len(waiting) > _HOLD:
                first, waiting = waiting[:-_HOLD], waiting[-_HOLD:]
                await DeferredList(first)
        await spool.flushed()
        wall = time.monotonic() - began
        self.figures["settled_a_second"] = done / wall
        self.figures["event_loop_us"] = (time.thread_time() - event_loop) / done * 1e6
        self.figures["process_us"] = (time.process_time() - cpu) / done * 1e6
        self.figures["server_us"] = (self.server_cpu() - server) / done * 1e6
        totals = await spool.totals(run.id)
        assert sum(count for key, count in totals.items() if key[1] == "delivered") == done, totals
        assert sum(totals.values()) == run.input_rows


def child(place: str, folder: str, settle: int, server: int, files: list[str]) -> None:
    bench = Bench(place, Path(folder), files, settle, server)
    lab.in_reactor(bench.run)
    print(json.dumps(bench.figures))


def places(folder: Path, wanted: str, stack: ExitStack) -> Iterator[tuple[str, str]]:
    if wanted in ("both", "sqlite"):
        yield "SQLite", str(folder / "spool")
    if wanted in ("both", "postgres"):
        yield "PostgreSQL", stack.enter_context(lab.postgres())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--settle", type=int, default=300_000)
    parser.add_argument("--domains", type=int, default=10_000)
    parser.add_argument("--store", choices=("both", "sqlite", "postgres"), default="both")
    parser.add_argument("--child", nargs=4, help=argparse.SUPPRESS)
    given, rest = parser.parse_known_args()
    if given.child:
        child(given.child[0], given.child[1], int(given.child[2]), int(given.child[3]), rest)
        return
    rows, figures = [], {}
    with tempfile.TemporaryDirectory(prefix="bulkmail-bench-") as text, ExitStack() as stack:
        folder = Path(text)
        place = lab.campaign(folder, "bench", given.rows, given.domains)
        with (
            (place / "recipients0.csv").open("a", encoding="utf-8") as more,
            (place / "recipients0.csv").open(encoding="utf-8") as lines,
        ):
            next(lines)
            more.writelines([next(lines) for _ in range(given.rows // 100)])  # one in a hundred is there twice
        for name, spool in places(folder, given.store, stack):
            command = [
                sys.executable,
                __file__,
                "--child",
                spool,
                str(folder),
                str(given.settle),
                str(lab.server_of(spool)),
            ]
            out = subprocess.run(
                [*command, str(place / "recipients0.csv")], check=True, stdout=subprocess.PIPE, text=True
            )
            got = figures[name] = json.loads(out.stdout.splitlines()[-1])
            columns = ("import_s", "import_cpu_s", "import_server_cpu_s", "settled_a_second")
            costs = ("event_loop_us", "process_us", "server_us")
            rows.append([name, f"{got['rows']:,}", *(got[key] for key in (*columns, *costs))])
    header = ["", "rows", "import s", "CPU s", "server CPU s", "claimed and settled/s", "event loop us", "process us"]
    header.append("server us")
    print(lab.table(header, rows))
    results = lab.ROOT / "bench" / "results"
    results.mkdir(exist_ok=True)
    (results / "spool.json").write_text(json.dumps({"at": time.time(), "cores": os.cpu_count(), **figures}, indent=2))


if __name__ == "__main__":
    main()
