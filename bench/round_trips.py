"""Round trips a message on one warm connection behind a delay, beside other senders; and the loop's CPU without one."""

from __future__ import annotations

import argparse
import json
import shutil
import smtplib
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import react
from twisted.internet.threads import deferToThread

sys.path.insert(0, str(Path(__file__).parent))
import _distance as distance
import _lab as lab

from bulkmail.mail import Fate, Peer
from bulkmail.net import SessionOptions, TlsContexts, connect
from bulkmail.smtp import Transaction

TIMEOUTS = SimpleNamespace(
    connect=10, greeting=10, ehlo=10, starttls=10, mail=30, rcpt=30, data=30, body=30, dot=60, quit=5
)
PEERS = Path(__file__).parent / "peers"
PACKAGES = lab.ROOT / ".venv" / "peers"
PATIENCE = 300.0  # seconds for one run of another sender

# sends so many of the message of that file to 127.0.0.1:port, over one connection
Send = Callable[[int, int, Path], Awaitable[None]]


@dataclass(frozen=True)
class Way:
    """How our connection speaks: what its session is told, and how many messages may be on it without an answer."""

    session: Mapping[str, Any]
    window: int = 1


WAYS = {
    "one at a time": Way({"pipelining": False, "chunking": False}),
    "in groups": Way({"pipelining": True, "chunking": False}),
    "behind the dot": Way({"pipelining": True, "chunking": False}, window=2),
    "BDAT, up to 16": Way({"pipelining": True, "chunking": True}, window=16),
}


class Missing(Exception):
    """What another sender needs and is not here."""


class Sender:
    """Sends ``count`` messages over its connections, one listener for all of them."""

    def __init__(self, count: int, connections: int, way: Way, message: bytes, done: Callable[[], None]) -> None:
        self.left = self.open = count
        self.connections = connections
        self.window = way.window
        self.unanswered: dict[Any, int] = {}
        self.fates: dict[str, int] = {}
        self.started = 0.0
        self.ended = 0.0
        self._message = message
        self._done = done

    def _next(self) -> Transaction:
        self.left -= 1
        return Transaction("bench@example.com", (f"r{self.left}@bench.test",), self._message)

    def connection_ready(self, conn: Any) -> None:
        self.started = self.started or time.perf_counter()
        if self.left:
            self.unanswered[conn] = 1
            conn.submit(self._next())
        else:
            conn.quit()

    def about_to_dot(self, conn: Any, transaction: Transaction) -> None:
        pass

    def may_pipeline(self, conn: Any) -> None:
        most = self.window if conn.chunking else min(2, self.window)
        if self.left and self.unanswered[conn] < most:
            self.unanswered[conn] += 1
            conn.submit_behind(self._next())

    def answered(self, conn: Any, event: Any, peer: Any) -> None:
        pass

    def settled(self, conn: Any, transaction: Transaction, index: int, event: Any, peer: Any) -> None:
        del transaction, index, peer
        self.unanswered[conn] -= 1
        self.fates[event.fate] = self.fates.get(event.fate, 0) + 1
        self.open -= 1
        if not self.open:
            self.ended = time.perf_counter()
            self._done()

    def transaction_over(self, conn: Any, transaction: Transaction) -> None:
        pass

    def connection_closed(self, conn: Any, closed: Any, peer: Any) -> None:
        del conn, peer
        self.connections -= 1
        if self.open and not self.connections:
            sys.exit(f"the last connection ended early: {closed}")


async def send(port: int, way: Way, count: int, connections: int, message: bytes) -> tuple[float, float]:
    """Wall and CPU seconds from the first MAIL to the last reply."""
    from twisted.internet import reactor

    over: Deferred[None] = Deferred()
    sender = Sender(count, connections, way, message, lambda: over.callback(None))
    cpu = time.process_time()
    for _ in range(connections):
        connect(
            reactor, Peer("bench.test", "127.0.0.1"), port,
            session_options=SessionOptions("me.example.com", "off", **way.session), timeouts=TIMEOUTS,
            tls_contexts=TlsContexts(), listener=sender, forbidden=lambda _ip: None,
        )  # fmt: skip
    await over
    if sender.fates != {Fate.ACCEPTED: count}:
        sys.exit(f"not all were accepted: {sender.fates}")
    return sender.ended - sender.started, time.process_time() - cpu


def ours(way: Way) -> Send:
    """Our own connection, speaking in that way."""

    async def run(port: int, count: int, message: Path) -> None:
        await send(port, way, count, 1, await deferToThread(message.read_bytes))

    return run


async def nodemailer(port: int, count: int, message: Path) -> None:
    """Nodemailer's pool, with one connection."""
    await deferToThread(_install)
    await _program(["node", str(PEERS / "round_trips.mjs")], port, count, message)


def _install() -> None:
    """The npm packages of bench/peers, when they are not there yet."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        raise Missing("node and npm are not there")
    installed, wanted = PACKAGES / "node_modules" / ".package-lock.json", PEERS / "package-lock.json"
    if installed.exists() and installed.stat().st_mtime > wanted.stat().st_mtime:
        return
    PACKAGES.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(PEERS / name, PACKAGES)
    command = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
    if subprocess.run(command, cwd=PACKAGES, check=False, capture_output=True, timeout=PATIENCE).returncode:
        raise Missing("the npm packages of bench/peers cannot be installed")
    installed.touch()


async def aiosmtplib(port: int, count: int, message: Path) -> None:
    """aiosmtplib: one client, one message after the other."""
    await _program([sys.executable, str(PEERS / "round_trips_aiosmtplib.py")], port, count, message)


async def _program(command: list[str], port: int, count: int, message: Path) -> None:
    """Run another sender to its end: it is given PORT COUNT MESSAGE-FILE."""
    PACKAGES.mkdir(parents=True, exist_ok=True)
    whole = [*command, str(port), str(count), str(message)]
    ended = await deferToThread(
        subprocess.run, whole, cwd=PACKAGES, timeout=PATIENCE, check=False, capture_output=True, text=True
    )
    if ended.returncode:
        sys.exit(f"{command[-1]} failed: {ended.stderr[-500:]}")


async def postfix(port: int, count: int, message: Path) -> None:
    """Postfix's own client: all is put into its queue, and goes out over one connection that it keeps."""

    def run() -> None:
        with distance.postfix(distance.SENDS.format(port=port)) as sender:
            if sender is None:
                raise Missing("postfix is not there, or this is not root")
            data = message.read_bytes()
            with smtplib.SMTP("127.0.0.1", sender.port) as queue:
                for n in range(count):
                    queue.sendmail("bench@example.com", [f"r{n}@bench.test"], data)
            deadline = time.monotonic() + PATIENCE
            while (sent := sender.sent()) < count:
                if time.monotonic() > deadline:
                    sys.exit(f"Postfix has sent {sent} of {count} messages after {PATIENCE:g} s")
                time.sleep(0.1)

    await deferToThread(run)


SENDERS: dict[str, Send] = {
    **{f"bulkmail, {name}": ours(way) for name, way in WAYS.items()},
    "nodemailer": nodemailer,
    "aiosmtplib": aiosmtplib,
    "Postfix": postfix,
}


async def far(target: int, sending: Send, given: argparse.Namespace, message: Path) -> dict[str, float]:
    """One sender to one receiver, at the whole distance and at a fifth of it."""
    seconds = given.delay / 1000
    walls, opened = [], 0
    for delay in (seconds, seconds / 5):
        with distance.Delay(target, delay) as proxy:
            await sending(proxy.port, given.messages, message)
            walls.append(proxy.spent / given.messages)
            opened = max(opened, proxy.opened)
    each, brief = walls
    return {
        "elapsed_round_trips": each / (2 * seconds),
        "round_trips": (each - brief) / (1.6 * seconds),  # two ways, four fifths of the distance
        "messages_a_second": 1 / each,
        "connections": opened,
    }


async def measure(given: argparse.Namespace, folder: Path) -> None:
    message = folder / "message"
    line = b"A line of text of seventy-two characters and its end, as in letters\r\n"
    message.write_bytes(b"Subject: bench\r\n\r\n" + line * (given.size // len(line)))
    figures: dict[str, Any] = {"at": time.time(), **vars(given)}
    with distance.sink() as port, distance.postfix() as real:
        for receiver, target in (("smtp-sink", port), ("Postfix", real and real.port)):
            if target is None:
                print("Postfix cannot be started here (it is not installed, or this is not root)")
                continue
            found = figures[receiver] = {}
            for name, sending in SENDERS.items():
                if receiver == "smtp-sink" and "BDAT" in name:
                    continue  # it does not offer CHUNKING
                try:
                    found[name] = await far(target, sending, given, message)
                except Missing as reason:
                    print(f"{name} is left out: {reason}")
        print(f"{given.messages} messages of {given.size} bytes, one connection, {2 * given.delay:g} ms round trip;")
        print("elapsed time in round trips, and the part of it that grows with the distance (not the receiver's own)")
        rows = [
            [receiver, name, *found.values()]
            for receiver in ("smtp-sink", "Postfix")
            for name, found in figures.get(receiver, {}).items()
        ]
        print(lab.table(["receiver", "sender", "elapsed/msg", "round trips/msg", "messages/s", "connections"], rows))
        costs = []
        plain = [name for name in WAYS if "BDAT" not in name]
        for name in (*plain, *reversed(plain)):
            wall, cpu = await send(port, WAYS[name], given.many, 10, message.read_bytes())
            costs.append([name, cpu / given.many * 1e6, given.many / wall])
        print(f"\n{given.many} messages, 10 connections to smtp-sink, no delay: our event loop's process only")
        print(lab.table(["commands", "CPU us/msg", "messages/s"], costs))
    figures["cpu_us_a_message"] = {name: min(cost[1] for cost in costs if cost[0] == name) for name in plain}
    out = lab.ROOT / "bench" / "results"
    out.mkdir(exist_ok=True)
    (out / "round_trips.json").write_text(json.dumps(figures, indent=2) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=100)
    parser.add_argument("--many", type=int, default=20_000, help="messages for the CPU figure")
    parser.add_argument("--size", type=int, default=10_000, help="bytes of a message")
    parser.add_argument("--delay", type=float, default=25.0, help="milliseconds, each way")
    given = parser.parse_args()
    lab.need("smtp-sink")

    async def run(_reactor: object) -> None:
        with tempfile.TemporaryDirectory(prefix="bulkmail-bench-") as folder:
            await measure(given, Path(folder))

    react(run)


if __name__ == "__main__":
    main()
