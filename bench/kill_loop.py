"""Kill loop: kill -9 at random moments, again and again; is every recipient in the report, and as the receivers say?"""

from __future__ import annotations

import argparse
import contextlib
import csv
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
import _lab as lab
import reconciling

CONNECTIONS = 40
WINDOW = 16  # unanswered messages on a connection where the receiver offers CHUNKING; else one
CLAIMED = 4096  # at once: what is ambiguous when the machine lost its power
SITES = 4
DOMAINS = 20
END_WITHIN = 300.0
# who they are, in thousandths; "user" are the others
KINDS = {"later": 30, "vanish": 10, "drop": 10, "silent": 4, "bounce": 30, "reject": 4, "gone": 50, "odd": 2}
MODES = {"any time": 60, "import": 10, "report": 15, "shutdown": 15}


@dataclass
class Round:
    """One run of the mailer and its end."""

    began: float
    ended: float
    mode: str
    during: str
    window: int
    cut: bool  # what was claimed before it began is ambiguous as a whole: the power was cut since the last recovery


@dataclass
class Loop:
    """What the whole loop adds up to."""

    rounds: list[Round] = field(default_factory=list)
    episodes: list[dict[str, Any]] = field(default_factory=list)
    wrong: Counter[str] = field(default_factory=Counter)
    seen: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)
    most_interrupted: dict[int, int] = field(default_factory=lambda: {1: 0, WINDOW: 0})  # by window
    most_after_power_cut: int = 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--recipients", type=int, default=15_000, help="of each campaign; a new one when it is through")
    parser.add_argument("--longest", type=float, default=5.0, help="seconds that a run has at most before its kill")
    parser.add_argument("--rate", default="10000/s", help="of each of the four sites")
    parser.add_argument("--power-cuts", type=float, default=0.0, help="the share of kills that lose the journal's tail")
    parser.add_argument("--seed", type=int, default=0, help="0: another one each time")
    parser.add_argument("--json", default=str(lab.ROOT / "bench" / "results" / "kill_loop.json"))
    given = parser.parse_args()
    lab.need("dnsmasq")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that nothing it started stays behind
    seed = given.seed or random.SystemRandom().randrange(1, 1 << 31)
    loop, dice = Loop(), random.Random(seed)
    with (
        tempfile.TemporaryDirectory(prefix="bulkmail-kill-") as text,
        lab.dns(Path(text), DOMAINS, SITES, SITES) as nameserver,
    ):
        while len(loop.rounds) < given.rounds:
            place = Path(text) / f"episode{len(loop.episodes)}"
            place.mkdir()
            Episode(place, loop, dice, given, nameserver).run()
    figures = {**vars(given), "seed": seed, **summed(loop)}
    Path(given.json).parent.mkdir(parents=True, exist_ok=True)
    Path(given.json).write_text(json.dumps(figures, indent=2) + "\n")
    print(json.dumps(figures, indent=2))
    raise SystemExit(1 if any(loop.wrong.values()) else 0)


class Episode:
    """One campaign from its first start to its end, killed on the way."""

    def __init__(self, place: Path, loop: Loop, dice: random.Random, given: Any, nameserver: str) -> None:
        self.place, self.loop, self.dice, self.given = place, loop, dice, given
        self.keep = len(loop.episodes) % 4 == 3
        self.window = WINDOW if len(loop.episodes) % 2 else 1
        self.folder = place / "campaign"
        self.spool = place / "spool"
        self.record = place / "record"
        self.addresses = self._write_campaign()
        self.nameserver = nameserver
        self.mine: list[Round] = []
        self.received = 0
        self.began = 0.0
        self.cut = False

    def run(self) -> None:
        with receiver(self.record, chunking=self.window > 1) as port:
            self._write_settings(port)
            over = False
            while not over and len(self.loop.rounds) < self.given.rounds:
                over = self._round()
            if not over:
                self._last()
        accounts = reconciling.reconcile(
            self.addresses, self.folder / "report", self.spool, self.record, keep=self.keep
        )
        self._book(accounts)

    def _start(self) -> subprocess.Popen[bytes]:
        self.log = self.place / f"run{len(self.mine)}.log"
        command = [str(lab.TWISTD), "--nodaemon", "--pidfile=", "bulkmail", "-c", str(self.folder)]
        with self.log.open("wb") as log:
            return subprocess.Popen(
                [*command, "--settings", str(self.place / "bulkmail.yaml")],
                cwd=self.place, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def _round(self) -> bool:
        """One run and its kill; whether the campaign came to its end before."""
        mode = self.dice.choices(list(MODES), list(MODES.values()))[0]
        if self.dice.random() < 0.7 and not self._stored("SELECT import_done FROM campaign", (0,))[0]:
            mode = "import"  # it is soon over: else it would hardly ever be hit
        self.received = self.record.stat().st_size
        self.began = began = time.time()
        process = self._start()
        try:
            self._wait(process, mode)
        finally:
            during = self._what_is_going_on()
            ended = process.poll()
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        said = self.log.read_text("utf-8", "replace")
        if ended not in (None, 0, 3, -signal.SIGTERM) or "Traceback" in said or "Unhandled" in said:
            self._fail("runs that failed", f"status {ended}: {said[-2000:]}")
        one = Round(began, time.time(), mode, during if ended is None else "it had ended", self.window, self.cut)
        self.mine.append(one)
        self.loop.rounds.append(one)
        if "found after an unclean end" in said:
            self.cut = False
        if ended is None and self.dice.random() < self.given.power_cuts and self.spool.exists():
            self._cut_power()
            self.cut = True
            one.mode += ", power cut"
        return ended == 0

    def _wait(self, process: subprocess.Popen[bytes], mode: str) -> None:
        """Until the moment of the kill, or the end of the process."""
        # on a busy machine the interpreter's start takes most of the time: so it counts from the start, or later
        since = self.dice.choice((lambda: True, lambda: self._opened, lambda: self._sending, lambda: self._sending))
        self._sleep(process, 20.0, since)
        if mode != "import":
            self._sleep(process, self.dice.uniform(0.05, self.given.longest))
        if mode == "import":
            self._sleep(process, self.given.longest, lambda: self._importing)
            self._sleep(process, self.dice.uniform(0, 0.2))
        elif mode == "report":
            self._sleep(process, self.given.longest, lambda: self._writing_report)
        elif mode == "shutdown":
            process.terminate()
            self._sleep(process, self.dice.uniform(0, 1.0))

    def _sleep(self, process: subprocess.Popen[bytes], seconds: float, over: Any = lambda: False) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and process.poll() is None and not over():
            time.sleep(min(left, 0.002))

    @property
    def _opened(self) -> bool:
        return any(path.stat().st_mtime > self.began for path in (self.spool / "journal").glob("*.journal"))

    @property
    def _sending(self) -> bool:
        return self.record.stat().st_size > self.received

    @property
    def _importing(self) -> bool:
        rows, done = self._stored("SELECT input_rows, import_done FROM campaign", (0, 0))
        return bool(rows) and not done

    def _stored(self, query: str, otherwise: tuple[Any, ...]) -> tuple[Any, ...]:
        path = self.spool / "spool.sqlite3"
        if not path.exists():
            return otherwise
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=0.1)) as store:
            try:
                found: tuple[Any, ...] | None = store.execute(query).fetchone()
            except sqlite3.Error:
                return otherwise
        return found or otherwise

    @property
    def _writing_report(self) -> bool:
        with contextlib.suppress(FileNotFoundError):
            part = (self.folder / "report" / ".recipients.csv.part").stat()
            return part.st_mtime > self.began  # else a killed run has left it
        return False

    def _what_is_going_on(self) -> str:
        if self._writing_report:
            return "the report is written"
        rows, done = self._stored("SELECT input_rows, import_done FROM campaign", (0, 0))
        said = self.log.read_text("utf-8", "replace")
        if "stopping; " in said:
            return "shutdown"
        if rows and not done:
            return "import"
        return "sending" if self._sending else "start"

    def _cut_power(self) -> None:
        """What was not synced may be gone or zeros: the ends of the journal and attempts.csv. And another boot."""
        segments = sorted((self.spool / "journal").glob("*.journal"))
        for path in [*segments[self.dice.randrange(len(segments) + 1) :], self.folder / "report" / "attempts.csv"]:
            if path.exists() and (size := path.stat().st_size):
                keep = self.dice.randrange(size)
                with path.open("r+b") as file:
                    file.truncate(keep)
                    if self.dice.random() < 0.5:
                        file.truncate(self.dice.randint(keep, size))  # grown before its data was written: zeros
        if (self.spool / "spool.sqlite3").exists():
            with contextlib.closing(sqlite3.connect(self.spool / "spool.sqlite3")) as store, store:
                store.execute("UPDATE meta SET value = 'another boot' WHERE name = 'boot'")

    def _last(self) -> None:
        """No more kills: to the end."""
        began = time.time()
        process = self._start()
        try:
            status = process.wait(END_WITHIN)
        except subprocess.TimeoutExpired:
            status = -1
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self.mine.append(Round(began, time.time(), "last", "", self.window, self.cut))
        if status != 0:
            self._fail("runs that failed", f"status {status}: {self.log.read_text('utf-8', 'replace')[-2000:]}")

    def _book(self, accounts: reconciling.Accounts) -> None:
        for one in self.mine:
            found = sum(one.began <= at <= one.ended for at in accounts.interrupted)
            if one.cut:
                self.loop.most_after_power_cut = max(self.loop.most_after_power_cut, found)
            else:
                self.loop.most_interrupted[one.window] = max(self.loop.most_interrupted[one.window], found)
        beyond = self.loop.most_interrupted[self.window] - CONNECTIONS * self.window
        accounts.wrong["ambiguous after a kill beyond connections x window"] = max(0, beyond)
        beyond = self.loop.most_after_power_cut - CLAIMED
        accounts.wrong["ambiguous after a power cut beyond what is claimed"] = max(0, beyond)
        self.loop.wrong.update(accounts.wrong)
        self.loop.seen.update({key: n for key, n in accounts.seen.items() if isinstance(n, int)})
        for what, whom in accounts.examples.items():
            self.loop.examples.setdefault(what, []).extend(whom)
        self.loop.episodes.append(
            {"runs": len(self.mine), "on_unknown": self._on_unknown, "window": self.window, **accounts.seen}
        )
        print(f"episode {len(self.loop.episodes)}, {len(self.loop.rounds)} rounds: {accounts.seen}", file=sys.stderr)
        if not accounts.fine:
            print(f"WRONG: {accounts.wrong} {accounts.examples}", file=sys.stderr)

    def _fail(self, what: str, text: str) -> None:
        self.loop.wrong[what] += 1
        self.loop.examples.setdefault(what, []).append(text)

    @property
    def _on_unknown(self) -> str:
        return "keep" if self.keep else "retry"

    def _write_campaign(self) -> list[str]:
        self.folder.mkdir()
        addresses = [self._address(n) for n in range(self.given.recipients)]
        for n in range(100, len(addresses), 100):  # duplicates
            earlier = addresses[n - 100]
            addresses[n] = earlier if earlier.startswith("user") else addresses[n]
        with (self.folder / "recipients.csv").open("w", encoding="utf-8", newline="") as file:
            write = csv.writer(file)
            write.writerow(["email", "first_name"])
            write.writerows([address, f"Name {n}"] for n, address in enumerate(addresses))
        gone = [address for address in addresses if address.startswith("gone")]
        (self.folder / "gone.csv").write_text("email\n" + "".join(f"{address}\n" for address in gone))
        (self.folder / "body.html.j2").write_text("<html><body><p>Hello {{ first_name }}</p></body></html>\n")
        (self.folder / "campaign.yaml").write_text(
            'name: killed\nfrom: "Example Shop <news@example.com>"\nsubject: "{{ first_name }}, spring is here"\n'
            "template: {html: body.html.j2}\nrecipients: recipients.csv\nsuppress: [gone.csv]\n"
            f"on_unknown: {self._on_unknown}\n"
        )
        return addresses

    def _address(self, n: int) -> str:
        at = self.dice.randrange(1000)
        for kind, share in KINDS.items():
            at -= share
            if at < 0:
                return f"{kind}-{n}" if kind == "odd" else f"{kind}-{n}@d{self.dice.randrange(DOMAINS)}.test"
        return f"user-{n}@d{self.dice.randrange(DOMAINS)}.test"

    def _write_settings(self, port: int) -> None:
        (self.place / "bulkmail.yaml").write_text(
            f"hostname: mta1.example.com\nspool: {self.spool}\n"
            f'dns: {{nameservers: ["{self.nameserver}"], must_exist: []}}\n'
            'routing: {allow_networks: ["127.0.0.0/8"]}\n'
            f"smtp: {{port: {port}, window: {WINDOW}, timeouts: {{dot: 2s}}}}\n"
            "retry: {schedule: [500ms], unknown_after: 500ms, greylist_after: 500ms}\n"
            f"shaping:\n  total: {{connections: {CONNECTIONS}}}\n"
            f"  default: {{connections: 10, rate: {self.given.rate}, connection_rate: 1000/s}}\n"
            "stop_within: 1s\n"
        )


@contextlib.contextmanager
def receiver(record: Path, *, chunking: bool) -> Iterator[int]:
    """tests/receiver.py on the sites' addresses; its port. It outlives every kill."""
    record.touch()
    command = [sys.executable, str(lab.ROOT / "tests" / "receiver.py"), "--record", str(record), "--delay", "0.003"]
    process = subprocess.Popen(
        [*command, *["--chunking"] * chunking, *(f"127.0.1.{n + 1}" for n in range(SITES))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())["port"]
    finally:
        process.terminate()
        process.communicate()


def summed(loop: Loop) -> dict[str, Any]:
    """The figures of the whole loop."""
    kills = [one for one in loop.rounds if one.during != "it had ended"]
    return {
        "kills": len(kills),
        "kills during": dict(Counter(one.during for one in kills)),
        "power cuts": sum("power cut" in one.mode for one in kills),
        "campaigns": len(loop.episodes),
        "seen": dict(loop.seen),
        "wrong": dict(loop.wrong),
        "examples": loop.examples,
        "most ambiguous after one kill": {f"window {n}": most for n, most in loop.most_interrupted.items()},
        "allowed": {f"window {n}": CONNECTIONS * n for n in loop.most_interrupted},
        "most ambiguous after one power cut": loop.most_after_power_cut,
        "allowed after a power cut": CLAIMED,
        "each campaign": loop.episodes,
    }


if __name__ == "__main__":
    main()
