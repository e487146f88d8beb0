"""Machines on one PostgreSQL, one killed, one frozen past its lease: is anybody lost, is the sum within the limits?

Twelve sites at a rate each, one of them a provider cut into shares that all machines have at once. With
``--machines 2`` the one is killed and started again, and later the other, which has the campaign's folder, is frozen
past its lease and, when it ends for that, started again. With 3 or 4 one that helps is killed for good, another is
frozen and thawed.

The limits are looked at where they are made and where they are felt. A rate with a burst is a law on every window, so
what is printed is the smallest burst that lets all messages pass: by when they were granted (attempts.csv, of all
machines together), and by when the receiver had them. The second is larger where messages take more or less long on
their way on a busy computer; by how much it may be larger follows from the times they took. Beside it stands how late a
timer was meanwhile in a process that did nothing else.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
import _lab as lab
import pacing

_LEASE = 5
_SHARES = 4
_BURST = 8
_DELAY = 0.02
_NAMES = ("one", "two", "three", "four")
_UNKNOWN_AFTER = 20
_TO_END = 60  # what a machine that was declared gone may take to end


def config(folder: Path, nameserver: str, port: int, dsn: str, name: str, rate: int, connections: int) -> Path:
    limits = f"connections: {connections}, rate: '{rate}/s,burst={_BURST}', connection_rate: 1000/s"
    lines = [
        f"hostname: {name}.example.com",
        f"spool: {dsn}",
        f"machine: {{name: {name}, folder: {folder}/{name}, lease: {_LEASE}s}}",
        f'dns: {{nameservers: ["{nameserver}"], must_exist: []}}',
        'routing: {allow_networks: ["127.0.0.0/8"]}',
        f"smtp: {{port: {port}, chunking: off}}",
        f"retry: {{unknown_after: {_UNKNOWN_AFTER}s}}",
        "compose: {processes: 1}",
        "shaping:",
        f"  default: {{{limits}, messages_per_connection: 100000}}",
        f"  providers: {{big: {{mx: [mx0.test], {limits}, messages_per_connection: 100000, shares: {_SHARES}}}}}",
    ]
    path = folder / f"{name}.yaml"
    path.write_text("\n".join(lines) + "\n")
    return path


class Lateness(threading.Thread):
    """How late a timer was, looked at a hundred times a second."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.found: list[float] = []
        self.over = threading.Event()

    def run(self) -> None:
        while not self.over.is_set():
            before = time.monotonic()
            time.sleep(0.01)
            self.found.append(time.monotonic() - before - 0.01)


class Run:
    """One run: its servers and its machines."""

    def __init__(self, folder: Path, dsn: str, given: argparse.Namespace) -> None:
        self.folder = folder
        self.dsn = dsn
        self.given = given
        self.record = folder / "record"
        self.connections = folder / "connections"
        self.started: dict[str, subprocess.Popen[bytes]] = {}
        self.deadline = time.monotonic() + given.patience
        self.settings: dict[str, Path] = {}
        self.frozen: list[tuple[str, float, float]] = []  # whose connections carry nothing, from when to when
        self.record.touch()
        self.connections.touch()
        addresses = [f"127.0.1.{n + 1}" for n in range(given.sites)]
        receiver = str(lab.ROOT / "tests" / "receiver.py")
        files = ["--record", str(self.record), "--connections", str(self.connections)]
        self.server = subprocess.Popen(
            [sys.executable, receiver, *files, "--delay", str(_DELAY), *addresses],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self.server.stdout is not None
        self.port = json.loads(self.server.stdout.readline())["port"]

    def close(self) -> None:
        for process in self.started.values():
            if process.poll() is None:
                process.kill()
            process.wait()
        self.server.terminate()
        self.server.wait()

    def start(self, name: str, *options: str) -> subprocess.Popen[bytes]:
        out = (self.folder / f"{name}.log").open("ab")
        command = [str(lab.TWISTD), "--nodaemon", "--pidfile=", "bulkmail", *options]
        command += ["--settings", str(self.settings[name])]
        process = subprocess.Popen(command, cwd=self.folder, stdout=out, stderr=out, stdin=subprocess.DEVNULL)
        self.started[name] = process
        return process

    def until(self, condition: Callable[[], object], what: str) -> None:
        while not condition():
            if time.monotonic() > self.deadline:
                raise SystemExit(f"waited in vain for {what}: not done within {self.given.patience} s")
            time.sleep(0.1)

    def received(self, part: float) -> None:
        """Wait until about this part of all messages has been received."""
        size = len(json.dumps({"to": "person10000@d100.test"})) + 320
        wanted = self.given.recipients * size * part
        self.until(lambda: self.record.stat().st_size > wanted, f"{part:.0%} of the messages")

    def freeze(self, name: str) -> int | None:
        """Freeze one for four times its lease, thaw it; its exit status where it ends for that."""
        process = self.started[name]
        os.kill(process.pid, signal.SIGSTOP)
        frozen_at = time.time()
        time.sleep(_LEASE * 4)
        os.kill(process.pid, signal.SIGCONT)
        until = time.monotonic() + _TO_END
        while process.poll() is None and time.monotonic() < until:
            time.sleep(0.1)
        self.frozen.append((f"{name}.example.com", frozen_at, time.time()))
        return process.poll()

    def go(self) -> tuple[int, str]:
        """All of it: the exit status of the machine with the folder, and what became of the others."""
        given = self.given
        names = _NAMES[: given.machines]
        with lab.dns(self.folder, given.domains, given.sites, given.sites) as nameserver:
            for name in names:
                place = (self.folder, nameserver, self.port, self.dsn)
                self.settings[name] = config(*place, name, given.rate, given.connections)
            campaign = str(lab.campaign(self.folder, "bench", given.recipients, given.domains))
            for name in names[1:]:
                self.start(name)
            words = f"machines on this spool: {len(names) - 1}"
            for name in names[1:] if len(names) > 2 else ():
                log = self.folder / f"{name}.log"
                self.until(lambda log=log: words in log.read_text(), "the machines to meet")
            self.start("one", "-c", campaign)
            self.received(0.2)
            self.started["two"].send_signal(signal.SIGKILL)
            self.started["two"].wait()
            if given.machines == 2:
                self.start("two")
                self.received(0.45)
                status = self.freeze("one")
                story = f"the killed one was started again; the frozen one ended with {status}"
                if status is not None:
                    self.start("one", "-c", campaign)
            else:
                story = f"the frozen one ended with {self.freeze('three')}"
            owner = self.started["one"]
            self.until(lambda: owner.poll() is not None, "the end")
            for process in self.started.values():
                if process.poll() is None:
                    process.terminate()
            for process in self.started.values():
                process.wait(30)
            return owner.returncode, story


def rows_of(place: Path) -> list[dict[str, str]]:
    with place.open(newline="", encoding="utf-8-sig") as rows:
        return list(csv.DictReader(rows))


def most_in_one_second(times: list[float]) -> int:
    times = sorted(times)
    first = most = 0
    for last, at in enumerate(times):
        while times[first] <= at - 1.0:
            first += 1
        most = max(most, last - first + 1)
    return most


def without_frozen(lines: list[dict[str, object]], frozen: list[tuple[str, float, float]]) -> list[dict[str, object]]:
    """Connections of a machine that is frozen stay open at the receiver, and carry nothing."""
    kept = [
        line
        for line in lines
        if not any(line["helo"] == helo and since <= line["at"] <= until for helo, since, until in frozen)
    ]
    for helo, since, _ in frozen:
        kept += [{"at": since, "ip": ip, "helo": helo, "open": 0} for ip in {line["ip"] for line in lines}]
    return sorted(kept, key=lambda line: line["at"])


def judge(run: Run, status: int, lateness: list[float]) -> bool:
    """Print what was found; whether all is well."""
    given = run.given
    received = [json.loads(line) for line in run.record.read_text().splitlines()]
    place = run.folder / "bench" / "report"
    report, attempts = rows_of(place / "recipients.csv"), rows_of(place / "attempts.csv")
    summary = json.loads((place / "summary.json").read_text())
    ids: dict[str, set[str]] = {}
    arrived: dict[str, list[float]] = {}
    for one in received:
        ids.setdefault(one["to"], set()).add(one["message_id"])
        arrived.setdefault(one["ip"], []).append(one["at"])
    unknown = {row["email"] for row in attempts if row["result"] == "unknown"}
    counts = Counter(one["to"] for one in received)
    doubled = {to for to, count in counts.items() if count > 1}
    lost = {row["email"] for row in report} - counts.keys()
    print(f"report rows {len(report):,}, statuses {dict(Counter(row['status'] for row in report))}")
    print(f"received {len(received):,}; lost {len(lost)}; doubled {len(doubled)}")
    print(f"doubled without an unanswered attempt {len(doubled - unknown)}")
    print(f"doubled with another Message-ID {sum(len(found) > 1 for found in ids.values())}")
    print(f"unanswered attempts {len(unknown)}; possibly_doubled {summary['possibly_doubled']}")
    clean = status == 0 and not lost and doubled <= unknown and len(report) == given.recipients
    clean = clean and all(len(found) == 1 for found in ids.values())

    granted = pacing.grants(attempts, received)
    took = sorted(pacing.delays(granted, received))
    spread = pacing.smear(took, given.rate)
    late = sorted(lateness)
    # each machine may use one booked slot late, and be stopped by the system between a grant and the note of its time
    allowed = _BURST + given.machines + (pacing.UNSURE + late[-1]) * given.rate
    by_ip = pacing.of_each(granted)
    needed = {ip: pacing.burst_needed(times, given.rate) for ip, times in by_ip.items()}
    felt = {ip: pacing.burst_needed(times, given.rate) for ip, times in arrived.items()}
    big = "127.0.1.1"
    print(
        f"limit {given.rate}/s, burst {_BURST}; the smallest burst that fits, worst of {given.sites} sites / in shares:"
    )
    print(f"  as granted {max(needed.values()):.1f} / {needed[big]:.1f} (at most {allowed:.1f})")
    print(f"  as received {max(felt.values()):.1f} / {felt[big]:.1f} (at most {_BURST + given.machines + spread:.0f})")
    print(f"  from grant to receipt {took[0]:.3f} to {took[-1]:.3f} s, 99 % within {took[int(len(took) * 0.99)]:.3f} s")
    print(f"  a timer elsewhere was late by up to {late[-1]:.3f} s, 99 % within {late[int(len(late) * 0.99)]:.3f} s")
    seconds = [most_in_one_second(times) for times in arrived.values()]
    print(f"  most received in any second {max(seconds)} / {most_in_one_second(arrived[big])}")
    within = max(needed.values()) <= allowed and max(felt.values()) <= _BURST + given.machines + spread

    lines = [json.loads(line) for line in run.connections.read_text().splitlines()]
    opened = pacing.most_open(without_frozen(lines, run.frozen))
    print(f"most connections at once {max(opened.values())} / {opened[big]} (limit {given.connections})")
    senders = Counter(one["helo"].partition(".")[0] for one in received)
    print(f"sent by {dict(senders.most_common())}")
    sharers = Counter(one["helo"].partition(".")[0] for one in received if one["ip"] == big)
    print(f"to the one in shares by {dict(sharers.most_common())}")
    within = within and max(opened.values()) <= given.connections and len(sharers) == given.machines
    print(f"reconciliation {'clean' if clean else 'NOT CLEAN'}, limits {'kept' if within else 'NOT KEPT'}")
    return clean and within


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--machines", type=int, choices=(2, 3, 4), default=4)
    parser.add_argument("--recipients", type=int, default=100_000)
    parser.add_argument("--domains", type=int, default=500)
    parser.add_argument("--sites", type=int, default=12)
    parser.add_argument("--rate", type=int, default=150, help="messages a second to each site")
    parser.add_argument("--connections", type=int, default=20, help="to each site")
    parser.add_argument("--patience", type=int, default=330, help="seconds after which it is given up")
    parser.add_argument("--keep", type=Path, help="a folder for what was found, made if missing")
    given = parser.parse_args()
    lab.end_in_order()
    lab.need("dnsmasq")
    with tempfile.TemporaryDirectory(prefix="bulkmail-bench-") as text, lab.postgres() as dsn:
        if given.keep:
            given.keep.mkdir(parents=True, exist_ok=True)
        run = Run(given.keep or Path(text), dsn, given)
        lateness = Lateness()
        try:
            lateness.start()
            began = time.monotonic()
            status, story = run.go()
            wall = time.monotonic() - began
        finally:
            lateness.over.set()
            run.close()
        print(f"{given.machines} machines, exit status {status}, {wall:.0f} s; {story}")
        raise SystemExit(0 if judge(run, status, lateness.found) else 1)


if __name__ == "__main__":
    main()
