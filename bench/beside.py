"""Bounces taken in and acted on beside a running campaign: event-loop latency with and without them, in turns."""

from __future__ import annotations

import argparse
import asyncio
import csv
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import _lab as lab
from intake import BOUNCE, service

TICK = 0.01
CONNECTIONS = 150  # each sends its next bounce behind the 250 to its last: 200 a second at up to 750 ms for a 250
INBOUND = """\
inbound:
  listen: ["127.0.0.1:{port}"]
  domains: [in.example.com]
  limits: {{connections_per_address: 200, messages_per_connection: 1000000}}
suppression: {{auto: {{hard_bounce: {{after: 1}}}}}}
"""
NAMED = "anna@mx.example"  # whom the report of `intake` is about
ENVELOPE = "MAIL FROM:<>\r\nRCPT TO:<bounces+{token}@in.example.com>\r\nDATA\r\n"


@dataclass
class Taken:
    """Bounces that got a 250, by their tokens, and the seconds that each waited for it.

    ``since`` and ``until``: when the first and the last one was answered.
    """

    waits: list[float] = field(default_factory=list)
    since: float = 0.0
    until: float = 0.0
    answered: set[str] = field(default_factory=set)
    enough: int = 0
    wake: asyncio.Event | None = None  # is set when enough are answered


Row = tuple[str, str]  # token and address


async def client(port: int, rows: list[Row], taken: Taken, pace: float, ended: asyncio.Event) -> None:
    """Send one bounce each ``pace`` seconds until the campaign has ended."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:  # the service has ended
        return
    try:
        await reader.readuntil()
        writer.write(b"EHLO mx.example\r\n")
        while not (await reader.readuntil()).startswith(b"250 "):
            pass
        due = time.monotonic()
        while rows and not ended.is_set():
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            due = max(due + pace, time.monotonic() - 1.0)
            (token, email), began = rows.pop(), time.monotonic()
            writer.write(ENVELOPE.format(token=token).encode())
            for _ in range(3):
                await reader.readuntil()
            writer.write(BOUNCE.format(token=token).replace(NAMED, email).encode())
            if (await reader.readuntil()).startswith(b"250"):
                taken.until = time.monotonic()
                taken.since = taken.since or taken.until
                taken.waits.append(taken.until - began)
                taken.answered.add(token)
                if taken.wake is not None and len(taken.answered) >= taken.enough:
                    taken.wake.set()
    except (OSError, asyncio.IncompleteReadError):
        pass
    finally:
        writer.close()


async def bounces(port: int, rows: list[Row], taken: Taken, rate: float, process: subprocess.Popen[bytes]) -> None:
    """Send bounces at ``rate`` a second (0: none) from the first message until the process has ended."""
    ended = asyncio.Event()
    senders = []
    if rate:
        for _ in range(CONNECTIONS):
            senders.append(asyncio.create_task(client(port, rows, taken, CONNECTIONS / rate, ended)))
            await asyncio.sleep(1 / rate)
    await asyncio.to_thread(process.wait)
    ended.set()
    await asyncio.gather(*senders)


def run(folder: Path, place: Path, config: Path, port: int, rows: list[Row], rate: float) -> dict[str, float]:
    """Send the campaign at ``place``, with ``rate`` bounces a second beside it."""
    said, begun, taken = folder / "loop.json", time.time(), Taken()
    command = [sys.executable, str(Path(__file__).with_name("_loop.py")), str(said), str(TICK), str(begun), "0"]
    command += ["--nodaemon", "--pidfile=", "bulkmail", "-c", str(place), "--settings", str(config)]
    with (folder / "log").open("wb") as log, lab.running(command, cwd=place, stdout=log, stderr=log) as process:
        summary = place / "report" / "summary.json"
        while not (summary.exists() and json.loads(summary.read_text())["by_status"]["delivered"]):
            if process.poll() is not None:
                raise SystemExit((folder / "log").read_text()[-2000:])
            time.sleep(0.05)
        first = time.monotonic()
        asyncio.run(bounces(port, rows, taken, rate, process))
        passed = time.monotonic() - first
    found = json.loads(said.read_text())
    report = json.loads(summary.read_text())
    if process.returncode or not report["complete"]:
        raise SystemExit((folder / "log").read_text()[-2000:])
    waits = sorted(taken.waits) or [0.0]
    return {
        "sent/s": report["by_status"]["delivered"] / passed,
        # between the first and the last answer: the clients are greeted before, and the last report is written behind
        "bounces/s": len(taken.waits) / max(0.001, taken.until - taken.since),
        "250 p50 ms": waits[len(waits) // 2] * 1e3,
        "250 p99 ms": waits[len(waits) * 99 // 100] * 1e3,
        "late p50 ms": found["p50_ms"],
        "late p99 ms": found["p99_ms"],
        "own p99 ms": found["own_p99_ms"],
        "turn p99 ms": found["turn_p99_ms"],
        "turn max ms": found["turn_max_ms"],
    }


def rows_of(place: Path) -> list[Row]:
    """The tokens and addresses of a campaign's recipients, from its report."""
    with (place / "report" / "recipients.csv").open(encoding="utf-8-sig", newline="") as file:
        return [(row["token"], row["email"]) for row in csv.DictReader(file)]


def applied(place: Path) -> set[str]:
    """The tokens of a report's rows that say that their message came back."""
    with (place / "report" / "recipients.csv").open(encoding="utf-8-sig", newline="") as file:
        return {row["token"] for row in csv.DictReader(file) if row["stage"] == "dsn"}


async def until_killed(
    port: int, rows: list[Row], taken: Taken, process: subprocess.Popen[bytes], enough: int, then: float
) -> None:
    """Send bounces as fast as they are taken; kill the process ``then`` seconds after ``enough`` got a 250."""
    ended = asyncio.Event()
    senders = [asyncio.create_task(client(port, rows, taken, 0.0, ended)) for _ in range(CONNECTIONS)]
    taken.wake, taken.enough = asyncio.Event(), enough + len(taken.answered)
    await taken.wake.wait()
    await asyncio.sleep(then)
    process.kill()
    ended.set()
    await asyncio.gather(*senders)


def killed(folder: Path, first: Path, port: int, rows: list[Row], times: int) -> tuple[int, int]:
    """Kill -9 so many times while bounces come in: how many got a 250, and how many of these the report has not."""
    taken, dice = Taken(), random.Random(1)
    for _ in range(times):
        with service(folder, port) as process:
            asyncio.run(until_killed(port, rows, taken, process, dice.randint(1, 200), dice.uniform(0.0, 0.02)))
            process.wait()
    with service(folder, port):  # it brings the report up to date
        deadline = time.monotonic() + 60
        while (missing := taken.answered - applied(first)) and time.monotonic() < deadline:
            time.sleep(0.5)
    return len(taken.answered), len(missing)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipients", type=int, default=60_000, help="of the campaign that the bounces belong to")
    parser.add_argument("--seconds", type=float, default=20.0, help="of sending in each turn")
    parser.add_argument("--rate", type=float, default=200.0, help="bounces a second")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--share", type=float, default=0.5, help="of the machine's rate that the campaign is sent at")
    parser.add_argument("--kills", type=int, default=20)
    given = parser.parse_args()
    lab.need("smtp-sink", "dnsmasq")
    lab.end_in_order()
    rows: list[list[object]] = []
    found: dict[bool, list[dict[str, float]]] = {False: [], True: []}
    with tempfile.TemporaryDirectory(prefix="bulkmail-bench-") as text:
        folder, port = Path(text), lab.free_port()
        with lab.dns(folder, 500, 4, 4) as nameserver, lab.sinks(4) as smtp:
            extra = INBOUND.format(port=port)
            config = lab.settings(folder, nameserver, smtp, dkim=True, extra=extra)
            first = lab.campaign(folder, "first", given.recipients, 500)
            cost = lab.bulkmail(first, config)
            if cost.status:
                raise SystemExit(cost.output[-2000:])
            full = given.recipients / cost.wall
            half = full * given.share
            left = rows_of(first)
            print(f"at full speed, from start to end: {full:,.0f} messages/s", flush=True)
            for turn in range(given.turns):
                for beside in (False, True) if turn % 2 == 0 else (True, False):
                    name = f"turn{turn}{'with' if beside else 'without'}"
                    place = lab.campaign(folder, name, int(half * given.seconds), 500)
                    with (place / "campaign.yaml").open("a") as file:
                        file.write(f"schedule: {{rate: {int(half)}/s}}\n")
                    one = run(folder, place, config, port, left, given.rate if beside else 0.0)
                    found[beside].append(one)
                    rows.append([name, *one.values()])
                    print(lab.table(["", *one], rows[-1:]), flush=True)
            answered, missing = killed(folder, first, port, left, given.kills)
    medians = {
        key: [statistics.median(one[key] for one in found[beside]) for beside in (False, True)]
        for key in ("late p50 ms", "late p99 ms", "own p99 ms", "turn p99 ms", "turn max ms")
        if rows
    }
    ratios = {key: with_ / max(0.1, without) for key, (without, with_) in medians.items()}
    print("\n" + lab.table(["median", "without", "with", "ratio"], [[k, *medians[k], ratios[k]] for k in medians]))
    print("\n" + lab.table(["kill -9", "got a 250", "not in the report"], [[given.kills, answered, missing]]))
    cores = len(os.sched_getaffinity(0))
    kept = {"turns": rows, "ratios": ratios, "killed": [given.kills, answered, missing]}
    lab.keep("beside", {"cores": cores, "load": os.getloadavg()[0], **kept})


if __name__ == "__main__":
    main()
