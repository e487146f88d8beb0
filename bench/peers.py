"""bulkmail and other mailers send the same letter, in turns: messages a second and CPU a message, side by side."""

from __future__ import annotations

import argparse
import csv
import email
import email.policy
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import _lab as lab
from _tls import KEYS, tls_sinks

from bulkmail.campaign import load_campaign, snapshot
from bulkmail.content import Composer
from bulkmail.settings import load_settings

PROGRAMS = Path(__file__).parent / "peers" / "throughput"
CACHE = PROGRAMS / ".cache"
LETTERS = 1000
CONNECTIONS = 20
DOMAINS = 500
TIMEOUT = 120  # seconds for one run
HOST = "127.0.1.1"
UNLIMITED = 1_000_000  # messages a connection


@dataclass
class Spent:
    """One run: seconds on the clock, CPU seconds of all its processes."""

    wall: float
    cpu: float


@dataclass
class Peer:
    """One mailer: how to run it, and the two list lengths whose difference is its steady state."""

    name: str
    run: Callable[[int, bool], Spent]
    lengths: tuple[int, int]
    lengths_signed: tuple[int, int] | None  # None: it does not sign
    cores: int = 1  # that it can use
    rates: dict[bool, list[float]] = field(default_factory=lambda: {False: [], True: []})
    costs: dict[bool, list[float]] = field(default_factory=lambda: {False: [], True: []})
    starts: dict[bool, list[float]] = field(default_factory=lambda: {False: [], True: []})

    def measure(self, *, dkim: bool, scale: float) -> None:
        """One short and one long list, one after the other."""
        lengths = self.lengths_signed if dkim else self.lengths
        if lengths is None:
            return
        few, many = (max(10, round(length * scale)) for length in lengths)
        less, more = self.run(few, dkim), self.run(many, dkim)
        wall = (more.wall - less.wall) / (many - few)
        if wall > 0:  # else the machine was so busy that the short list took longer than the long one
            self.rates[dkim].append(1 / wall)
        self.costs[dkim].append((more.cpu - less.cpu) / (many - few) * 1e6)
        self.starts[dkim].append(max(0.0, less.wall - few * wall))


def timed(command: list[str], count: int, environment: dict[str, str]) -> Spent:
    """Run a peer's program; it prints how many messages were accepted."""
    cpu, start = lab.children_cpu(), time.monotonic()
    done = subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=TIMEOUT, check=False
    )
    spent = Spent(time.monotonic() - start, lab.children_cpu() - cpu)
    if done.returncode != 0 or done.stdout.strip() != str(count):
        raise SystemExit(f"{' '.join(command)}:\n{done.stdout[-500:]}{done.stderr[-2000:]}")
    return spent


def install() -> dict[str, str]:
    """Fetch the pinned peers into a folder of their own, once; the environment that finds them."""
    CACHE.mkdir(exist_ok=True)
    wanted = "".join((PROGRAMS / name).read_text() for name in ("package.json", "requirements.txt"))
    stamp = CACHE / "installed"
    if not stamp.exists() or stamp.read_text() != wanted:
        shutil.copy(PROGRAMS / "package.json", CACHE)
        if shutil.which("npm"):
            command = ["npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error"]
            subprocess.run(command, cwd=CACHE, check=True, stdout=subprocess.DEVNULL)
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--upgrade"]
        command = [*pip, "--target", str(CACHE / "python"), "-r", str(PROGRAMS / "requirements.txt")]
        subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
        stamp.write_text(wanted)
    return {"NODE_PATH": str(CACHE / "node_modules"), "PYTHONPATH": str(CACHE / "python")}


def letters(campaign: Path, out: Path) -> int:
    """What the campaign's first rows print, for the peers: their figures have no templates in them. Mean size."""
    loaded = load_campaign(campaign / "campaign.yaml")
    with (campaign / "recipients0.csv").open(newline="", encoding="utf-8") as file:
        header, *lines = csv.reader(file)
    content = snapshot(loaded, load_settings(None), [header], b"k" * 32)
    rows = [(n, n, cells[0], 1_795_424_400.0, 0, json.dumps(cells)) for n, cells in enumerate(lines[:LETTERS], 1)]
    composer = Composer()
    composer.handle(("load", 1, {**content, "dkim": []}))
    sizes = []
    with out.open("w", encoding="utf-8") as file:
        for _id, wire, _sender, error in composer.handle(("compose", 1, rows)):
            assert wire is not None, error
            sizes.append(len(wire))
            message = email.message_from_bytes(wire, policy=email.policy.default)
            text, html = (message.get_body((kind,)) for kind in ("plain", "html"))
            assert text is not None
            assert html is not None
            letter = {
                "from": str(message["From"]),
                "to": str(message["To"]),
                "subject": str(message["Subject"]),
                "unsubscribe": str(message["List-Unsubscribe"]),
                "text": text.get_content(),
                "html": html.get_content(),
            }
            file.write(json.dumps(letter) + "\n")
    return sum(sizes) // len(sizes)


def ours(folder: Path, nameserver: str, port: int, each: int) -> Callable[[int, bool], Spent]:
    """bulkmail: from recipients.csv to the finished report; ``each``: messages on a connection."""

    def run(count: int, dkim: bool) -> Spent:
        with tempfile.TemporaryDirectory(dir=folder) as text:
            place = Path(text)
            campaign = lab.campaign(place, "bench", count, DOMAINS)
            config = lab.settings(
                place, nameserver, port, dkim=dkim, connections=CONNECTIONS, messages_per_connection=each
            )
            cost = lab.bulkmail(campaign, config, timeout=TIMEOUT)
            assert cost.status == 0, cost.output[-2000:]
            summary = json.loads((campaign / "report" / "summary.json").read_text())
            assert summary["by_status"]["delivered"] == count, summary["by_status"]
        return Spent(cost.wall, cost.cpu)

    return run


MAIN_CF = """\
compatibility_level = 3.6
queue_directory = {place}/queue
data_directory = {place}/data
mail_owner = postfix
setgid_group = postdrop
myhostname = mailer.bench.test
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
relayhost = [{host}]:{port}
default_destination_concurrency_limit = {connections}
initial_destination_concurrency = {connections}
smtpd_client_connection_rate_limit = 0
smtpd_peername_lookup = no
maillog_file = {place}/log/maillog
maillog_file_prefixes = {place}/log
"""
MAIN_CF_TLS = """\
smtp_tls_security_level = encrypt
smtp_tls_connection_reuse = yes
smtp_connection_cache_on_demand = yes
smtp_tls_session_cache_database = btree:{place}/data/smtp_scache
"""
MASTER_CF = """\
127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
smtp unix - - n - - smtp
scache unix - - n - 1 scache
tlsmgr unix - - n 1000? 1 tlsmgr
tlsproxy unix - - n - 0 tlsproxy
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
error unix - - n - - error
retry unix - - n - - error
proxymap unix - - n - - proxymap
"""


@contextmanager
def postfix(receiver: int, *, tls: bool, each: int) -> Iterator[tuple[int, Path, int]]:
    """A Postfix of our own that relays to the receiver: its port, its folder, its process id.

    Under TLS it keeps sessions, and connections open for further messages (by its tlsproxy).
    """
    place = Path(tempfile.mkdtemp(prefix="bulkmail-postfix-"))
    place.chmod(0o755)
    for name in ("etc", "queue", "data", "log"):
        (place / name).mkdir(mode=0o755)
    etc, port = place / "etc", lab.free_port()
    for name in ("postfix-files", "dynamicmaps.cf"):
        if Path("/etc/postfix", name).exists():
            shutil.copy(Path("/etc/postfix", name), etc)
    main_cf = MAIN_CF.format(place=place, host=HOST, port=receiver, connections=CONNECTIONS)
    main_cf += f"smtp_connection_reuse_count_limit = {each if each < UNLIMITED else 0}\n"
    (etc / "main.cf").write_text(main_cf + (MAIN_CF_TLS.format(place=place) if tls else ""))
    (etc / "master.cf").write_text(MASTER_CF.format(port=port))
    shutil.chown(place / "data", "postfix")
    command = [str(shutil.which("postfix")), "-c", str(etc)]
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen([*command, "start-fg"], **quiet)  # type: ignore[call-overload]
    try:
        deadline = time.monotonic() + 20
        while not (place / "queue/pid/master.pid").exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        time.sleep(1)
        yield port, place, int((place / "queue/pid/master.pid").read_text())
    finally:
        subprocess.run([*command, "stop"], timeout=30, check=False, **quiet)  # type: ignore[call-overload]
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        shutil.rmtree(place, ignore_errors=True)


def as_mailer(mailer: tuple[int, Path, int], command: list[str], environment: dict[str, str]) -> Callable[..., Spent]:
    """Postfix: from the first message handed in to the empty queue."""
    port, place, master = mailer
    queues = [place / "queue" / name for name in ("maildrop", "incoming", "active", "deferred")]

    def run(count: int, dkim: bool) -> Spent:
        assert not dkim
        before, start = lab.tree_cpu(master), time.monotonic()
        spent = timed([*command, str(count), "127.0.0.1", str(port), "4"], count, environment)
        deadline = start + TIMEOUT
        while any(files for queue in queues for _, _, files in os.walk(queue)):
            if time.monotonic() > deadline:
                raise SystemExit(f"Postfix still has messages: see {place}/log")
            time.sleep(0.01)
        return Spent(time.monotonic() - start, lab.tree_cpu(master) - before + spent.cpu)

    return run


def report(peers: list[Peer], bare: float, cores: int, size: int) -> dict[str, object]:
    """Print the table and give the same as JSON."""
    middle = statistics.median
    own = peers[0]
    figures: dict[str, object] = {"bare_signatures_per_second_and_core": bare, "cores": cores, "bytes": size}
    for dkim in (False, True):
        rows = []
        for peer in peers:
            if not peer.costs[dkim]:
                continue
            rate = middle(peer.rates[dkim] or [0.0])  # 0: not one round told
            cost, start = middle(peer.costs[dkim]), middle(peer.starts[dkim])
            name = peer.name + (", DKIM RSA-2048" if dkim else "")
            slower = middle(own.rates[dkim] or [0.0]) / rate if rate else 0.0
            dearer = cost / middle(own.costs[dkim])
            by_cpu = dearer * own.cores / peer.cores
            of_cores, in_signatures = rate / (cores * bare), cost * bare / 1e6
            rows.append([name, rate, cost, slower, by_cpu, dearer, of_cores, in_signatures, start])
            figures[name] = {
                "messages_per_second": rate,
                "cpu_us_per_message": cost,
                "ours_is_so_many_times_faster": slower,
                "ours_is_so_many_times_faster_by_cpu": by_cpu,
                "so_many_times_our_cpu": dearer,
                "share_of_all_cores_signatures": of_cores,
                "cpu_in_bare_signatures": in_signatures,
                "seconds_to_start_and_end": start,
                "all_rates": peer.rates[dkim],
                "all_cpu_us": peer.costs[dkim],
            }
        if rows:
            head = ["", "messages/s", "CPU us/msg", "ours is x faster", "by CPU", "x our CPU"]
            print(lab.table([*head, "of cores x sig", "CPU in sig", "start+end s"], rows), end="\n\n")
    print(f"one bare RSA-2048 signature: {1e6 / bare:.0f} us, {bare:,.0f}/s a core; {cores} cores; {size:,} bytes")
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="each mailer in turn; the figures are medians")
    parser.add_argument("--scale", type=float, default=1.0, help="longer or shorter lists")
    parser.add_argument("--only", help="names of mailers, comma between them; bulkmail is always there")
    parser.add_argument("--tls", choices=KEYS, help="unsigned, to a receiver with STARTTLS and such a certificate")
    parser.add_argument("--each", type=int, help="messages a connection (as many as there are; 100 with --tls)")
    given = parser.parse_args()
    lab.need("smtp-sink", "dnsmasq")
    lab.end_in_order()
    tls, each = given.tls is not None, given.each or (100 if given.tls else UNLIMITED)
    environment = {**install(), "BENCH_EACH": str(each), **({"BENCH_TLS": "1"} if tls else {})}
    with tempfile.TemporaryDirectory(prefix="bulkmail-bench-") as text:
        folder = Path(text)
        key, list_of_letters = folder / "dkim.pem", folder / "letters.jsonl"
        key.write_bytes(lab.new_key())
        size = letters(lab.campaign(folder, "letters", LETTERS, DOMAINS), list_of_letters)
        receivers = tls_sinks(folder, 1, kind=given.tls) if tls else lab.sinks(1)
        with lab.dns(folder, DOMAINS, 1, 1) as nameserver, receivers as port:

            def program(*command: str) -> Callable[[int, bool], Spent]:
                def run(count: int, dkim: bool) -> Spent:
                    arguments = [str(list_of_letters), str(count), HOST, str(port), str(CONNECTIONS)]
                    return timed([*command, *arguments, *([str(key)] if dkim else [])], count, environment)

                return run

            python, cores = sys.executable, len(os.sched_getaffinity(0))
            peers = [
                Peer("bulkmail", ours(folder, nameserver, port, each), (4000, 16_000), (4000, 16_000), cores),
                Peer("nodemailer", program("node", f"{PROGRAMS}/nodemailer.cjs"), (300, 2300), (200, 1200)),
                Peer("aiosmtplib", program(python, f"{PROGRAMS}/aiosmtplib_pool.py"), (100, 700), (30, 150)),
            ]
            if not tls and each == UNLIMITED:  # these know one connection, or one for each message
                peers.append(Peer("smtplib", program(python, f"{PROGRAMS}/smtplib_loop.py"), (100, 700), (30, 150)))
                peers.append(
                    Peer("twisted.mail", program(python, f"{PROGRAMS}/twisted_mail.py"), (100, 700), (30, 150))
                )
            if not shutil.which("node"):
                print("without nodemailer: Node.js is not installed")
                peers = [peer for peer in peers if peer.name != "nodemailer"]
            with mailers(port, list_of_letters, environment, peers, tls=tls, each=each):
                if given.only:
                    peers[1:] = [peer for peer in peers[1:] if peer.name in given.only.split(",")]
                rates = turns(peers, given.rounds, given.scale, (False,) if tls else (False, True))
            figures = report(peers, statistics.median(rates), cores, size)
    lab.keep(f"peers_{given.tls}_{each}" if tls else "peers", figures)


def turns(peers: list[Peer], rounds: int, scale: float, signed: tuple[bool, ...]) -> list[float]:
    """Measure each in turn; what a core signed meanwhile."""
    rates = []
    for number in range(rounds):
        for dkim in signed:
            for peer in peers:
                rates.append(lab.bare_signatures(0.3))
                peer.measure(dkim=dkim, scale=scale)
        print(f"round {number + 1} of {rounds} done, load {os.getloadavg()[0]:.1f}", file=sys.stderr)
    return rates


@contextmanager
def mailers(
    port: int, list_of_letters: Path, environment: dict[str, str], peers: list[Peer], *, tls: bool, each: int
) -> Iterator[None]:
    """Postfix too, where it can be started."""
    if os.geteuid() != 0 or not shutil.which("postfix"):
        print("without Postfix: it has to be installed, and can only be started by root")
        yield
        return
    with postfix(port, tls=tls, each=each) as mailer:
        command = [sys.executable, f"{PROGRAMS}/inject.py", str(list_of_letters)]
        cores = len(os.sched_getaffinity(0))
        peers.append(Peer("Postfix", as_mailer(mailer, command, environment), (300, 1500), None, cores))
        yield


if __name__ == "__main__":
    main()
