"""A long campaign with 50 open pages and without, in turns: what is sent, how late the event loop is; pages in ms."""

from __future__ import annotations

import argparse
import json
import os
import selectors
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import _lab as lab

from bulkmail.control import Client as Control
from bulkmail.spool import SqliteStore
from bulkmail.web import Role, User, hash_password, write_users

WATCHED = Path(__file__).with_name("_loop.py")
PASSWORD = "correct horse"
OPEN = ("", "/campaigns/pages", "/providers", "/holds")
ASKED = ("/", "/campaigns/pages", "/providers", "/providers/google", "/holds", "/records", "/metrics",
         "/recipients?email=person1@d1.test", "/campaigns/pages/plots", "/compare?1=old1&2=old2",
         "/?from=900")  # fmt: skip


def ended(spool: Path, count: int) -> None:
    """Put campaigns that have ended into the spool."""
    store = SqliteStore(str(spool / "spool.sqlite3"))
    for n in range(count):
        made = store.create_campaign(
            f"old{n}", "/nowhere", key=b"k" * 32, content={}, digests={}, files=[("r.csv", ["email"])], now=1000.0 + n
        )
        store.add_rows(made.id, [(1, 0, 1, "no", "", '["no"]', "invalid", "no @")], {}, True, 1000.0)
        store.set_state(made.id, "running", 1000.0 + n)
        store.set_state(made.id, "finished", 2000.0 + n)
    store.close()


class Client:
    """A browser that is signed in."""

    def __init__(self, port: int) -> None:
        self._port = port
        form = f"name=ann&password={PASSWORD.replace(' ', '+')}".encode()
        head = "Content-Type: application/x-www-form-urlencoded\r\n"
        said = self._whole(self._send("POST", "/login", head, form))
        self._cookie = next(line for line in said.decode().split("\r\n") if line.startswith("Set-Cookie")).split(" ")[1]

    def _send(self, method: str, path: str, head: str = "", body: bytes = b"") -> socket.socket:
        made = socket.create_connection(("127.0.0.1", self._port), 30)
        made.sendall(
            f"{method} {path} HTTP/1.1\r\nHost: x\r\n{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
        )
        return made

    def _whole(self, made: socket.socket) -> bytes:
        found = b""
        with made:
            while (head := found.find(b"\r\n\r\n")) < 0 or len(found) < head + 4 + _length(found[:head]):
                more = made.recv(1 << 16)
                if not more:
                    break
                found += more
        return found

    def get(self, path: str) -> tuple[int, float, int]:
        """Return the status, the seconds until the answer was there as a whole, and its octets."""
        began = time.perf_counter()
        said = self._whole(self._send("GET", path, f"Cookie: {self._cookie}\r\n"))
        return int(said[9:12]), time.perf_counter() - began, len(said)

    def follow(self, path: str) -> socket.socket:
        """Open a page that renews itself."""
        return self._send("GET", f"/live{path}", f"Cookie: {self._cookie}\r\n")


def _length(head: bytes) -> int:
    """Return the octets of the body."""
    found = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    return int(found[0].partition(b":")[2]) if found else 0


class Readers(threading.Thread):
    """Read what comes to so many open pages."""

    def __init__(self, pages: list[socket.socket]) -> None:
        super().__init__(daemon=True)
        self.octets = self.events = self.cut = 0
        self.done = False
        self._selector = selectors.DefaultSelector()
        for page in pages:
            self._selector.register(page, selectors.EVENT_READ)

    def run(self) -> None:
        while not self.done and self._selector.get_map():
            for key, _ in self._selector.select(0.5):
                try:
                    found = key.fileobj.recv(1 << 18)  # type: ignore[union-attr]
                except ConnectionResetError:
                    found = b""
                self.octets += len(found)
                self.events += found.count(b"\n\n")
                if not found:
                    self.cut += 1
                    self._selector.unregister(key.fileobj)


def measure(folder: Path, given: argparse.Namespace, pages: int) -> dict[str, float]:
    """Send until so many are delivered, with so many open pages; the pages are asked for once in the middle."""
    folder.mkdir()
    campaign = lab.campaign(folder, "pages", 1, 1)
    lab.long_list(campaign / "recipients0.csv", given.recipients, given.domains)
    (folder / "spool").mkdir(mode=0o700)
    ended(folder / "spool", given.ended)
    write_users(str(folder / "users"), {"ann": User("ann", Role.APPROVE, hash_password(PASSWORD, os.urandom(16)))})
    page = lab.free_port()
    said, summary = folder / "loop.json", campaign / "report" / "summary.json"

    def delivered() -> int:
        return int(json.loads(summary.read_text())["by_status"]["delivered"]) if summary.exists() else 0

    with lab.many_domains(given.domains, given.sites, 4) as nameserver, lab.sinks(4) as port:
        web = f'web: {{listen: "127.0.0.1:{page}", users: {folder}/users}}\n'
        rate = "1/m" if given.quiet else "1000000/s"
        config = lab.settings(folder, nameserver, port, dkim=not given.unsigned, rate=rate, extra=web)
        command = [sys.executable, str(WATCHED), str(said), "0.01", str(time.time()), "0"]
        command += ["--nodaemon", "--pidfile=", "bulkmail", "-c", str(campaign), "--settings", str(config)]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(command, cwd=campaign, stdout=log, stderr=log)
        readers = Readers([])
        try:
            lasts = time.time() + given.patience
            while delivered() < given.first and process.poll() is None:
                if time.time() > lasts:
                    raise SystemExit(
                        f"{delivered():,} of the first {given.first:,} were delivered in {given.patience} s"
                    )
                time.sleep(0.2)
            client = Client(page)
            readers = Readers([client.follow(OPEN[n % len(OPEN)]) for n in range(pages)])
            readers.start()
            began, before, load = time.time(), delivered(), os.getloadavg()[0]
            spent = lab.cpu(process.pid)
            while delivered() - before < given.sent and process.poll() is None and time.time() - began < given.patience:
                if pages and given.plots:
                    client.get("/campaigns/pages/plots")
                time.sleep(0.2)
            found = {"rate": (delivered() - before) / (time.time() - began), "main_cpu": lab.cpu(process.pid) - spent}
            found |= {"main_us": found["main_cpu"] * 1e6 / max(1, delivered() - before), "load": load}
            if given.ask:
                print(f"  sites that are sent to: {len(Control(str(folder / 'spool')).get('sites')):,}", flush=True)
                found |= ask(client, given.ask, process.pid)
            process.send_signal(signal.SIGTERM)
            process.wait(300)
        finally:
            readers.done = True
            if process.poll() is None:
                process.kill()
            process.wait()
    figures = json.loads(said.read_text())
    found |= {"events": readers.events, "mb": readers.octets / 1e6, "cut": readers.cut}
    return {**found, **{key: figures[key] for key in ("p50_ms", "p99_ms", "turn_p99_ms")}}


def ask(client: Client, times: int, pid: int) -> dict[str, float]:
    """Ask for each page so many times; milliseconds, the median and the most, and those of the processor a page.

    Those of the processor are of the whole main process, less what it used while nobody asked: without ``--quiet`` the
    campaign goes on, and they are rough.
    """
    found = {}
    for path in ASKED:
        began, before = time.perf_counter(), lab.cpu(pid)
        time.sleep(1.0)
        idle = (lab.cpu(pid) - before) / (time.perf_counter() - began)
        took = []
        began, before = time.perf_counter(), lab.cpu(pid)
        for _ in range(times):
            status, seconds, octets = client.get(path)
            took.append(seconds * 1e3)
        spent = lab.cpu(pid) - before - idle * (time.perf_counter() - began)
        print(
            f"  {path}: {status}, {octets:,} octets, {statistics.median(took):.0f} ms, at most {max(took):.0f} ms, "
            f"{spent / times * 1e3:.1f} ms of CPU (load {os.getloadavg()[0]:.1f})",
            flush=True,
        )
        found[path] = statistics.median(took)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipients", type=int, default=1_000_000)
    parser.add_argument("--domains", type=int, default=20_000)
    parser.add_argument("--sites", type=int, default=20_000)
    parser.add_argument("--ended", type=int, default=1000, help="campaigns that have ended")
    parser.add_argument("--pages", type=int, help="open pages (default: 50, with --quiet none)")
    parser.add_argument("--first", type=int, help="begin when so many are delivered (default: 5000, with --quiet 4)")
    parser.add_argument("--sent", type=int, help="measure while so many are delivered (default: 50000, with --quiet 1)")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--patience", type=float, default=300)
    parser.add_argument("--ask", type=int, default=5, help="ask for each page so often at the end")
    parser.add_argument("--plots", action="store_true", help="beside the open pages, load the plots all the time")
    parser.add_argument("--unsigned", action="store_true")
    parser.add_argument(
        "--quiet", action="store_true", help="a message a minute to each server: what a page costs by itself"
    )
    given = parser.parse_args()
    for name, usual, quiet in (("pages", 50, 0), ("first", 5000, 4), ("sent", 50_000, 1)):
        if getattr(given, name) is None:
            setattr(given, name, quiet if given.quiet else usual)
    lab.need("smtp-sink")
    lab.end_in_order()
    keys = ("rate", "main_us", "p50_ms", "p99_ms", "turn_p99_ms", "events", "mb", "cut", "load")
    rows = []
    with tempfile.TemporaryDirectory(prefix="bulkmail-bench-") as text:
        for n in range(given.rounds):
            for pages in (0, given.pages) if given.pages else (0,):
                found = measure(Path(text) / f"{n}-{pages}", given, pages)
                rows.append([f"{pages} pages", *(found[key] for key in keys)])
                print(rows[-1], flush=True)
    head = [
        "",
        "messages/s",
        "main us a message",
        "late p50 ms",
        "late p99 ms",
        "turn p99 CPU ms",
        "events",
        "MB",
        "cut",
    ]
    print(lab.table([*head, "load"], rows))


if __name__ == "__main__":
    main()
