"""A very long list over very many domains: memory of each process, event-loop latency, time to the first message."""

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
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import _lab as lab

TICK = 0.01
COURSE = 30.0  # seconds between two lines of what is going on
LAST_REPORT = 1800.0
BYTES = 2000  # of disk for each recipient: the list, the spool, the attempts, and the report twice
WATCHED = Path(__file__).with_name("_loop.py")


def memory(pid: int) -> dict[str, tuple[float, float]]:
    """Megabytes resident now, and at most so far, of the process and its children; several of a kind are numbered."""
    found: dict[str, tuple[float, float]] = {}
    for one in [pid, *lab.children(pid)]:
        try:
            words = Path(f"/proc/{one}/cmdline").read_text().split("\0")
            status = Path(f"/proc/{one}/status").read_text().splitlines()
        except OSError:
            continue
        if one != pid and "bulkmail.workers.child" not in words:
            continue  # about to become a worker
        name = "main" if one == pid else words[-2].rpartition(":")[2]
        number = sum(other.split()[0] == name for other in found)
        said = {line.split()[0]: int(line.split()[1]) / 1024 for line in status if line.startswith(("VmRSS", "VmHWM"))}
        if said:
            found[f"{name} {number + 1}" if number else name] = said["VmRSS:"], said["VmHWM:"]
    return found


class Watch:
    """Looks at one run while it lasts."""

    def __init__(self, process: subprocess.Popen[bytes], report: Path, begun: float) -> None:
        self._process, self._summary, self._begun = process, report / "summary.json", begun
        self.peaks: dict[str, float] = {}
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

    def look(self) -> None:
        time.sleep(0.5)
        now = memory(self._process.pid)
        for name, (_, peak) in now.items():
            self.peaks[name] = max(peak, self.peaks.get(name, 0.0))
        if self._summary.exists():
            said = json.loads(self._summary.read_text())
            self.by_status = said["by_status"]
            self.read, self.delivered = said["input_rows"], self.by_status["delivered"]
            if said["input_complete"] and self.list_read_after is None:
                self.list_read_after = self.seconds
        if "main" in now and self.seconds >= len(self.course) * COURSE:
            self.course.append({
                "at_s": self.seconds, "read": self.read, "delivered": self.delivered,
                **{name: resident for name, (resident, _) in now.items()},
            })  # fmt: skip
            most = max((mb for name, (mb, _) in now.items() if name != "main"), default=0.0)
            words = f"{self.seconds:6,.0f} s: {self.read:,} read, {self.delivered:,} delivered"
            print(f"{words}; main {now['main'][0]:.0f} MB, largest worker {most:.0f} MB", flush=True)


def measure(
    folder: Path, recipients: int, domains: int, sent: int, patience: float, *, dkim: bool = True
) -> dict[str, object]:
    """Run until the list is read and ``sent`` messages are delivered, then stop as an operator would."""
    campaign = lab.campaign(folder, "memory", 1, 1)
    lab.long_list(campaign / "recipients0.csv", recipients, domains)
    said = folder / "loop.json"
    with lab.many_domains(domains, 200, 4) as nameserver, lab.sinks(4) as port:
        config = lab.settings(folder, nameserver, port, dkim=dkim)
        begun = time.time()
        command = [sys.executable, str(WATCHED), str(said), str(TICK), str(begun)]
        command += ["--nodaemon", "--pidfile=", "bulkmail", "-c", str(campaign), "--settings", str(config)]
        log = (folder / "log").open("wb")
        process = subprocess.Popen(command, cwd=campaign, stdout=log, stderr=log)
        watch = Watch(process, campaign / "report", begun)
        try:
            while watch.running and watch.seconds < patience:
                watch.look()
                if watch.list_read_after is not None and watch.delivered >= min(sent, recipients):
                    break
            stopped = watch.seconds
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
        "course": watch.course,
        "status": process.returncode,
        **json.loads(said.read_text()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipients", type=int, nargs="+", default=[10_000, 1_000_000])
    parser.add_argument("--domains", type=int, default=100_000)
    parser.add_argument(
        "--sent", type=int, default=100_000, help="stop when so many are delivered and the list is read"
    )
    parser.add_argument("--patience", type=float, default=900, help="stop after so many seconds, whatever was reached")
    parser.add_argument("--unsigned", action="store_true", help="without DKIM: a long list is sent in less time")
    given = parser.parse_args()
    lab.need("smtp-sink")
    lab.end_in_order()
    rows, figures = [], {}
    for recipients in given.recipients:
        with tempfile.TemporaryDirectory(prefix="bulkmail-bench-") as text:
            room = shutil.disk_usage(text).free / 1e9
            if room < recipients * BYTES / 1e9:
                raise SystemExit(
                    f"{recipients:,} recipients need {recipients * BYTES / 1e9:.0f} GB, {room:.0f} are free"
                )
            found = measure(Path(text), recipients, given.domains, given.sent, given.patience, dkim=not given.unsigned)
        figures[str(recipients)] = found
        lab.keep("memory", {"domains": given.domains, "cores": len(os.sched_getaffinity(0)), **figures})
        peaks = found["peak_mb"]
        assert isinstance(peaks, dict)
        print("at most: " + ", ".join(f"{name} {mb:.0f} MB" for name, mb in sorted(peaks.items())), flush=True)
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


if __name__ == "__main__":
    main()
