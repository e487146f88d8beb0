"""A very long list over very many domains: memory of each process by phase, speed at both ends, sizes, latency."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parent))
import _lab as lab

TICK = 0.01
LAST_REPORT = 1800.0
BYTES = 2000  # of disk for each recipient: the list, the spool, the attempts, and the report twice
WATCHED = Path(__file__).with_name("_loop.py")
CHILD = "bulkmail.workers.child"


class Memory(NamedTuple):
    """Megabytes of a process: resident now, at most so far, and of its own now (shared with no other process)."""

    resident: float
    peak: float
    own: float


def memory(pid: int) -> dict[str, Memory]:
    """What the process and its children take; several of a kind are numbered."""
    found: dict[str, Memory] = {}
    for one in [pid, *lab.children(pid)]:
        try:
            words = Path(f"/proc/{one}/cmdline").read_text().split("\0")
            said = {**lab.megabytes(one, "status"), **lab.megabytes(one, "smaps_rollup")}
        except OSError:
            continue
        if one != pid and CHILD not in words:
            continue  # about to become a worker
        name = "main" if one == pid else words[words.index(CHILD) + 1].rpartition(":")[2]
        number = sum(other.split()[0] == name for other in found)
        if "Private_Dirty" in said and "VmRSS" in said:
            own = said["Private_Clean"] + said["Private_Dirty"]
            found[f"{name} {number + 1}" if number else name] = Memory(said["VmRSS"], said["VmHWM"], own)
    return found


def sizes(folder: Path) -> dict[str, float]:
    """Megabytes of each file beneath a folder."""
    found = {}
    for path in folder.rglob("*"):
        with suppress(OSError):  # gone meanwhile
            if path.is_file():
                found[str(path.relative_to(folder))] = path.stat().st_size / 1e6
    return found


class Watch:
    """Looks at one run while it lasts.

    ``phases``: ``reading`` while the list is read, most of it sent meanwhile; ``sending`` the rest; ``reporting`` what
    is written behind the last message. Of each the most that a process had resident at one look, and of its own.
    """

    def __init__(self, process: subprocess.Popen[bytes], folder: Path, sent: int, every: float) -> None:
        self._process, self._every, self._sent = process, every, sent
        self._summary, self._spool = folder / "memory" / "report" / "summary.json", folder / "spool"
        self._begun = time.time()
        self.peaks: dict[str, float] = {}
        self.phases: dict[str, dict[str, tuple[float, float]]] = {}
        self.spool_mb: dict[str, float] = {}
        self.course: list[dict[str, float]] = []
        self.read = self.delivered = 0
        self.by_status: dict[str, int] = {}
        self.list_read_after: float | None = None

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    @property
    def seconds(self) -> float:
        return time.time() - self._begun

    @property
    def all_sent(self) -> bool:
        return self.list_read_after is not None and self.delivered >= self._sent

    def look(self) -> None:
        time.sleep(0.5)
        now = memory(self._process.pid)
        phase = "reading" if self.list_read_after is None else "reporting" if self.all_sent else "sending"
        most = self.phases.setdefault(phase, {})
        for name, found in now.items():
            self.peaks[name] = max(found.peak, self.peaks.get(name, 0.0))
            before = most.get(name, (0.0, 0.0))
            most[name] = max(found.resident, before[0]), max(found.own, before[1])
        for name, size in sizes(self._spool).items():
            kind = "journal" if name.startswith("journal") else name
            self.spool_mb[kind] = max(size, self.spool_mb.get(kind, 0.0))
        if self._summary.exists():
            said = json.loads(self._summary.read_text())
            self.by_status = said["by_status"]
            self.read, self.delivered = said["input_rows"], self.by_status["delivered"]
            if said["input_complete"] and self.list_read_after is None:
                self.list_read_after = self.seconds
        if "main" in now and self.seconds >= len(self.course) * self._every:
            self.course.append({
                "at_s": self.seconds, "read": self.read, "delivered": self.delivered,
                "cpu_s": lab.tree_cpu(self._process.pid), "main_cpu_s": lab.cpu(self._process.pid),
                "spool_mb": sum(sizes(self._spool).values()),
                **{name: found.resident for name, found in now.items()},
            })  # fmt: skip
            largest = max((found.resident for name, found in now.items() if name != "main"), default=0.0)
            words = f"{self.seconds:6,.0f} s: {self.read:,} read, {self.delivered:,} delivered"
            print(f"{words}; main {now['main'].resident:.0f} MB, largest worker {largest:.0f} MB", flush=True)


def measure(
    folder: Path, recipients: int, domains: int, sites: int, sent: int, patience: float, every: float, *, dkim: bool
) -> dict[str, Any]:
    """Run until the list is read and ``sent`` messages are delivered, then stop as an operator would.

    Where all are to be sent it ends by itself.
    """
    campaign = lab.campaign(folder, "memory", 1, 1)
    lab.long_list(campaign / "recipients0.csv", recipients, domains)
    said = folder / "loop.json"
    whole = sent >= recipients
    with lab.many_domains(domains, sites, 4) as nameserver, lab.sinks(4) as port:
        config = lab.settings(folder, nameserver, port, dkim=dkim)
        command = [sys.executable, str(WATCHED), str(said), str(TICK), str(time.time()), str(max(1, recipients // 10))]
        command += ["--nodaemon", "--pidfile=", "bulkmail", "-c", str(campaign), "--settings", str(config)]
        log = (folder / "log").open("wb")
        process = subprocess.Popen(command, cwd=campaign, stdout=log, stderr=log)
        watch = Watch(process, folder, min(sent, recipients), every)
        stopped = 0.0
        try:
            while watch.running and watch.seconds < patience:
                watch.look()
                stopped = stopped or (watch.seconds if watch.all_sent else 0.0)
                if watch.all_sent and not whole:
                    break
            stopped = stopped or watch.seconds
            if watch.running:
                process.send_signal(signal.SIGTERM)
            while watch.running and watch.seconds < stopped + LAST_REPORT:  # it writes the whole report before it ends
                watch.look()
        finally:
            if watch.running:
                process.kill()
            process.wait()
            log.close()
    if not said.exists():
        raise SystemExit((folder / "log").read_text()[-2000:])
    summary = json.loads((campaign / "report" / "summary.json").read_text())
    with (campaign / "report" / "recipients.csv").open("rb") as file:
        rows = sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b"")) - 1
    return {
        "recipients": recipients,
        "read": summary["input_rows"],
        "delivered": summary["by_status"]["delivered"],
        "by_status": summary["by_status"],
        "report_rows": rows,
        "list_read_after_s": watch.list_read_after,
        "stopped_after_s": stopped,
        "last_report_s": watch.seconds - stopped,
        "peak_mb": watch.peaks,
        "phases_mb": watch.phases,
        "spool_mb": {**watch.spool_mb, "at the end": sum(sizes(folder / "spool").values())},
        "report_mb": sizes(campaign / "report"),
        "course": watch.course,
        "status": process.returncode,
        **json.loads(said.read_text()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipients", type=int, nargs="+", default=[10_000, 1_000_000])
    parser.add_argument("--domains", type=int, default=100_000)
    parser.add_argument("--sites", type=int, default=200, help="sets of MX hosts that the domains lead to")
    parser.add_argument(
        "--sent", type=int, default=100_000, help="stop when so many are delivered and the list is read"
    )
    parser.add_argument("--patience", type=float, default=900, help="stop after so many seconds, whatever was reached")
    parser.add_argument("--unsigned", action="store_true", help="without DKIM: a long list is sent in less time")
    parser.add_argument("--every", type=float, default=30.0, help="seconds between two lines of what is going on")
    parser.add_argument("--json", type=Path, help="write the figures there, too")
    given = parser.parse_args()
    lab.need("smtp-sink")
    lab.end_in_order()
    rows: list[list[object]] = []
    figures: dict[str, object] = {"domains": given.domains, "sites": given.sites, "cores": len(os.sched_getaffinity(0))}
    for recipients in given.recipients:
        with tempfile.TemporaryDirectory(prefix="bulkmail-bench-") as text:
            room = shutil.disk_usage(text).free / 1e9
            if room < recipients * BYTES / 1e9:
                raise SystemExit(
                    f"{recipients:,} recipients need {recipients * BYTES / 1e9:.0f} GB, {room:.0f} are free"
                )
            over, dkim = (given.domains, given.sites), not given.unsigned
            found = measure(Path(text), recipients, *over, given.sent, given.patience, given.every, dkim=dkim)
        figures[str(recipients)] = found
        lab.keep("memory", figures)
        if given.json is not None:
            given.json.write_text(json.dumps(figures, indent=2) + "\n")
        tell(found)
        peaks = found["peak_mb"]
        workers = max(mb for name, mb in peaks.items() if name != "main")
        rows.append([
            f"{recipients:,}", f"{found['read']:,}", found["list_read_after_s"] or "not reached",
            f"{found['delivered']:,}", found["stopped_after_s"], f"{found['report_rows']:,}", found["last_report_s"],
            peaks["main"], workers, found["first_dot_s"], found["p50_ms"], found["p99_ms"], found["turn_p99_ms"],
            found["turn_max_ms"],
        ])  # fmt: skip
    head = ["recipients", "read", "all read s", "delivered", "stopped s", "rows of the report", "last report s"]
    head += ["main MB", "largest worker MB", "first message s"]
    print(lab.table([*head, "late p50 ms", "late p99 ms", "turn p99 CPU ms", "turn max CPU ms"], rows))


def tell(found: dict[str, Any]) -> None:
    """Print memory by process and phase, the speed of each tenth, and sizes."""
    most: list[list[object]] = [[name, mb] for name, mb in sorted(found["peak_mb"].items())]
    for processes in found["phases_mb"].values():
        for row in most:
            resident, own = processes.get(str(row[0]), (0.0, 0.0))
            row.append(f"{resident:.0f} ({own:.0f})" if resident else "")
    print(lab.table(["MB resident (own)", "at most", *found["phases_mb"]], most))
    tenths: list[list[object]] = [[n, *tenth] for n, tenth in enumerate(tenths_of(found), 1)]
    print(lab.table(["tenth of the rows", "messages/s", "main us/msg"], tenths))
    for what in ("spool_mb", "report_mb"):
        print(f"{what}: " + ", ".join(f"{name} {mb:,.1f}" for name, mb in sorted(found[what].items())), flush=True)


def tenths_of(found: dict[str, Any]) -> list[tuple[float, float]]:
    """Messages a second, and microseconds of the main process's CPU for each, of each tenth of the rows sent."""
    many, marks = found["marked_each"], found["marks"]
    return [(many / (at - before), (spent - then) / many * 1e6) for (before, then), (at, spent) in pairwise(marks)]


if __name__ == "__main__":
    main()
