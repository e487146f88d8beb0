"""Several campaigns at once: shares of one site by weight, a small one behind a large one, and very many domains."""

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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
import _lab as lab

PATIENCE = 900.0
LIMITS = "{{connections: {connections}, messages_per_connection: 1000000, rate: '{rate}', connection_rate: 10000/s}}"


def config(folder: Path, nameserver: str, port: int, rate: str, connections: int) -> Path:
    """Settings with one limit, for campaigns that nobody has to approve."""
    path = lab.settings(folder, nameserver, port, dkim=False, extra="approval: none\n")
    text = path.read_text()
    start, end = text.index("  default:"), text.index("approval:")
    limits = LIMITS.format(rate=rate, connections=connections)
    path.write_text(f"{text[:start]}  default: {limits}\n{text[end:]}")
    return path


def drop(watched: Path, folder: Path, name: str, recipients: int, domains: int, priority: str = "normal") -> Path:
    """Put a campaign into the watched folder, whole."""
    made = lab.campaign(folder, name, 1, 1)
    lab.long_list(made / "recipients0.csv", recipients, domains)
    (made / "campaign.yaml").open("a").write(f"priority: {priority}\n")
    return made.rename(watched / name)


@contextmanager
def service(folder: Path, watched: Path, settings: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The service over a watched folder; what it says is in ``log``."""
    command = [str(lab.TWISTD), "--nodaemon", "--pidfile=", "bulkmail", "--watch", str(watched)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([*command, "--settings", str(settings)], cwd=folder, stdout=log, stderr=log)
        try:
            yield process
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def summary(campaign: Path) -> dict[str, Any]:
    """What the report says now; {} before there is one."""
    try:
        found: dict[str, Any] = json.loads((campaign / "report" / "summary.json").read_text())
    except (OSError, ValueError):
        return {}
    return found


def delivered(campaign: Path) -> int:
    """Messages of a campaign that were accepted."""
    count: int = summary(campaign).get("by_status", {}).get("delivered", 0)
    return count


def until(condition: Callable[[], bool], folder: Path, what: str) -> None:
    """Look ten times a second."""
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise SystemExit(f"{what}: not within {PATIENCE:g} s\n{(folder / 'log').read_text()[-3000:]}")
        time.sleep(0.1)


def times(campaign: Path) -> list[float]:
    """When each message of a campaign was accepted, as attempts.csv says."""
    with (campaign / "report" / "attempts.csv").open(newline="", encoding="utf-8-sig") as file:
        return [
            datetime.fromisoformat(row["at"]).timestamp()
            for row in csv.DictReader(file)
            if row["result"] == "delivered"
        ]


def shares(given: argparse.Namespace) -> dict[str, Any]:
    """Two campaigns, normal and low, to one site at a rate that it allows: who gets how much, second by second."""
    with tempfile.TemporaryDirectory(prefix="bulkmail-bench-") as text:
        folder = Path(text)
        watched = folder / "watched"
        watched.mkdir()
        with lab.dns(folder, 1, 1, 1) as nameserver, lab.sinks(1) as port:
            settings = config(folder, nameserver, port, given.rate, 4)
            with service(folder, watched, settings):
                heavy = drop(watched, folder, "heavy", 100_000, 1)
                until(lambda: delivered(heavy) > 300, folder, "the first campaign")
                light = drop(watched, folder, "light", 100_000, 1, "low")
                until(lambda: delivered(light) >= given.messages, folder, "the second campaign")
        both = times(heavy), times(light)
        begun, end = min(both[1]), min(max(times_) for times_ in both)
        counts = [sum(begun <= at <= end for at in times_) for times_ in both]
        return {
            "rate": given.rate, "seconds": end - begun, "normal": counts[0], "low": counts[1],
            "share of normal": counts[0] / sum(counts), "of 0.75": counts[0] / sum(counts) / 0.75,
            "a second of both": sum(counts) / (end - begun),
        }  # fmt: skip


def overtake(given: argparse.Namespace) -> dict[str, Any]:
    """A small campaign, in turns alone and beside a large one to the same receivers: from its start to its last one.

    Alone means that the large one is paused. What a folder waits for before it is taken is not counted.
    """
    with tempfile.TemporaryDirectory(prefix="bulkmail-bench-") as text:
        folder = Path(text)
        watched = folder / "watched"
        watched.mkdir()
        took: dict[str, list[float]] = {}
        with lab.many_domains(given.domains, given.sites, 4) as nameserver, lab.sinks(4) as port:
            settings = config(folder, nameserver, port, given.lane_rate, 20)
            with service(folder, watched, settings):

                def small(kind: str, priority: str) -> None:
                    name = f"{kind}{len(took.setdefault(kind, []))}".replace(" ", "-")
                    place = drop(watched, folder, name, given.small, given.domains, priority)
                    until(lambda: delivered(place) == given.small, folder, name)
                    began = datetime.fromisoformat(summary(place)["started_at"]).timestamp()
                    took[kind].append(max(times(place)) - began)

                large = drop(watched, folder, "large", given.large, given.domains)
                until(lambda: delivered(large) > 500, folder, "the large campaign")
                course = [(delivered(large), summary(large)["input_rows"])]
                for _ in range(given.rounds):
                    for priority in ("normal", "transactional"):
                        small(f"beside it {priority}", priority)
                    (large / "PAUSE").touch()
                    until(lambda: bool(summary(large).get("paused")), folder, "the pause")
                    small("alone", "normal")
                    (large / "PAUSE").unlink()
                    sent = delivered(large)
                    until(lambda sent=sent: delivered(large) > sent + 20, folder, "the end of the pause")  # type: ignore[misc]
                    course.append((delivered(large), summary(large)["input_rows"]))
        middle = {kind: sorted(seconds)[len(seconds) // 2] for kind, seconds in took.items()}
        return {
            "large": given.large, "small": given.small, "rate of a site": given.lane_rate, "seconds": took,
            "times as long": {kind: seconds / middle["alone"] for kind, seconds in middle.items()},
            "large: delivered and read, after each round": course,
        }  # fmt: skip


def domains(given: argparse.Namespace) -> dict[str, Any]:
    """CPU of the main process a message, and its memory, with many recipients waiting over few and many domains."""
    found: dict[str, Any] = {}
    for count, sites in ((100, 100), (given.many, given.active)):
        with tempfile.TemporaryDirectory(prefix="bulkmail-bench-") as text:
            found[f"{count:,} domains"] = one_of_domains(Path(text), given, count, sites)
    few, many = found.values()
    found["times the CPU"] = many["main CPU us a message"] / few["main CPU us a message"]
    return found


def one_of_domains(folder: Path, given: argparse.Namespace, count: int, sites: int) -> dict[str, Any]:
    """One run: what is counted begins when the list is read, and everything that is not sent yet waits."""
    watched = folder / "watched"
    watched.mkdir()
    with lab.many_domains(count, sites, 4) as nameserver, lab.sinks(4) as port:
        settings = config(folder, nameserver, port, "1000000/s", 2000)
        campaign = drop(watched, folder, "waiting", given.waiting, count)
        with service(folder, watched, settings) as process:
            until(lambda: bool(summary(campaign).get("input_complete")), folder, "reading the list")
            cpu, sent, began = lab.cpu(process.pid), delivered(campaign), time.monotonic()
            memory = [lab.peak_mb(process.pid)]
            until(lambda: delivered(campaign) >= sent + given.sent, folder, "the messages that are counted")
            messages = delivered(campaign) - sent
            return {
                "main CPU us a message": (lab.cpu(process.pid) - cpu) / messages * 1e6,
                "waited at first": given.waiting - sent,
                "messages": messages, "messages a second": messages / (time.monotonic() - began),
                "MB when the list was read": memory[0], "MB at most": lab.peak_mb(process.pid), "sites": sites,
            }  # fmt: skip


WHAT = {"shares": shares, "overtake": overtake, "domains": domains}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="*", choices=[*WHAT, []], help="default: all of them")
    parser.add_argument("--rate", default="100/s", help="shares: of the one site")
    parser.add_argument("--messages", type=int, default=600, help="shares: so many of the one with the low priority")
    parser.add_argument("--large", type=int, default=1_000_000, help="overtake: recipients of the large campaign")
    parser.add_argument("--domains", type=int, default=20, help="overtake: that both campaigns have")
    parser.add_argument("--sites", type=int, default=4, help="overtake: that these domains lead to")
    parser.add_argument("--lane-rate", default="5/s,burst=1", help="overtake: of each site")
    parser.add_argument("--small", type=int, default=100, help="overtake: recipients of the small campaign")
    parser.add_argument("--rounds", type=int, default=3, help="overtake: how often each is measured")
    parser.add_argument("--waiting", type=int, default=1_000_000, help="domains: recipients")
    parser.add_argument("--many", type=int, default=100_000, help="domains: of the second run; the first has 100")
    parser.add_argument("--active", type=int, default=5000, help="domains: sites that they lead to")
    parser.add_argument("--sent", type=int, default=30_000, help="domains: messages to count")
    given = parser.parse_args()
    lab.need("smtp-sink", "dnsmasq")
    lab.end_in_order()
    figures: dict[str, Any] = {"cores": len(os.sched_getaffinity(0)), "load": os.getloadavg()[0]}
    for name in given.what or WHAT:
        figures[name] = WHAT[name](given)
        print(json.dumps({name: figures[name]}, indent=2), flush=True)
    lab.keep("fairness", figures)


if __name__ == "__main__":
    main()
