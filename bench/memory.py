"""A very long list over very many domains: memory of each process, event-loop latency, time to the first message."""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import _lab as lab

TICK = 0.01
# What runs in place of twistd: twistd, with a clock in its event loop that says how late it was each time (which on a
# busy machine is also how long other programs had the processor), and what each turn of the loop cost in CPU time
WATCHED = """
import json, sys, time
from bulkmail.spool.journal import Journal
from twisted.internet import reactor
from twisted.scripts.twistd import run
out, tick, started = sys.argv.pop(1), float(sys.argv.pop(1)), float(sys.argv.pop(1))
late, first = [], []
dot = Journal.dot

def first_dot(self, *args):
    first.append(time.time() - started)
    Journal.dot = dot
    dot(self, *args)

turns = [0] * 100_000  # by tenths of a millisecond
turn, ended = reactor.doIteration, [time.thread_time()]

def counted(delay):
    turn(delay)
    now = time.thread_time()
    if first:
        turns[min(len(turns) - 1, int((now - ended[0]) * 10_000))] += 1
    ended[0] = now

def turn_at(share):
    left = sum(turns) * share
    for tenths, count in enumerate(turns):
        left -= count
        if left <= 0:
            return tenths / 10

def look(due):
    now = time.monotonic()
    if first:
        late.append(now - due)
    reactor.callLater(tick, look, now + tick)

def save():
    ordered = sorted(late)
    at = lambda share: ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000 if ordered else None
    with open(out, "w") as file:
        json.dump({"first_dot_s": first[0] if first else None, "looks": len(late), "p50_ms": at(0.5),
                   "p99_ms": at(0.99), "p999_ms": at(0.999), "max_ms": at(1.0),
                   "turn_p99_ms": turn_at(0.99), "turn_p999_ms": turn_at(0.999), "turn_max_ms": turn_at(1.0)}, file)

Journal.dot = first_dot
reactor.doIteration = counted
reactor.callWhenRunning(look, time.monotonic())
reactor.addSystemEventTrigger("before", "shutdown", save)
run()
"""


def long_list(folder: Path, recipients: int, domains: int) -> Path:
    """The welcome campaign with a list of any length, written fast."""
    place = lab.campaign(folder, "memory", 1, 1)
    dice = random.Random(3)
    with (place / "recipients0.csv").open("w", encoding="utf-8") as file:
        file.write("email,first_name,last_name,city,plan,products,joined\n")
        for start in range(0, recipients, 10_000):
            file.write("".join([
                f"person{n}@d{dice.randrange(domains)}.test,Ana,Meyer-{n},Wien,plus,bowl|stool,2024-05-01\n"
                for n in range(start, min(recipients, start + 10_000))
            ]))  # fmt: skip
    return place


def memory(pid: int) -> dict[str, float]:
    """Resident megabytes (now) of the process and its children, by what they do; several of a kind are numbered."""
    found: dict[str, float] = {}
    for one in [pid, *lab.children(pid)]:
        try:
            words = Path(f"/proc/{one}/cmdline").read_text().split("\0")
            status = Path(f"/proc/{one}/status").read_text()
        except OSError:
            continue
        if one != pid and "bulkmail.workers.child" not in words:
            continue  # about to become a worker
        name = "main" if one == pid else words[-2].rpartition(":")[2]
        number = sum(other.split()[0] == name for other in found)
        resident = [line for line in status.splitlines() if line.startswith("VmRSS")]
        if resident:
            found[f"{name} {number + 1}" if number else name] = int(resident[0].split()[1]) / 1024
    return found


def measure(folder: Path, recipients: int, domains: int, sent: int, patience: float) -> dict[str, object]:
    """Run until the list is read and ``sent`` messages are delivered, then stop as an operator would."""
    campaign = long_list(folder, recipients, domains)
    peaks: dict[str, float] = {}
    said = folder / "loop.json"
    with lab.dns(folder, domains, 200, 4) as nameserver, lab.sinks(4) as port:
        config = lab.settings(folder, nameserver, port, dkim=True)
        begun = time.time()
        command = [sys.executable, "-c", WATCHED, str(said), str(TICK), str(begun)]
        command += ["--nodaemon", "--pidfile=", "bulkmail", "-c", str(campaign), "--settings", str(config)]
        log = (folder / "log").open("wb")
        process = subprocess.Popen(command, cwd=campaign, stdout=log, stderr=log)
        read = delivered = 0
        complete_after = None
        try:
            while process.poll() is None and time.time() - begun < patience:
                time.sleep(0.5)
                for name, mb in memory(process.pid).items():
                    peaks[name] = max(mb, peaks.get(name, 0.0))
                summary = campaign / "report" / "summary.json"
                if summary.exists():
                    now = json.loads(summary.read_text())
                    read, delivered = now["input_rows"], now["by_status"]["delivered"]
                    if now["input_complete"] and complete_after is None:
                        complete_after = time.time() - begun
                if complete_after is not None and delivered >= min(sent, recipients):
                    break
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            try:
                process.wait(120)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            log.close()
    if not said.exists():
        raise SystemExit((folder / "log").read_text()[-2000:])
    return {
        "recipients": recipients,
        "read": read,
        "delivered": delivered,
        "list_read_after_s": complete_after,
        "peak_mb": peaks,
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
    given = parser.parse_args()
    lab.need("smtp-sink", "dnsmasq")
    lab.end_in_order()
    rows, figures = [], {}
    for recipients in given.recipients:
        with tempfile.TemporaryDirectory(prefix="bulkmail-bench-") as text:
            found = measure(Path(text), recipients, given.domains, given.sent, given.patience)
        figures[str(recipients)] = found
        peaks = found["peak_mb"]
        assert isinstance(peaks, dict)
        workers = max(mb for name, mb in peaks.items() if name != "main")
        rows.append([
            f"{recipients:,}", f"{found['read']:,}", f"{found['delivered']:,}", peaks["main"], workers,
            found["first_dot_s"], found["p50_ms"], found["p99_ms"], found["turn_p99_ms"], found["turn_max_ms"],
        ])  # fmt: skip
    head = ["recipients", "read", "delivered", "main MB", "largest worker MB", "first message s"]
    print(lab.table([*head, "late p50 ms", "late p99 ms", "turn p99 CPU ms", "turn max CPU ms"], rows))
    lab.keep("memory", {"domains": given.domains, "cores": len(os.sched_getaffinity(0)), **figures})


if __name__ == "__main__":
    main()
