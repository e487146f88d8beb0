"""What the benchmarks share: campaigns of any length, real receivers and a real DNS server, and what a run cost."""

from __future__ import annotations

import csv
import json
import os
import random
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from dns.message import make_query
from twisted.internet.defer import ensureDeferred
from twisted.python.failure import Failure

from bulkmail.campaign import load_campaign, snapshot
from bulkmail.campaign.unsubscribing import Unsubscribe
from bulkmail.mail import campaign_key
from bulkmail.settings import load_settings

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from ports import free_port

ROOT = Path(__file__).resolve().parent.parent
SENDER = "example.com"
OWN_PAGE, OWN_MAILBOX = "https://acorn-oak.example/unsubscribe/{{ token }}", "unsubscribe@acorn-oak.example"
TWISTD = Path(sys.executable).with_name("twistd")
_TICK = os.sysconf("SC_CLK_TCK")


def end_in_order() -> None:
    """Let SIGTERM end a benchmark as Ctrl-C does: with what it started."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


def need(*programs: str) -> None:
    """Leave with the names of what is missing."""
    missing = [name for name in programs if shutil.which(name) is None]
    if missing:
        raise SystemExit(f"this benchmark needs {', '.join(missing)} (Debian: postfix, dnsmasq-base)")


@contextmanager
def running(command: list[str], **kwargs: object) -> Iterator[subprocess.Popen[bytes]]:
    """A program that is ended when the block is left."""
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, **{**quiet, **kwargs})  # type: ignore[call-overload]
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_until(ready: Callable[[], bool], process: subprocess.Popen[bytes], what: str) -> None:
    """Wait, as long as ``process`` runs, until it is ready. Raises SystemExit where it has ended."""
    while not ready():
        if process.poll() is not None:
            raise SystemExit(f"{what} does not start")
        time.sleep(0.02)


def answers_names(port: int) -> bool:
    """Whether a name server on loopback answers on ``port``."""
    with socket.socket(type=socket.SOCK_DGRAM) as asking:
        asking.settimeout(1.0)
        try:
            asking.connect(("127.0.0.1", port))
            asking.send(make_query("d0.test", "MX").to_wire())
            return bool(asking.recv(4096))
        except OSError:
            return False


def listens(address: str, port: int) -> bool:
    """Whether a server takes connections there."""
    with socket.socket() as one:
        return one.connect_ex((address, port)) == 0


@contextmanager
def dns(folder: Path, domains: int, sites: int, addresses: int) -> Iterator[str]:
    """dnsmasq with ``domains`` domains whose MX is one of ``sites`` hosts on ``addresses`` loopback addresses."""
    lines = ["local=/test/"]
    lines += [f"mx-host=d{n}.test,mx{n % sites}.test,10" for n in range(domains)]
    lines += [f"host-record=mx{n}.test,127.0.1.{n % addresses + 1}" for n in range(sites)]
    config = folder / "dnsmasq.conf"
    config.write_text("\n".join(lines) + "\n")
    port = free_port()
    command = ["dnsmasq", "--no-daemon", "--no-resolv", "--no-hosts", f"--port={port}", "--listen-address=127.0.0.1"]
    command += ["--bind-interfaces", f"--conf-file={config}", "--user=", "--pid-file=", "--cache-size=0"]
    with running(command) as server:
        wait_until(lambda: answers_names(port), server, "dnsmasq")
        yield f"127.0.0.1:{port}"


@contextmanager
def many_domains(domains: int, sites: int, addresses: int) -> Iterator[str]:
    """As `dns`, for more domains than dnsmasq can look through."""
    port = free_port()
    command = [sys.executable, str(Path(__file__).with_name("_zone.py")), *map(str, (port, domains, sites, addresses))]
    with running(command) as server:
        wait_until(lambda: answers_names(port), server, "the name server")
        yield f"127.0.0.1:{port}"


@contextmanager
def sinks(addresses: int, dump: Path | None = None) -> Iterator[int]:
    """One smtp-sink on each of ``addresses`` loopback addresses, all on one port; ``dump``: keep what they receive."""
    port = free_port()
    processes = []
    for n in range(addresses):
        command = ["smtp-sink", "-m", "2000"]
        if os.geteuid() == 0:
            command += ["-u", "root"]
        if dump is not None:
            command += ["-D", f"{dump}/sink{n}.dump"]
        processes.append([*command, f"127.0.1.{n + 1}:{port}", "1000"])
    started = [subprocess.Popen(c, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for c in processes]
    try:
        for n, process in enumerate(started):
            wait_until(partial(listens, f"127.0.1.{n + 1}", port), process, "smtp-sink")
        yield port
    finally:
        for process in started:
            process.terminate()
            process.wait()


@contextmanager
def postgres(durable: bool = True) -> Iterator[str]:
    """A PostgreSQL of our own on a socket (root, which it refuses, starts it as Debian's user for it). Its address."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parts[4]))
    if not found:
        raise SystemExit("this benchmark needs PostgreSQL's server (Debian: postgresql)")
    folder = Path(tempfile.mkdtemp(prefix="bulkmail-bench-pg-"))
    other = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    if other:
        shutil.chown(folder, "postgres")

    def run(name: str, *arguments: object) -> None:
        command = [*other, str(found[-1] / name), *map(str, arguments)]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, cwd="/")

    data = folder / "data"
    try:
        run("initdb", "-D", data, "-U", "bulkmail", "-A", "trust", "-E", "UTF8", "--locale=C", "-N")
        with (data / "postgresql.conf").open("a") as file:
            file.write(f"listen_addresses = ''\nunix_socket_directories = '{folder}'\nmax_wal_size = '4GB'\n")
            file.write(f"shared_buffers = '512MB'\nfsync = {'on' if durable else 'off'}\n")
        run("pg_ctl", "-D", data, "-l", folder / "log", "-w", "start")
        try:
            yield f"postgresql://bulkmail@/postgres?host={folder}"
        finally:
            run("pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def campaign(folder: Path, name: str, recipients: int, domains: int, files: int = 1) -> Path:
    """The welcome newsletter to ``recipients`` people, their rows spread over ``files`` CSV files."""
    place = folder / name
    place.mkdir()
    source = ROOT / "campaigns" / "welcome"
    for part in ("body.html.j2", "body.txt.j2"):
        shutil.copy(source / part, place / part)
    dice = random.Random(7)
    with (source / "recipients.csv").open(newline="", encoding="utf-8") as people:
        header, *lines = csv.reader(people)
    names = [f"recipients{n}.csv" for n in range(files)]
    number = 0
    for n, file in enumerate(names):
        with (place / file).open("w", newline="", encoding="utf-8") as out:
            write = csv.writer(out)
            write.writerow(header)
            for _ in range(recipients // files + (n < recipients % files)):
                write.writerow([f"person{number}@d{dice.randrange(domains)}.test", *dice.choice(lines)[1:]])
                number += 1
    text = (source / "campaign.yaml").read_text(encoding="utf-8").splitlines()
    kept, skipping = [], False
    for line in text:
        key = line.split(":")[0]
        if line and not line[0].isspace() and not line.startswith(("#", "-")):
            skipping = key in (
                "name",
                "from",
                "recipients",
                "suppress",
                "reply_to",
                "envelope_from",
                "list",
                "unsubscribe",
            )
        if not skipping:
            kept.append(line)
    kept += [f"name: {name}", f'from: "Acorn & Oak <hello@{SENDER}>"', f"recipients: [{', '.join(names)}]"]
    kept += [f"unsubscribe: {{url: '{OWN_PAGE}', mailto: {OWN_MAILBOX}}}"]
    (place / "campaign.yaml").write_text("\n".join(kept) + "\n", encoding="utf-8")
    return place


def long_list(path: Path, rows: int, domains: int, twice: int = 0) -> None:
    """A list of any length with the columns of the welcome campaign, written fast; every ``twice``-th comes again."""
    dice = random.Random(3)
    with path.open("w", encoding="utf-8") as file:
        file.write("email,first_name,last_name,city,plan,products,joined\n")
        again: list[str] = []
        for start in range(0, rows, 10_000):
            lines = [
                f"person{n}@d{dice.randrange(domains)}.test,Ana,Meyer-{n},Wien,plus,bowl|stool,2024-05-01\n"
                for n in range(start, min(rows, start + 10_000))
            ]
            file.write("".join(lines))
            again += lines[::twice] if twice else []
        file.write("".join(again))


def server_of(spool: str) -> int:
    """The process of the PostgreSQL at this address; 0 for a folder."""
    if not spool.startswith("postgresql:"):
        return 0
    return int((Path(spool.partition("host=")[2]) / "data" / "postmaster.pid").read_text().split()[0])


def letters_of_welcome(pem: bytes, count: int) -> tuple[list[tuple[Any, ...]], tuple[dict[str, Any], dict[str, Any]]]:
    """``count`` rows of the welcome campaign, as the composer gets them, and its content without and with a DKIM key.

    What comes back is taken, so each has its own return path, and the signed ones ask for complaints.

    Each row has an address of its own, as in `campaign`: what a composer remembers helps it no more than there.
    """
    page = Unsubscribe.model_validate({"url": OWN_PAGE, "mailto": OWN_MAILBOX})
    loaded = load_campaign(ROOT / "campaigns" / "welcome" / "campaign.yaml").model_copy(
        update={"unsubscribe": page, "list_name": None}
    )
    with (ROOT / "campaigns" / "welcome" / "recipients.csv").open(newline="", encoding="utf-8") as file:
        header, *lines = csv.reader(file)
    dice = random.Random(7)
    rows = []
    for n in range(1, count + 1):
        cells = [f"person{n}@d{dice.randrange(500)}.test", *dice.choice(lines)[1:]]
        rows.append((n, n, cells[0], 1_795_424_400.0, 0, json.dumps(cells, ensure_ascii=False)))
    content = snapshot(loaded, load_settings(None), [header], campaign_key(b"k" * 32, 1))
    domain = content["from"].rpartition("@")[2].rstrip("> ")
    content["inbound"] = f"bounces.{domain}"
    key = {"domain": domain, "selector": "s1", "pem": pem}
    return rows, ({**content, "dkim": []}, {**content, "dkim": [key]})


def settings(
    folder: Path,
    nameserver: str,
    port: int,
    *,
    dkim: bool,
    connections: int = 20,
    messages_per_connection: int = 1_000_000,
    rate: str = "1000000/s",
    extra: str = "",
) -> Path:
    """bulkmail.yaml with limits out of the way; ``rate``: to each site."""
    lines = [
        "hostname: mta1.example.com",
        f"spool: {folder}/spool",
        f'dns: {{nameservers: ["{nameserver}"], must_exist: []}}',
        'routing: {allow_networks: ["127.0.0.0/8"]}',
        f"smtp: {{port: {port}}}",
        "shaping:",
        f"  default: {{connections: {connections}, messages_per_connection: {messages_per_connection},",
        f"            rate: {rate}, connection_rate: 10000/s}}",
    ]
    if dkim:
        key = folder / "dkim.pem"
        if not key.exists():
            key.write_bytes(new_key())
            key.chmod(0o600)
        lines.append(f"dkim: [{{domain: {SENDER}, selector: s1, key: {key}}}]")
    path = folder / "bulkmail.yaml"
    path.write_text("\n".join(lines) + "\n" + extra)
    return path


def new_key() -> bytes:
    """An RSA-2048 private key in PEM."""
    return rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def bare_signatures(seconds: float = 1.0) -> float:
    """RSA-2048 SHA-256 signatures a second on one core: the floor of a signed message."""
    key = rsa.generate_private_key(65537, 2048)
    count, start = 0, time.process_time()
    while (spent := time.process_time() - start) < seconds:
        key.sign(b"x" * 500, padding.PKCS1v15(), hashes.SHA256())
        count += 1
    return count / spent


@dataclass
class Cost:
    """What one run took: wall seconds, CPU seconds of all its processes and of its main process, peak memory."""

    wall: float
    cpu: float
    main_cpu: float
    main_rss_mb: float
    status: int
    output: str


def bulkmail(
    place: Path,
    config: Path,
    *options: str,
    timeout: float = 900,
    twistd: Sequence[str] = (str(TWISTD),),
    environment: Mapping[str, str] | None = None,
) -> Cost:
    """Run ``twistd -n bulkmail`` on a campaign to its end and count what it cost.

    ``twistd``: the program, and what it is run under; ``environment``: variables beside those of this process.
    """
    command = [*twistd, "--nodaemon", "--pidfile=", "bulkmail", "-c", str(place), "--settings", str(config)]
    before, start = children_cpu(), time.monotonic()
    process = subprocess.Popen(
        [*command, *options],
        cwd=place,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **(environment or {})},
    )
    main = _Watch(process.pid)
    main.start()
    timer = threading.Timer(timeout, process.kill)
    timer.start()
    try:
        output, _ = process.communicate()
    except BaseException:
        process.kill()
        raise
    finally:
        timer.cancel()
    wall = time.monotonic() - start
    main.stop()
    return Cost(wall, children_cpu() - before, main.cpu, main.rss_mb, process.returncode, output)


class _Watch(threading.Thread):
    """Looks at one process five times a second: its own CPU time (all threads) and peak memory."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid = pid
        self._over = threading.Event()
        self.cpu = 0.0
        self.rss_mb = 0.0

    def run(self) -> None:
        while not self._over.wait(0.2):
            try:
                fields = Path(f"/proc/{self._pid}/stat").read_text().rsplit(")", 1)[1].split()
                status = Path(f"/proc/{self._pid}/status").read_text()
            except OSError:
                return
            self.cpu = max(self.cpu, (int(fields[11]) + int(fields[12])) / _TICK)
            peak = [line for line in status.splitlines() if line.startswith("VmHWM")]
            if peak:
                self.rss_mb = max(self.rss_mb, int(peak[0].split()[1]) / 1024)

    def stop(self) -> None:
        self._over.set()


def children_cpu() -> float:
    """CPU seconds of all our children that have ended, and of theirs."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def children(pid: int) -> list[int]:
    """All descendants of a process that run now."""
    of: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                fields = Path(f"/proc/{entry}/stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            of.setdefault(int(fields[1]), []).append(int(entry))
    found = of.get(pid, [])
    for one in found:
        found += of.get(one, [])
    return found


def tree_cpu(pid: int) -> float:
    """CPU seconds of a process and all its descendants, also those that have ended and were waited for."""
    total = 0
    for one in [pid, *children(pid)]:
        try:
            fields = Path(f"/proc/{one}/stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        total += sum(map(int, fields[11:15]))
    return total / _TICK


def cpu(pid: int) -> float:
    """CPU seconds of one process that runs, all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / _TICK


def peak_mb(pid: int) -> float:
    """The most memory that a process had resident so far."""
    return megabytes(pid, "status")["VmHWM"]


def megabytes(pid: int, file: str) -> dict[str, float]:
    """The amounts of memory that a file of a process in /proc names. Raises OSError where the process is gone."""
    words = [line.split() for line in Path(f"/proc/{pid}/{file}").read_text().splitlines()]
    return {word[0].rstrip(":"): int(word[1]) / 1024 for word in words if word[2:] == ["kB"]}


def keep(name: str, figures: dict[str, object]) -> None:
    """Write a result to ``bench/results/``."""
    out = ROOT / "bench" / "results"
    out.mkdir(exist_ok=True)
    (out / f"{name}.json").write_text(json.dumps({"at": time.time(), **figures}, indent=2) + "\n")


def table(header: list[str], rows: list[list[object]]) -> str:
    """A plain text table."""
    cells = [header, *[[f"{cell:,.2f}" if isinstance(cell, float) else str(cell) for cell in row] for row in rows]]
    widths = [max(len(row[n]) for row in cells) for n in range(len(header))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in cells]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


def in_reactor(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run it to its end in a reactor of its own. Ends this process where it fails."""
    from twisted.internet import reactor

    failed: list[Failure] = []

    def start() -> None:
        done = ensureDeferred(work())
        done.addErrback(failed.append)
        done.addBoth(lambda _: reactor.stop())  # type: ignore[attr-defined]

    reactor.callWhenRunning(start)  # type: ignore[attr-defined]
    reactor.run()  # type: ignore[attr-defined]
    if failed:
        failed[0].printTraceback(sys.stderr)
        raise SystemExit(1)
