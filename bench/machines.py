"""Three machines on one PostgreSQL, one killed, one frozen past its lease: nobody lost, no limit exceeded?"""

from __future__ import annotations

import argparse
import csv
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import _lab as lab

_LEASE = 5


def config(folder: Path, nameserver: str, port: int, dsn: str, name: str, rate: int, connections: int) -> Path:
    lines = [
        "hostname: mta1.example.com",
        f"spool: {dsn}",
        f"machine: {{name: {name}, folder: {folder}/{name}, lease: {_LEASE}s}}",
        f'dns: {{nameservers: ["{nameserver}"]}}',
        'routing: {allow_networks: ["127.0.0.0/8"]}',
        f"smtp: {{port: {port}, chunking: off}}",
        "retry: {unknown_after: 20s}",
        "compose: {processes: 1}",
        "shaping:",
        f"  default: {{connections: {connections}, messages_per_connection: 100000,",
        f"            rate: '{rate}/s,burst=5', connection_rate: 1000/s}}",
    ]
    path = folder / f"{name}.yaml"
    path.write_text("\n".join(lines) + "\n")
    return path


def start(folder: Path, name: str, *options: str) -> subprocess.Popen[bytes]:
    out = (folder / f"{name}.log").open("ab")
    command = [str(lab.TWISTD), "--nodaemon", "--pidfile=", "bulkmail", *options]
    return subprocess.Popen(command, cwd=folder, stdout=out, stderr=out, stdin=subprocess.DEVNULL)


def until(condition: object, patience: float = 900) -> None:
    deadline = time.monotonic() + patience
    while not condition():  # type: ignore[operator]
        if time.monotonic() > deadline:
            raise SystemExit("waited in vain")
        time.sleep(0.1)


def most_in_one_second(times: list[float]) -> int:
    times.sort()
    first = most = 0
    for last, at in enumerate(times):
        while times[first] <= at - 1.0:
            first += 1
        most = max(most, last - first + 1)
    return most


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipients", type=int, default=100_000)
    parser.add_argument("--domains", type=int, default=500)
    parser.add_argument("--sites", type=int, default=12)
    parser.add_argument("--rate", type=int, default=150, help="messages a second to each site")
    given = parser.parse_args()
    lab.need("dnsmasq")
    receiver = lab.ROOT / "tests" / "receiver.py"
    with tempfile.TemporaryDirectory(prefix="bulkmail-bench-") as text, lab.postgres() as dsn:
        folder = Path(text)
        record = folder / "record"
        record.touch()
        addresses = [f"127.0.1.{n + 1}" for n in range(given.sites)]
        server = subprocess.Popen(
            [sys.executable, str(receiver), "--record", str(record), "--delay", "0.02", *addresses],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        started: list[subprocess.Popen[bytes]] = []
        try:
            assert server.stdout is not None
            port = json.loads(server.stdout.readline())["port"]
            with lab.dns(folder, given.domains, given.sites, given.sites) as nameserver:
                names = ["one", "two", "three"]
                files = [config(folder, nameserver, port, dsn, name, given.rate, 20) for name in names]
                place = lab.campaign(folder, "bench", given.recipients, given.domains)
                killed = start(folder, "two", "--settings", str(files[1]))
                frozen = start(folder, "three", "--settings", str(files[2]))
                started += [killed, frozen]
                until(lambda: "machines on this spool: 2" in (folder / "three.log").read_text(), 60)
                began = time.monotonic()
                owner = start(folder, "one", "-c", str(place), "--settings", str(files[0]))
                started.append(owner)
                size = len(json.dumps({"to": "person10000@d100.test"})) + 250
                until(lambda: record.stat().st_size > given.recipients * size * 0.2)
                killed.send_signal(signal.SIGKILL)
                os.kill(frozen.pid, signal.SIGSTOP)
                time.sleep(_LEASE * 4)
                os.kill(frozen.pid, signal.SIGCONT)
                frozen_status = frozen.wait(120)
                status = owner.wait(900)
                wall = time.monotonic() - began
            received = [json.loads(line) for line in record.read_text().splitlines()]
            with (place / "report" / "recipients.csv").open(newline="", encoding="utf-8") as rows:
                report = [(row["email"], row["status"]) for row in csv.DictReader(rows)]
            with (place / "report" / "attempts.csv").open(newline="", encoding="utf-8") as rows:
                unknown = {row["email"] for row in csv.DictReader(rows) if row["result"] == "unknown"}
            summary = json.loads((place / "report" / "summary.json").read_text())
        finally:
            for process in started:
                if process.poll() is None:
                    process.kill()
                process.wait()
            server.terminate()
            server.wait()
    ids: dict[str, set[str]] = {}
    times: dict[str, list[float]] = {}
    for one in received:
        ids.setdefault(one["to"], set()).add(one["message_id"])
        times.setdefault(one["ip"], []).append(one["at"])
    counts = Counter(one["to"] for one in received)
    doubled = {to for to, count in counts.items() if count > 1}
    lost = {email for email, _ in report} - counts.keys()
    most = max(most_in_one_second(found) for found in times.values())
    print(f"exit status {status} (the frozen one: {frozen_status}), {wall:.0f} s")
    print(f"report rows {len(report):,}, statuses {dict(Counter(state for _, state in report))}")
    print(f"received {len(received):,}; lost {len(lost)}; doubled {len(doubled)}")
    print(f"doubled without an unanswered attempt {len(doubled - unknown)}")
    print(f"doubled with another Message-ID {sum(len(found) > 1 for found in ids.values())}")
    print(f"unanswered attempts {len(unknown)}; possibly_doubled {summary['possibly_doubled']}")
    print(f"most messages to one site in any second: {most} (limit {given.rate}/s, burst 5)")
    ok = status == 0 and not lost and doubled <= unknown and len(report) == given.recipients
    ok = ok and all(len(found) == 1 for found in ids.values()) and most <= given.rate * 1.1 + 5
    raise SystemExit(0 if ok else 1)


if __name__ == "__main__":
    main()
