"""Mail taken in with fsync: messages a second, CPU a message, memory under idle and hostile connections, kill -9."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import random
import resource
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import _lab as lab

SETTINGS = """\
hostname: mta1.example.com
dns: {{must_exist: []}}
stop_within: 1s
log: {{level: warn}}
inbound:
  listen: ["127.0.0.1:{port}"]
  domains: [in.example.com]
  unread: {{files: 1000000, size: 20000000000}}
  limits: {{connections: {connections}, connections_per_address: {connections}, messages_per_connection: 1000000}}
"""
BOUNCE = (
    "From: MAILER-DAEMON@mx.example\r\nTo: bounces+{token}@in.example.com\r\nSubject: Undelivered Mail Returned\r\n"
    "Message-ID: <{token}@mx.example>\r\nMIME-Version: 1.0\r\n"
    'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n--b\r\n\r\nSorry.\r\n'
    "--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example\r\n\r\nAction: failed\r\n"
    "Final-Recipient: rfc822; anna@mx.example\r\nStatus: 5.1.1\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n"
    "Subject: a letter of ours\r\n\r\n"
    + "A line of the letter that comes back with its report.\r\n" * 60
    + "--b--\r\n.\r\n"
)
ENVELOPE = "MAIL FROM:<>\r\nRCPT TO:<bounces+{token}@in.example.com>\r\nDATA\r\n"


@dataclass
class Taken:
    """The tokens of messages that got a 250; ``reached``: is set when there are ``enough``."""

    tokens: list[str] = field(default_factory=list)
    sent: int = 0
    enough: int = 0
    reached: asyncio.Event | None = None


async def client(port: int, taken: Taken, until: float, number: int) -> None:
    """Send one message after the other until the time is over or the server is gone."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        await reader.readline()
        writer.write(b"EHLO mx.example\r\n")
        while not (line := await reader.readline()).startswith(b"250 "):
            if not line:
                return
        while time.monotonic() < until:
            taken.sent += 1
            token = f"{number}x{taken.sent}"
            writer.write(ENVELOPE.format(token=token).encode())
            for _ in range(3):
                await reader.readline()
            writer.write(BOUNCE.format(token=token).encode())
            line = await reader.readline()
            if not line:
                return
            if line.startswith(b"250"):
                taken.tokens.append(token)
                if taken.reached is not None and len(taken.tokens) >= taken.enough:
                    taken.reached.set()
        writer.write(b"QUIT\r\n")
        writer.close()
    except (OSError, asyncio.IncompleteReadError):
        return


async def clients(port: int, taken: Taken, connections: int, seconds: float) -> None:
    until = time.monotonic() + seconds
    await asyncio.gather(*(client(port, taken, until, n) for n in range(connections)))


@contextlib.contextmanager
def service(folder: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """twistd, taking mail in at ``port``, with the settings in ``folder``."""
    command = [str(lab.TWISTD), "-n", "--pidfile=", "bulkmail", "--settings", str(folder / "bulkmail.yaml")]
    with (folder / "log").open("ab") as log, lab.running(command, cwd=folder, stdout=log, stderr=log) as process:
        deadline = time.monotonic() + 60
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1) as one:
                if one.recv(3) == b"220":
                    break
            if time.monotonic() > deadline or process.poll() is not None:
                raise SystemExit((folder / "log").read_text()[-2000:])
            time.sleep(0.05)
        yield process


def kept(folder: Path) -> set[str]:
    """The tokens of all messages that are there."""
    found = set()
    for path in (folder / "spool" / "inbound" / "unread").iterdir():
        line = path.read_bytes().partition(b"Delivered-To: bounces+")[2]
        found.add(line.partition(b"@")[0].decode())
    return found


def bare(folder: Path, seconds: float) -> float:
    """Files written, synced and renamed in a second, one after the other, the folder synced each time: the disk."""
    content, count, end = BOUNCE.encode(), 0, time.monotonic() + seconds
    place = os.open(folder, os.O_RDONLY)
    while time.monotonic() < end:
        name = folder / f"bare{count}"
        with name.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        name.rename(folder / f"kept{count}")
        os.fsync(place)
        count += 1
    os.close(place)
    return count / seconds


def server(pid: int) -> int:
    """The process of this service that takes mail in."""
    return next(one for one in lab.children(pid) if b"bulkmail.inbound" in Path(f"/proc/{one}/cmdline").read_bytes())


def rate(folder: Path, port: int, connections: int, seconds: float) -> list[object]:
    taken = Taken()
    with service(folder, port) as process:
        asyncio.run(clients(port, taken, connections, 1.0))  # warm
        taken.tokens.clear()
        pids = process.pid, server(process.pid)
        before, begun = sum(map(lab.cpu, pids)), time.monotonic()
        asyncio.run(clients(port, taken, connections, seconds))
        passed, spent = time.monotonic() - begun, sum(map(lab.cpu, pids)) - before
        peak = lab.peak_mb(pids[1])
    missing = set(taken.tokens) - kept(folder)
    count = len(taken.tokens)
    return [connections, count / passed, spent / max(1, count) * 1e6, peak, len(missing)]


def resident(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text("ascii").splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0.0


def held(folder: Path, port: int, idle: int, hostile: int) -> list[object]:
    """Memory with idle connections, then with hostile ones that send a message of the largest size and never end it."""
    with service(folder, port) as process, contextlib.ExitStack() as stack:
        pid = server(process.pid)
        before = resident(pid)

        def opened(source: str) -> socket.socket:
            return stack.enter_context(socket.create_connection(("127.0.0.1", port), 60, (source, 0)))

        quiet = [opened("127.0.0.2") for _ in range(idle)]
        for one in quiet:
            one.recv(100)
        after_idle = resident(pid)
        most = 0.0
        loud = [opened(f"127.0.{3 + n // 250}.{1 + n % 250}") for n in range(hostile)]
        for one in loud:
            one.recv(100)
            one.sendall(b"EHLO a\r\n" + ENVELOPE.format(token="h").encode())
        for _ in range(40):
            for one in loud:
                one.setblocking(False)
                with contextlib.suppress(OSError):
                    one.send(b"y" * 500_000)
            most = max(most, resident(pid))
            time.sleep(0.1)
        begun = time.monotonic()
        taken = Taken()
        asyncio.run(clients(port, taken, 5, 2.0))
        good = len(taken.tokens) / (time.monotonic() - begun)
    each = (after_idle - before) * 1024 / max(1, idle)
    return [idle, hostile, before, after_idle, each, most, good]


def killed(folder: Path, port: int, times: int, connections: int) -> list[object]:
    """Kill -9 while mail comes in: is everything there that got a 250?"""
    taken, dice = Taken(), random.Random(1)
    for _ in range(times):
        with service(folder, port) as process:

            async def run(process: subprocess.Popen[bytes] = process) -> None:
                taken.reached = asyncio.Event()
                taken.enough = len(taken.tokens) + dice.randint(1, 200)
                sending = asyncio.create_task(clients(port, taken, connections, 60.0))
                reached = asyncio.create_task(taken.reached.wait())
                await asyncio.wait([sending, reached], return_when=asyncio.FIRST_COMPLETED)
                await asyncio.sleep(dice.uniform(0.0, 0.02))
                process.send_signal(signal.SIGKILL)
                await sending
                reached.cancel()

            asyncio.run(run())
            process.wait()
    with service(folder, port):
        pass
    lost = set(taken.tokens) - kept(folder)
    return [times, len(taken.tokens), len(lost)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--idle", type=int, default=5000)
    parser.add_argument("--hostile", type=int, default=500)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--folder", help="where the spool is made; default: a temporary folder")
    given = parser.parse_args()
    lab.end_in_order()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    figures: dict[str, object] = {}
    with tempfile.TemporaryDirectory(prefix="bulkmail-bench-", dir=given.folder) as text:
        port = lab.free_port()
        config = SETTINGS.format(port=port, connections=given.idle + given.hostile + 100)

        def place(name: str) -> Path:
            folder = Path(text) / name
            folder.mkdir()
            (folder / "bulkmail.yaml").write_text(config)
            return folder

        disk = bare(place("bare"), 2.0)
        rows = [rate(place(f"rate{n}"), port, n, given.seconds) for n in (1, 10, 50)]
        head = ["connections", "messages/s", "CPU us/message", "peak MB", "missing"]
        print(f"the disk alone, one file after the other: {disk:,.0f}/s\n")
        print(lab.table(head, rows), flush=True)
        figures |= {"disk": disk, "rates": rows}
        if given.idle or given.hostile:
            row = held(place("held"), port, given.idle, given.hostile)
            head = ["idle", "hostile", "MB before", "MB idle", "KB each", "most MB hostile", "good ones, messages/s"]
            print("\n" + lab.table(head, [row]), flush=True)
            figures["held"] = row
        if given.kills:
            row = killed(place("killed"), port, given.kills, 20)
            print("\n" + lab.table(["kill -9", "got a 250", "lost"], [row]))
            figures["killed"] = row
    lab.keep("intake", figures)


if __name__ == "__main__":
    main()
