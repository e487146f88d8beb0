"""Long lists alone, without sending: CSV to spool through the real reading process, then the whole report of it."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
import _lab as lab
from twisted.internet.task import LoopingCall

from bulkmail.delivery.lifecycle.importing import Importing
from bulkmail.delivery.lifecycle.reporting import REPORT_WORKER
from bulkmail.delivery.run import Run
from bulkmail.settings import Retry
from bulkmail.spool import OneOfMany, open_spool
from bulkmail.workers import Pool

_LOOK = 0.1
_COLUMNS = ["email", "first_name", "last_name", "city", "plan", "products", "joined"]


class Child:
    """What a worker process costs, looked at while it runs."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self.figures: dict[str, float] = {}
        self._look = LoopingCall(self.look)
        self._look.start(_LOOK).addErrback(lambda _: None)

    def look(self) -> None:
        self.figures = {"cpu_s": lab.cpu(self._pid), "peak_mb": lab.peak_mb(self._pid)}

    def over(self) -> dict[str, float]:
        if self._look.running:
            self._look.stop()
        return self.figures


class Bench:
    """One spool, in a process with a reactor, as the daemon has it; ``figures`` is what came out."""

    def __init__(self, place: str, folder: Path, files: list[str], server: int) -> None:
        from twisted.internet import reactor

        self.reactor: Any = reactor
        self.place, self.folder, self.files, self.server = place, folder, files, server
        self.figures: dict[str, float] = {}

    async def run(self) -> None:
        machine = OneOfMany(str(self.folder / "machine"), "bench", 15.0, time.monotonic)
        spool = await open_spool(self.place, self.reactor, clock=time.time, retry=Retry(), machine=machine)
        try:
            run = await self._import(spool)
            print(json.dumps(self.figures), file=sys.stderr, flush=True)  # the report of a long list takes long, too
            await self._report(run)
        finally:
            await spool.close()

    async def _import(self, spool: Any) -> Run:
        row = await spool.create_campaign(
            "bench", "/c", key=b"k" * 32, content={}, digests={}, files=[("r.csv", _COLUMNS)], now=time.time()
        )
        await spool.set_state(row.id, "running", time.time())
        run = Run(row.id, "bench", "/c", {"key": b"k" * 32}, "retry", time.time())
        job = {"files": self.files, "encoding": None, "suppress": [], "skip": 0, "resume": None}
        importing = Importing(
            reactor=self.reactor,
            spool=spool,
            run=run,
            job={**job, "scratch": str(self.folder)},
            wall=time.time,
            stored=self._first,
        )
        began, cpu, written = time.monotonic(), time.process_time(), written_bytes()
        server = lab.tree_cpu(self.server) if self.server else 0.0
        self._began = began
        await importing.open()
        pid = importing._worker.pid  # noqa: SLF001
        assert pid is not None
        reader = Child(pid)
        await importing.import_all()
        figures = self.figures
        figures["rows"] = run.input_rows
        figures["duplicates"] = run.by_status["duplicate"]
        figures["import_s"] = time.monotonic() - began
        figures["import_cpu_s"] = time.process_time() - cpu
        figures["written_bytes"] = written_bytes() - written
        figures["server_cpu_s"] = lab.tree_cpu(self.server) - server if self.server else 0.0
        figures |= {f"reader_{name}": value for name, value in reader.over().items()}
        figures["main_peak_mb"] = lab.peak_mb(os.getpid())
        return run

    def _first(self, _: Run) -> None:
        self.figures.setdefault("first_rows_s", time.monotonic() - self._began)

    async def _report(self, run: Run) -> None:
        pool = Pool(self.reactor, REPORT_WORKER, 1)
        pool.start()
        try:
            where = ("open", run.id, self.place, (str(self.folder), "report", None), [("r.csv", _COLUMNS)])
            job = (*where, run.content["key"], "example.com", False, ("", {}), (0, 0))
            pool.set_up(run.id, job)
            facts = {"campaign": run.name, "state": "running", "now": time.time(), "input_rows": run.input_rows}
            facts |= {"input_complete": True, "by_status": run.by_status, "by_category": {}, "by_provider": {}}
            await pool.ask(("live", run.id, {**facts, "by_domain": {}}, False), None)
            child = Child(pool.pids[0])
            child.look()
            self.figures["report_started_mb"] = child.figures["peak_mb"]
            began = time.monotonic()
            await pool.ask(("refresh", run.id, {**facts, "by_domain": {}}), None)
            self.figures["report_s"] = time.monotonic() - began
            child.look()
            self.figures |= {f"report_{name}": value for name, value in child.over().items()}
        finally:
            await pool.close()


def written_bytes() -> int:
    """By this process, to whatever it was."""
    return next(int(line.split()[1]) for line in Path("/proc/self/io").read_text().splitlines() if "wchar" in line)


def child(place: str, folder: str, server: int, files: list[str]) -> None:
    bench = Bench(place, Path(folder), files, server)
    lab.in_reactor(bench.run)
    print(json.dumps(bench.figures))


def measure(rows: int, domains: int, store: str) -> dict[str, float]:
    """One list of that length into a fresh spool."""
    with tempfile.TemporaryDirectory(prefix="bulkmail-bench-") as text, ExitStack() as stack:
        folder = Path(text)
        place = stack.enter_context(lab.postgres()) if store == "postgres" else str(folder / "spool")
        listed = folder / "recipients.csv"
        lab.long_list(listed, rows, domains, twice=100)
        command = [sys.executable, __file__, "--child", place, str(folder), str(lab.server_of(place))]
        out = subprocess.run([*command, str(listed)], check=True, stdout=subprocess.PIPE, text=True)
        figures: dict[str, float] = json.loads(out.stdout.splitlines()[-1])
    assert figures["rows"] == rows + rows // 100
    assert figures["duplicates"] == rows // 100
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000, 3_000_000])
    parser.add_argument("--domains", type=int, default=100_000)
    parser.add_argument("--store", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    given, rest = parser.parse_known_args()
    if given.child:
        child(given.child[0], given.child[1], int(given.child[2]), rest)
        return
    lab.end_in_order()
    figures: dict[str, object] = {"domains": given.domains}
    table: list[list[object]] = []
    for rows in given.rows:
        got = figures[str(rows)] = measure(rows, given.domains, given.store)
        lab.keep(f"lists-{given.store}", figures)
        each = 1e6 / got["rows"]
        table.append([
            f"{got['rows']:,.0f}", got["import_s"], got["import_s"] * each, got["import_cpu_s"] * each,
            got["reader_cpu_s"] * each, got["server_cpu_s"] * each, got["written_bytes"] / got["rows"],
            got["main_peak_mb"], got["reader_peak_mb"], got["report_s"], got["report_cpu_s"] * each,
            got["report_started_mb"], got["report_peak_mb"],
        ])  # fmt: skip
        print(f"{rows:,} rows: {json.dumps({name: round(value, 2) for name, value in got.items()})}", flush=True)
    head = ["rows", "import s", "us/row", "main CPU us/row", "reader CPU us/row", "server CPU us/row", "bytes/row"]
    head += ["main MB", "reader MB", "report s", "report CPU us/row", "report MB at start", "report MB"]
    print(lab.table(head, table))


if __name__ == "__main__":
    main()
