"""Receivers far away: a proxy that delays what passes and times it, smtp-sink, and a real Postfix."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

sys.path.insert(0, str(Path(__file__).parent))
import _lab as lab

PATIENCE = 30.0


class Delay:
    """A proxy to ``target`` that delivers everything ``seconds`` later, in a thread of its own.

    ``opened`` connections; ``spent`` seconds from a client's first MAIL to the last reply that it got before its QUIT.
    """

    def __init__(self, target: int, seconds: float) -> None:
        self._target = target
        self._seconds = seconds
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._began = self._ended = 0.0
        self._leaving = False
        self.opened = 0
        self.port = 0

    @property
    def spent(self) -> float:
        return self._ended - self._began

    def __enter__(self) -> Self:
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready,), daemon=True)
        self._thread.start()
        ready.wait()
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop)
        self._thread.join()
        self._loop.close()

    async def _stop(self) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._loop.stop()

    def _run(self, ready: threading.Event) -> None:
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        self._loop.run_forever()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._target)
        self.opened += 1
        for source, sink, read, written in (
            (reader, back, self._said, lambda: None),
            (there, writer, lambda _data: None, self._heard),
        ):
            task = asyncio.create_task(self._carry(source, sink, read, written))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _said(self, data: bytes) -> None:
        if not self._began and b"MAIL FROM" in data.upper():
            self._began = self._loop.time()
        self._leaving = self._leaving or data.upper().endswith(b"QUIT\r\n")

    def _heard(self) -> None:
        if not self._leaving:
            self._ended = self._loop.time()

    async def _carry(
        self,
        source: asyncio.StreamReader,
        sink: asyncio.StreamWriter,
        read: Callable[[bytes], None],
        written: Callable[[], None],
    ) -> None:
        queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

        async def deliver() -> None:
            while True:
                due, data = await queue.get()
                await asyncio.sleep(due - self._loop.time())
                if not data:
                    sink.close()
                    return
                sink.write(data)
                written()

        delivering = asyncio.create_task(deliver())
        data = b"-"
        with contextlib.suppress(ConnectionError):
            while data:
                data = await source.read(1 << 20)
                read(data)
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
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
maillog_file = {place}/log/maillog
maillog_file_prefixes = {place}/log
"""
RECEIVES = """\
myhostname = mx.bench.test
relay_domains = bench.test
relay_transport = discard:
smtpd_recipient_restrictions = reject_unauth_destination
smtpd_relay_restrictions = reject_unauth_destination
"""
# one connection to the relay, kept; mail is taken as fast as it comes
SENDS = """\
myhostname = me.example.com
relayhost = [127.0.0.1]:{port}
disable_dns_lookups = yes
smtp_host_lookup = native
default_destination_concurrency_limit = 1
initial_destination_concurrency = 1
smtp_connection_cache_on_demand = yes
smtp_connection_cache_destinations = 127.0.0.1
in_flow_delay = 0
smtpd_client_connection_count_limit = 0
"""
MASTER_CF = """\
127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
discard unix - - n - - discard
smtp unix - - n - 1 smtp
scache unix - - n - 1 scache
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
error unix - - n - - error
retry unix - - n - - error
proxymap unix - - n - - proxymap
"""


@dataclass
class Postfix:
    """A running Postfix."""

    port: int
    log: Path

    def sent(self) -> int:
        """How many messages its own client has delivered."""
        return self.log.read_text("utf-8", "replace").count("status=sent") if self.log.exists() else 0


@contextmanager
def postfix(settings: str = RECEIVES) -> Iterator[Postfix | None]:
    """A Postfix that throws away what it takes, or does what ``settings`` say; None where it cannot be had."""
    files = Path("/etc/postfix/postfix-files")
    if os.geteuid() != 0 or shutil.which("postfix") is None or not files.exists():
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="bulkmail-bench-", ignore_cleanup_errors=True) as name:
        place = Path(name)
        port = lab.free_port()
        for folder in ("", "etc", "queue", "data", "log"):
            (place / folder).mkdir(exist_ok=True)
            (place / folder).chmod(0o755)
        shutil.chown(place / "data", "postfix")
        for path in (files, files.with_name("dynamicmaps.cf")):
            if path.exists():
                shutil.copy(path, place / "etc")
        (place / "etc" / "main.cf").write_text(MAIN_CF.format(place=place) + settings)
        (place / "etc" / "master.cf").write_text(MASTER_CF.format(port=port))
        command = ["postfix", "-c", str(place / "etc")]
        environment = {**os.environ, "MAIL_CONFIG": str(place / "etc")}
        with lab.running([*command, "start-fg"], env=environment, start_new_session=True) as master:
            deadline = time.monotonic() + PATIENCE
            while not _listens(port):
                if master.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit(f"Postfix does not start: {place}/log says why")
                time.sleep(0.05)
            try:
                yield Postfix(port, place / "log" / "maillog")
            finally:
                subprocess.run([*command, "stop"], env=environment, check=False, capture_output=True)


def _listens(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0
