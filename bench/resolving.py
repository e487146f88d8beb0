"""100,000 domains routed ahead of the lanes by the real resolver process: domains a second, queries, CPU a domain."""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
import _lab as lab
from twisted.internet.defer import DeferredList, ensureDeferred
from twisted.internet.task import LoopingCall, deferLater

from bulkmail.mail import OwnFault
from bulkmail.routing import RESOLVER, Policies, Router, Site
from bulkmail.service import seek_garbage_briefly
from bulkmail.workers import Worker

_AT_ONCE = 1000  # as the feeder asks
_TICK = 0.01
_PAUSE = 5.0


class Bench:
    """A process with an event loop, as the daemon's, that does nothing but ask where mail goes."""

    def __init__(self, nameserver: str, domains: int, server: int, *, policies: bool) -> None:
        from twisted.internet import reactor

        self.reactor: Any = reactor
        self.nameserver, self.domains, self.server, self.policies = nameserver, domains, server, policies
        self.figures: dict[str, float] = {}
        self._turns: list[float] = []
        self._late: list[float] = []
        self._due = 0.0

    async def run(self) -> None:
        worker = Worker.start(self.reactor, RESOLVER)
        options = {"nameservers": [self.nameserver], "allow_networks": ["127.0.0.0/8"], "mx_aliases": True}
        await worker.ask(("configure", options), None)
        assert worker.pid is not None

        async def ask(job: tuple[Any, ...]) -> Any:
            return await worker.ask(job, 60.0)

        policies = Policies(ask, time.time) if self.policies else None
        router = Router(ask, self.reactor.seconds, {}, policies=policies)
        await router.check()
        names = iter(range(self.domains))
        keys: set[str] = set()
        failed: list[int] = []
        pauses: set[int] = set()

        async def some() -> None:
            for n in names:
                while True:
                    try:
                        site = await router.route(f"d{n}.test")
                        break
                    except OwnFault:  # the mailer pauses; it does so here
                        pauses.add(int(time.monotonic() / _PAUSE))
                        await deferLater(self.reactor, _PAUSE)
                if isinstance(site, Site):
                    keys.add(site.key)
                else:
                    failed.append(n)

        self._watch()
        ticks = LoopingCall(self._look)
        self._due = time.monotonic()
        ticks.start(_TICK)
        began, main = time.monotonic(), time.process_time()
        resolver, server = lab.cpu(worker.pid), lab.cpu(self.server)
        await DeferredList([ensureDeferred(some()) for _ in range(_AT_ONCE)], fireOnOneErrback=True)
        each = 1e6 / self.domains
        figures = self.figures
        figures["wall_s"] = time.monotonic() - began
        figures["main_us"] = (time.process_time() - main) * each
        figures["resolver_us"] = (lab.cpu(worker.pid) - resolver) * each
        figures["server_us"] = (lab.cpu(self.server) - server) * each
        figures["resolver_mb"] = lab.peak_mb(worker.pid)
        figures["sites"] = len(keys)
        figures["failed"], figures["pauses"] = len(failed), len(pauses)
        ticks.stop()
        figures["turn_p999_ms"], figures["turn_max_ms"] = at(self._turns, 0.999), at(self._turns, 1.0)
        figures["late_p50_ms"], figures["late_p99_ms"] = at(self._late, 0.5), at(self._late, 0.99)
        await worker.close()

    def _look(self) -> None:
        now = time.monotonic()
        self._late.append(max(0.0, now - self._due))
        self._due = now + _TICK

    def _watch(self) -> None:
        """From now on, the CPU time of each turn of the loop."""
        turn, ended, turns = self.reactor.doIteration, time.thread_time(), self._turns

        def counted(delay: float) -> None:
            nonlocal ended
            turn(delay)
            now = time.thread_time()
            turns.append(now - ended)
            ended = now

        self.reactor.doIteration = counted


def at(seconds: list[float], share: float) -> float:
    """That quantile, in milliseconds."""
    ordered = sorted(seconds)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000


def child(nameserver: str, domains: int, server: int, *, policies: bool) -> None:
    bench = Bench(nameserver, domains, server, policies=policies)
    seek_garbage_briefly()
    lab.in_reactor(bench.run)
    print(json.dumps(bench.figures))


class Server:
    """A name server that runs, and what it says itself of how often it was asked."""

    def __init__(self, process: subprocess.Popen[bytes], nameserver: str, log: Path) -> None:
        self.pid, self.nameserver, self._process, self._log = process.pid, nameserver, process, log

    def asked(self) -> int:
        """How many queries it has answered; it is ended."""
        if "dnsmasq" in str(self._process.args):
            self._process.send_signal(signal.SIGUSR1)
            time.sleep(0.5)
        self._process.terminate()
        self._process.wait(10)
        text = self._log.read_text()
        if "_zone.py" in str(self._process.args):
            return int(text)
        if "queries answered locally" in text:
            return int(text.rpartition("queries answered locally ")[2].split()[0])
        return int(text.partition("server stats for thread 0: ")[2].split()[0])


@contextmanager
def dnsmasq(folder: Path, domains: int, sites: int) -> Iterator[Server]:
    """It looks through all its MX records for each question, 3.7 ms at 100,000, so it is the slow one."""
    with lab.dns(folder, domains, sites, 4) as nameserver:
        pass  # only for its configuration
    port = nameserver.rpartition(":")[2]
    command = ["dnsmasq", "--no-daemon", "--no-resolv", "--no-hosts", f"--port={port}", "--listen-address=127.0.0.1"]
    command += ["--bind-interfaces", f"--conf-file={folder}/dnsmasq.conf", "--user=", "--pid-file=", "--cache-size=0"]
    with started([*command, "--log-facility=-"], nameserver, folder / "log") as server:
        yield server


@contextmanager
def unbound(folder: Path, domains: int, sites: int) -> Iterator[Server]:
    """A resolver as mailers have it beside them, with the records as its own."""
    port = lab.free_port()
    lines = ["server:", "interface: 127.0.0.1", f"port: {port}", 'chroot: ""', 'username: ""', f'directory: "{folder}"']
    lines += [
        "use-syslog: no",
        "verbosity: 1",
        "num-threads: 1",
        "do-daemonize: no",
        "module-config: iterator",
        'pidfile: ""',
    ]
    lines += ["access-control: 127.0.0.0/8 allow", "local-zone: test. static", 'local-zone: "." refuse']
    lines += [f'local-data: "d{n}.test. 3600 MX 10 mx{n % sites}.test."' for n in range(domains)]
    lines += [f'local-data: "mx{n}.test. 3600 A 127.0.1.{n % 4 + 1}"' for n in range(sites)]
    lines += ["remote-control:", "control-enable: no"]
    config = folder / "unbound.conf"
    config.write_text("\n".join(lines) + "\n")
    with started(["unbound", "-d", "-c", str(config)], f"127.0.0.1:{port}", folder / "log") as server:
        yield server


@contextmanager
def ours(folder: Path, domains: int, sites: int) -> Iterator[Server]:
    """The benchmarks' own, which is there where the others are not, and fast enough."""
    port = lab.free_port()
    script = str(Path(__file__).with_name("_zone.py"))
    command = [sys.executable, script, str(port), str(domains), str(sites), "4"]
    with started(command, f"127.0.0.1:{port}", folder / "log") as server:
        yield server


@contextmanager
def started(command: list[str], nameserver: str, log: Path) -> Iterator[Server]:
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out)
    try:
        time.sleep(2.0)
        if process.poll() is not None:
            raise SystemExit(log.read_text()[-2000:])
        yield Server(process, nameserver, log)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--domains", type=int, default=100_000)
    parser.add_argument("--sites", type=int, default=2_000, help="MX hosts that the domains share")
    parser.add_argument("--server", choices=("ours", "unbound", "dnsmasq"), help="only this one")
    parser.add_argument("--policies", action="store_true", help="ask for the records of MTA-STS too; no domain has one")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        child(given.child[0], given.domains, int(given.child[1]), policies=given.policies)
        return
    lab.end_in_order()
    table: list[list[object]] = []
    figures: dict[str, object] = {"domains": given.domains, "sites": given.sites}
    for name, run in (("ours", ours), ("unbound", unbound), ("dnsmasq", dnsmasq)):
        if given.server and name != given.server:
            continue
        if name != "ours" and shutil.which(name) is None:
            print(f"{name} is not installed; left out")
            continue
        with (
            tempfile.TemporaryDirectory(prefix="bulkmail-bench-") as text,
            run(Path(text), given.domains, given.sites) as server,
        ):
            command = [sys.executable, __file__, "--domains", str(given.domains), "--child", server.nameserver]
            command += [str(server.pid), *(["--policies"] if given.policies else [])]
            out = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            got = json.loads(out.stdout.splitlines()[-1])
            got["queries"] = server.asked()
        figures[name] = got
        print(f"{name}: {json.dumps({key: round(value, 2) for key, value in got.items()})}", flush=True)
        rate, slowest = given.domains / got["wall_s"], max(got[f"{who}_us"] for who in ("main", "resolver", "server"))
        table.append([
            name, f"{rate:,.0f}", f"{1e6 / slowest:,.0f}", f"{got['failed']:,}", got["queries"] / given.domains,
            got["main_us"], got["resolver_us"], got["server_us"], got["resolver_mb"], got["late_p99_ms"],
            got["turn_p999_ms"], got["turn_max_ms"],
        ])  # fmt: skip
    head = [
        "server",
        "domains/s",
        "by CPU",
        "failed",
        "queries/domain",
        "main us",
        "resolver us",
        "server us",
        "resolver MB",
    ]
    print(lab.table([*head, "late p99 ms", "turn p999 CPU ms", "turn max CPU ms"], table))
    lab.keep("dns", figures)


if __name__ == "__main__":
    main()
