"""Ten thousand connections to hostile servers at once: memory, descriptors; and the rate that good servers keep."""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dns.message
import dns.query
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater, react

sys.path.insert(0, str(Path(__file__).parent))
import _lab as lab

from bulkmail.mail import Peer
from bulkmail.net import SessionOptions, TlsContexts, connect
from bulkmail.rehearsal import read
from bulkmail.smtp import Transaction

# Those that hold on to what they get, and those that end at once: they pour without end, break a rule, or behave.
HOLDING = (
    *("hole", "mute", "drip", "mute-at-ehlo", "tls-hangs", "tls-mute", "silent-at-rcpt", "silent-at-data"),
    *("dot-silence", "drip-dot", "stops-reading"),
)
ENDING = (
    *("endless-lines", "endless-line", "endless-ehlo", "endless-dot", "surplus", "rst", "garbage", "half-close"),
    "accept",
)
KINDS = (*HOLDING, *ENDING)
WITH_TLS = ("tls-hangs", "tls-mute", "drip-dot")  # elsewhere the handshakes would be all that is measured
WORST = ("hole", "mute", "drip", "mute-at-ehlo", "endless-lines", "drip-dot", "tls-hangs", "stops-reading")
PATIENCE = 60.0
TIMEOUTS = SimpleNamespace(
    connect=PATIENCE, greeting=PATIENCE, ehlo=PATIENCE, starttls=PATIENCE, mail=PATIENCE, rcpt=PATIENCE, data=PATIENCE,
    body=PATIENCE, dot=PATIENCE, quit=2,
)  # fmt: skip
MESSAGE = b"Subject: bench\r\n\r\n" + b"A line of text of seventy-two characters and its end, as in letters\r\n" * 140
AT_ONCE = 500  # connections are begun together, so that no listening queue overflows
_PAGE = os.sysconf("SC_PAGE_SIZE")


def rss_mb() -> float:
    """This process's memory now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE / 1e6


def descriptors() -> list[str]:
    """What is open, but for the folder that is looked at."""
    found = []
    for number in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            found.append(f"{number} {os.readlink(f'/proc/self/fd/{number}')}")
    return found


@contextmanager
def world(store: Path, speed: str) -> Iterator[dict[str, Any]]:
    """The rehearsal's mail world; ends with its input."""
    command = [sys.executable, "-m", "bulkmail.rehearsal", "--store", str(store), "--bodies", "0", "--speed", speed]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        yield json.loads(process.stdout.readline())
    finally:
        process.stdin.close()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def address(ready: dict[str, Any], kind: str) -> str:
    ip, _, port = ready["dns"].partition(":")
    query = dns.message.make_query(f"mx.{kind}.test", "A")
    return str(dns.query.udp(query, ip, port=int(port), timeout=5).answer[0][0].address)


class Crowd:
    """Every connection there is: each offers one message, and leaves after it."""

    def __init__(self, number: int) -> None:
        self.wave = number
        self.open = self.most = self.offered = 0
        self.full_mb = self.peak_mb = 0.0  # when all were open; the most while they stayed and ended
        self.kind: dict[Any, str] = {}
        self.ends: dict[str, Counter[str]] = defaultdict(Counter)
        self.fates: dict[str, Counter[str]] = defaultdict(Counter)
        self.empty: Deferred[None] = Deferred()

    def begin(self, reactor: Any, ready: dict[str, Any], kind: str, ip: str, contexts: TlsContexts) -> None:
        self.open += 1
        self.most = max(self.most, self.open)
        options = SessionOptions("me.example.com", "opportunistic" if kind in WITH_TLS else "off")
        conn = connect(
            reactor, Peer(f"mx.{kind}.test", ip), ready["smtp_port"], timeouts=TIMEOUTS, session_options=options,
            tls_contexts=contexts, listener=self, forbidden=lambda _ip: None,
        )  # fmt: skip
        self.kind[conn] = kind

    def connection_ready(self, conn: Any) -> None:
        if conn.messages:
            conn.quit()
        else:  # a recipient of its own: some servers are silent only at the first try
            self.offered += 1
            recipient = f"user{self.wave}-{self.offered}@{self.kind[conn]}.test"
            conn.submit(Transaction("bench@example.com", (recipient,), MESSAGE))

    def about_to_dot(self, conn: Any, transaction: Transaction) -> None:
        pass

    def may_pipeline(self, conn: Any) -> None:
        pass

    def answered(self, conn: Any, event: Any, peer: Any) -> None:
        pass

    def settled(self, conn: Any, transaction: Transaction, index: int, event: Any, peer: Any) -> None:
        del transaction, index, peer
        self.fates[self.kind[conn]][str(event.fate)] += 1

    def transaction_over(self, conn: Any, transaction: Transaction) -> None:
        pass

    def connection_closed(self, conn: Any, closed: Any, peer: Any) -> None:
        del peer
        self.ends[self.kind.pop(conn)][closed.reason.partition(":")[0][:44]] += 1
        self.open -= 1
        if not self.open:
            self.empty.callback(None)


async def wave(reactor: Any, ready: dict[str, Any], wanted: int, addresses: dict[str, str], number: int) -> Crowd:
    """``wanted`` connections, and the end of the last one."""
    crowd, contexts = Crowd(number), TlsContexts()
    kinds, until = (*HOLDING, *HOLDING, *KINDS), time.monotonic() + PATIENCE
    begun = 0
    while crowd.open < wanted and begun < 3 * wanted and time.monotonic() < until:
        for _ in range(min(AT_ONCE, wanted - crowd.open)):  # as many more as have ended meanwhile
            kind = kinds[begun % len(kinds)]
            crowd.begin(reactor, ready, kind, addresses[kind], contexts)
            begun += 1
        crowd.peak_mb = max(crowd.peak_mb, rss_mb())
        await deferLater(reactor, 0.02, lambda: None)
    crowd.full_mb = rss_mb()
    while crowd.open:
        crowd.peak_mb = max(crowd.peak_mb, rss_mb())
        await deferLater(reactor, 0.1, lambda: None)
    await deferLater(reactor, TIMEOUTS.quit + 0.5, lambda: None)
    return crowd


async def crowded(reactor: Any, given: argparse.Namespace, results: dict[str, Any]) -> None:
    rows: list[list[object]] = []
    with tempfile.TemporaryDirectory(prefix="bulkmail-bench-") as folder, world(Path(folder), "real") as ready:
        addresses = {kind: address(ready, kind) for kind in KINDS}
        await wave(reactor, ready, 2 * len(KINDS), addresses, 0)  # what is made once is made
        before = set(descriptors())
        for number in range(1, given.waves + 1):
            start, began = rss_mb(), time.monotonic()
            crowd = await wave(reactor, ready, given.connections, addresses, number)
            gc.collect()
            after, left = rss_mb(), len(set(descriptors()) - before)
            each = (crowd.peak_mb - start) * 1e3 / crowd.most
            rows.append(
                [number, crowd.most, start, crowd.full_mb, crowd.peak_mb, each, after, left, time.monotonic() - began]
            )
            results[f"wave {number}"] = {
                "connections": crowd.most, "mb_before": start, "mb_full": crowd.full_mb, "mb_peak": crowd.peak_mb,
                "mb_after": after, "kb_a_connection": each, "descriptors_left": left,
                "fates": {kind: dict(found) for kind, found in crowd.fates.items()},
            }  # fmt: skip
    print(f"connections to {len(KINDS)} kinds of servers, {PATIENCE:g} s of patience")
    header = [
        "wave",
        "at once",
        "MB before",
        "MB all open",
        "MB peak",
        "KB each",
        "MB after",
        "descriptors left",
        "seconds",
    ]
    print(lab.table(header, rows))
    ends = [[kind, reason, n] for kind, found in sorted(crowd.ends.items()) for reason, n in found.most_common(2)]
    print("\n" + lab.table(["server", "how its connections ended", "number"], ends))
    assert all(row[7] == 0 for row in rows), "descriptors were lost"


SETTINGS = """\
hostname: mta1.example.com
spool: ./spool
dns: {{nameservers: ["{dns}"], timeout: 2s, must_exist: []}}
routing: {{allow_networks: ["127.0.0.0/8"]}}
smtp: {{port: {smtp_port}, timeouts: {{connect: 2s, greeting: 2s, ehlo: 2s, starttls: 2s, mail: 2s, rcpt: 2s, data: 2s,
        body: 2s, dot: 2s, quit: 1s}}}}
retry: {{schedule: [500ms], expire_after: 6s, unknown_after: 500ms}}
shaping:
  total: {{connections: 100}}
  default: {{connections: 5, messages_per_connection: 10000, rate: "{rate}/s,burst=1", connection_rate: 1000/s}}
"""


def neighbours(given: argparse.Namespace, results: dict[str, Any]) -> None:
    good = [f"user{n}@accept-{n % 8 + 1}.test" for n in range(8 * given.each)]
    bad = [f"user{n}@{kind}-{number}.test" for kind in WORST for number in range(1, 26) for n in (1, 2)]
    step = max(1, len(good) // len(bad))
    mixed = [
        one for n, address in enumerate(good) for one in (address, *(bad[n // step :][:1] if n % step == 0 else []))
    ]
    rows: list[list[object]] = []
    for name, addresses in (("alone", good), (f"with {len(WORST) * 25} hostile ones", mixed)):
        with tempfile.TemporaryDirectory(prefix="bulkmail-bench-") as text:
            folder = Path(text)
            with world(folder / "mail", "20") as ready:
                (folder / "bulkmail.yaml").write_text(SETTINGS.format(rate=given.rate, **ready))
                (folder / "body.txt.j2").write_text("Hello\n")
                (folder / "recipients.csv").write_text("\n".join(["email", *addresses]) + "\n")
                (folder / "campaign.yaml").write_text(
                    f"name: bench\nfrom: hello@{lab.SENDER}\nsubject: hi\n"
                    "template: {text: body.txt.j2}\nrecipients: recipients.csv\n"
                )
                cost = lab.bulkmail(folder, folder / "bulkmail.yaml", timeout=120)
                assert cost.status == 0, cost.output[-2000:]
            at: dict[str, list[float]] = defaultdict(list)
            for one in read(str(folder / "mail")):
                if "@accept" in one.rcpt:
                    at[one.rcpt.partition("@")[2]].append(one.at)
            assert sum(map(len, at.values())) == len(good)
            rate = sum((len(times) - 1) / (max(times) - min(times)) for times in at.values())
            rows.append(
                [name, len(addresses), rate, rate / (rows[0][2] if rows else rate), cost.main_rss_mb, cost.wall]
            )  # type: ignore[operator]
            results[name] = {"rate": rate, "main_mb": cost.main_rss_mb}
    print(f"\n8 good servers, {given.rate} messages a second each, 100 connections in all")
    print(lab.table(["good servers", "recipients", "good messages/s", "share", "main MB", "seconds"], rows))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--connections", type=int, default=10_000, help="at once")
    parser.add_argument("--waves", type=int, default=2, help="one after the other: memory must not grow with them")
    parser.add_argument("--each", type=int, default=40, help="messages to each good server")
    parser.add_argument("--rate", type=int, default=5, help="messages a second that the limits allow to each")
    given = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard != resource.RLIM_INFINITY and hard < given.connections + 200:
        raise SystemExit(f"{given.connections} connections need as many descriptors, and the hard limit is {hard}")
    results: dict[str, Any] = {}

    def finish() -> None:
        neighbours(given, results)
        out = lab.ROOT / "bench" / "results"
        out.mkdir(exist_ok=True)
        (out / "hostile.json").write_text(json.dumps({"at": time.time(), **results}, indent=2) + "\n")

    async def run(reactor: Any) -> None:
        await crowded(reactor, given, results)

    try:
        react(run)
    except SystemExit as ended:
        if ended.code:
            raise
    finish()


if __name__ == "__main__":
    main()
