"""Round trips a message on one warm connection behind a delay, and the loop's CPU a message without one."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

from twisted.internet.defer import Deferred
from twisted.internet.task import react

sys.path.insert(0, str(Path(__file__).parent))
import _lab as lab

from bulkmail.mail import Fate
from bulkmail.net import SessionOptions, TlsContexts, connect
from bulkmail.smtp import Transaction

TIMEOUTS = SimpleNamespace(
    connect=10, greeting=10, ehlo=10, starttls=10, mail=30, rcpt=30, data=30, body=30, dot=60, quit=5
)
# how a connection speaks: PIPELINING at all, and the next message behind the dot
WAYS = {"one at a time": (False, False), "in groups": (True, False), "behind the dot": (True, True)}


class Sender:
    """Sends ``count`` messages over its connections, one listener for all of them."""

    def __init__(self, count: int, size: int, connections: int, *, follows: bool, done: Callable[[], None]) -> None:
        self.left = self.open = count
        self.connections = connections
        self.follows = follows
        self.fates: dict[str, int] = {}
        self.started = 0.0
        self.ended = 0.0
        self._message = (
            b"Subject: bench\r\n\r\n"
            + b"A line of text of seventy-two characters and its end, as in letters\r\n" * (size // 69)
        )
        self._done = done

    def _next(self) -> Transaction:
        self.left -= 1
        return Transaction("bench@example.com", (f"r{self.left}@bench.test",), self._message)

    def connection_ready(self, conn: Any) -> None:
        self.started = self.started or time.perf_counter()
        if self.left:
            conn.submit(self._next())
        else:
            conn.quit()

    def about_to_dot(self, conn: Any, transaction: Transaction) -> None:
        pass

    def may_follow(self, conn: Any) -> None:
        if self.follows and self.left:
            conn.follow(self._next())

    def settled(self, conn: Any, transaction: Transaction, index: int, event: Any, peer: Any) -> None:
        del conn, transaction, index, peer
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


async def send(port: int, way: str, count: int, connections: int, size: int) -> tuple[float, float]:
    """Wall and CPU seconds from the first MAIL to the last reply."""
    from twisted.internet import reactor

    pipelining, follows = WAYS[way]
    over: Deferred[None] = Deferred()
    sender = Sender(count, size, connections, follows=follows, done=lambda: over.callback(None))
    cpu = time.process_time()
    for _ in range(connections):
        connect(
            reactor, ip="127.0.0.1", host="bench.test", port=port, source_ip="",
            session_options=SessionOptions("me.example.com", "off", pipelining), timeouts=TIMEOUTS,
            tls_contexts=TlsContexts(), listener=sender, forbidden=lambda _ip: None, clock=time.monotonic,
        )  # fmt: skip
    await over
    if sender.fates != {Fate.ACCEPTED: count}:
        sys.exit(f"not all were accepted: {sender.fates}")
    return sender.ended - sender.started, time.process_time() - cpu


class Delay:
    """A proxy to ``target`` that delivers everything ``seconds`` later, in a thread of its own."""

    def __init__(self, target: int, seconds: float) -> None:
        self._target = target
        self._seconds = seconds
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    def __enter__(self) -> Self:
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready,), daemon=True)
        self._thread.start()
        ready.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop)
        self._thread.join()
        self._loop.close()

    def _stop(self) -> None:
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.call_soon(self._loop.stop)

    def _run(self, ready: threading.Event) -> None:
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        self._loop.run_forever()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._target)
        for source, sink in ((reader, back), (there, writer)):
            task = asyncio.create_task(self._carry(source, sink))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _carry(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

        async def deliver() -> None:
            while True:
                due, data = await queue.get()
                await asyncio.sleep(due - self._loop.time())
                if not data:
                    sink.close()
                    return
                sink.write(data)

        delivering = asyncio.create_task(deliver())
        data = b"-"
        with contextlib.suppress(ConnectionError):
            while data:
                data = await source.read(1 << 20)
                queue.put_nowait((self._loop.time() + self._seconds, data))
            await delivering


@contextmanager
def sink() -> Iterator[int]:
    """smtp-sink on a port of its own."""
    port = lab.free_port()
    user = ["-u", "nobody"] if os.geteuid() == 0 else []
    with lab.running(["smtp-sink", *user, f"127.0.0.1:{port}", "1000"]):
        time.sleep(0.3)
        yield port


MAIN_CF = """\
compatibility_level = 3.6
queue_directory = {place}/queue
data_directory = {place}/data
mail_owner = postfix
setgid_group = postdrop
myhostname = bench.test
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
relay_domains = bench.test
relay_transport = discard:
smtpd_recipient_restrictions = reject_unauth_destination
smtpd_relay_restrictions = reject_unauth_destination
maillog_file = {place}/log/maillog
maillog_file_prefixes = {place}/log
"""
MASTER_CF = """\
127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
discard unix - - n - - discard
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
error unix - - n - - error
retry unix - - n - - error
proxymap unix - - n - - proxymap
"""


@contextmanager
def postfix() -> Iterator[int | None]:
    """A Postfix that takes everything and throws it away; None where it cannot be had."""
    files = Path("/etc/postfix/postfix-files")
    if os.geteuid() != 0 or shutil.which("postfix") is None or not files.exists():
        yield None
        return
    place = Path(tempfile.mkdtemp(prefix="bulkmail-bench-"))
    port = lab.free_port()
    for name in ("", "etc", "queue", "data", "log"):
        (place / name).mkdir(exist_ok=True)
        (place / name).chmod(0o755)
    shutil.chown(place / "data", "postfix")
    for path in (files, files.with_name("dynamicmaps.cf")):
        if path.exists():
            shutil.copy(path, place / "etc")
    (place / "etc" / "main.cf").write_text(MAIN_CF.format(place=place))
    (place / "etc" / "master.cf").write_text(MASTER_CF.format(port=port))
    command = ["postfix", "-c", str(place / "etc")]
    environment = {**os.environ, "MAIL_CONFIG": str(place / "etc")}
    try:
        with lab.running([*command, "start-fg"], env=environment, start_new_session=True):
            time.sleep(3)
            yield port
            subprocess.run([*command, "stop"], env=environment, check=False, capture_output=True)
    finally:
        shutil.rmtree(place, ignore_errors=True)


async def measure(given: argparse.Namespace) -> None:
    trips = []
    with sink() as port, postfix() as real:
        for name, target in (("smtp-sink", port), ("Postfix", real)):
            if target is None:
                print(f"{name} cannot be started here")
                continue
            far, near = given.delay / 1000, given.delay / 5000
            for way in WAYS:
                walls = []
                for delay in (far, near):
                    with Delay(target, delay) as proxy:
                        wall, _ = await send(proxy.port, way, given.messages, 1, given.size)
                        walls.append(wall / given.messages)
                each, brief = walls
                trips.append([name, way, each / (2 * far), (each - brief) / (2 * (far - near)), 1 / each])
        print(f"{given.messages} messages of {given.size} bytes, one connection, {2 * given.delay:g} ms round trip;")
        print("elapsed time in round trips, and the part of it that grows with the distance (not the receiver's own)")
        print(lab.table(["receiver", "commands", "elapsed/msg", "round trips/msg", "messages/s"], trips))
        costs = []
        for way in (*WAYS, *reversed(WAYS)):
            wall, cpu = await send(port, way, given.many, 10, given.size)
            costs.append([way, cpu / given.many * 1e6, given.many / wall])
        print(f"\n{given.many} messages, 10 connections to smtp-sink, no delay: the event loop's process only")
        print(lab.table(["commands", "CPU us/msg", "messages/s"], costs))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=200)
    parser.add_argument("--many", type=int, default=20_000, help="messages for the CPU figure")
    parser.add_argument("--size", type=int, default=10_000, help="bytes of a message")
    parser.add_argument("--delay", type=float, default=25.0, help="milliseconds, each way")
    given = parser.parse_args()
    lab.need("smtp-sink")

    async def run(_reactor: object) -> None:
        await measure(given)

    react(run)


if __name__ == "__main__":
    main()
