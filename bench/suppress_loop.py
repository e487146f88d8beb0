"""Suppress loop: people leave, complain and bounce at random moments of a campaign: is any message composed later?

By the API, by a click, by the page, by a mail, by a complaint, by a bounce; counted at the receiver.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import http.client
import json
import random
import signal
import smtplib
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
import _lab as lab
import kill_loop
from _ways import SETTINGS, Ways

from bulkmail.mail import BulkmailError, LateResult

BACK = frozenset(map(str, LateResult))  # lines of attempts.csv that are no attempts
AHEAD = 400  # rows before and behind the one composed last, of which the next is chosen


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--moments", type=int, default=1000)
    parser.add_argument("--recipients", type=int, default=10_000, help="of each campaign; a new one when it is through")
    parser.add_argument("--rate", default="100/s", help="of each of the four sites")
    parser.add_argument("--seed", type=int, default=0, help="0: another one each time")
    parser.add_argument("--json", default=str(lab.ROOT / "bench" / "results" / "suppress_loop.json"))
    given = parser.parse_args()
    lab.need("dnsmasq")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that nothing it started stays behind
    seed = given.seed or random.SystemRandom().randrange(1, 1 << 31)
    dice, seen, wrong = random.Random(seed), Counter[str](), Counter[str]()
    examples: list[str] = []
    with (
        tempfile.TemporaryDirectory(prefix="bulkmail-suppress-") as text,
        lab.dns(Path(text), kill_loop.DOMAINS, kill_loop.SITES, kill_loop.SITES) as nameserver,
    ):
        while seen["moments"] < given.moments:
            place = Path(text) / f"campaign{seen['campaigns']}"
            place.mkdir()
            one = Campaign(place, dice, given, nameserver)
            one.run(given.moments - seen["moments"])
            seen.update(one.seen)
            wrong.update(one.wrong)
            examples += one.examples
            print(f"campaign {seen['campaigns']}: {dict(one.seen)}, wrong: {dict(one.wrong)}", file=sys.stderr)
    figures = {**vars(given), "seed": seed, "seen": dict(seen), "wrong": dict(wrong), "examples": examples[:20]}
    Path(given.json).parent.mkdir(parents=True, exist_ok=True)
    Path(given.json).write_text(json.dumps(figures, indent=2) + "\n")
    print(json.dumps(figures, indent=2))
    raise SystemExit(1 if any(wrong.values()) else 0)


class Campaign:
    """One campaign from its start to its end, and who was suppressed meanwhile."""

    def __init__(self, place: Path, dice: random.Random, given: Any, nameserver: str) -> None:
        self.place, self.dice, self.given = place, dice, given
        self.lines = place / "lines"
        self.record = place / "record"
        self.config = place / "bulkmail.yaml"
        self.nameserver = nameserver
        self.page, self.mail = lab.free_port(), lab.free_port()
        self.seen = Counter(campaigns=1)
        self.wrong: Counter[str] = Counter()
        self.examples: list[str] = []
        kinds = ("user", "user", "user", "later")  # "later": put off at the first attempt
        self.addresses = [f"{dice.choice(kinds)}-{n}@d{n % kill_loop.DOMAINS}.test" for n in range(given.recipients)]

    def run(self, moments: int) -> None:
        """Send it, suppress while it is sent, and settle the accounts."""
        self._write()
        with kill_loop.receiver(self.record, chunking=False) as port:
            self._settings(port)
            command = [sys.executable, str(Path(__file__).with_name("_watched.py")), str(self.lines)]
            command += ["--nodaemon", "--pidfile=", "bulkmail", "-c", str(self.place / "campaign")]
            with (self.place / "log").open("wb") as log:
                process = subprocess.Popen(
                    [*command, "--settings", str(self.config)],
                    cwd=self.place, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                )  # fmt: skip
                try:
                    self._suppress(process, moments)
                    status = process.wait(kill_loop.END_WITHIN)
                finally:
                    process.kill()
                    process.wait()
        if status:
            raise SystemExit(f"status {status}: {(self.place / 'log').read_text('utf-8', 'replace')[-3000:]}")
        self._account()

    def _suppress(self, process: subprocess.Popen[bytes], moments: int) -> None:
        ways, chosen = Ways(self.place / "spool", self.page, self.mail, self.dice), set[str]()
        with contextlib.suppress(FileNotFoundError):
            self.lines.unlink()
        while process.poll() is None and len(chosen) < moments:
            address = self._next()
            if address is None or address in chosen:
                time.sleep(0.002)
                continue
            time.sleep(self.dice.uniform(0, 0.02))
            try:
                way = ways.suppress(address, self.addresses.index(address) + 1)
            except (BulkmailError, OSError, smtplib.SMTPException, http.client.HTTPException):
                continue  # it has ended
            if way:
                self.seen[way] += 1
                chosen.add(address)
        ways.close()
        self.seen["moments"] += len(chosen)

    def _next(self) -> str | None:
        """Choose one whose turn is near: about as far in the list as the message composed last."""
        if not self.lines.exists():
            return None
        with self.lines.open("rb") as file:
            file.seek(max(0, self.lines.stat().st_size - 4000))
            last = [line for line in file.read().split(b"\n")[:-1] if line.startswith(b"composed ")]
        if not last:
            return None
        at = int(last[-1].partition(b"-")[2].partition(b"@")[0])
        return self.addresses[min(len(self.addresses) - 1, max(0, at + self.dice.randint(-AHEAD // 4, AHEAD)))]

    def _account(self) -> None:
        composed: Counter[str] = Counter()
        in_time: dict[str, int] = {}  # so many messages were composed before it was acknowledged
        for line in self.lines.read_text("ascii").splitlines():
            what, _, address = line.partition(" ")
            if what == "composed":
                composed[address] += 1
            else:
                in_time.setdefault(address, composed[address])
        received = Counter(json.loads(line)["to"] for line in self.record.read_text("ascii").splitlines())
        report = self.place / "campaign" / "report"
        attempts: Counter[str] = Counter()
        for row in _rows(report / "attempts.csv"):
            attempts[row["email"]] += row["result"] not in BACK
        rows = _rows(report / "recipients.csv")
        self._expect([row["email"] for row in rows] == self.addresses, "rows that are not in the report", "")
        for row in rows:
            address, status = row["email"], row["status"]
            if address not in in_time:
                self._expect(status == "delivered", "others that were not delivered", f"{address} {status}")
                continue
            before = in_time[address]
            self.seen[f"composed {before} times before, {status}"] += 1
            told = f"{address}: {before} composed before, {attempts[address]} attempts, {received[address]} received"
            self._expect(attempts[address] <= before, "attempts with a message composed afterwards", told)
            self._expect(received[address] <= min(before, 1), "messages received that were composed afterwards", told)
            right = (received[address] > 0) == (status == "delivered")
            if status == "bounced":  # a report may come back of a message that was tried and put off
                right = attempts[address] > 0
            self._expect(right, "rows that tell otherwise", f"{told}, {status}")
            ended = status in ("delivered", "bounced", "suppressed")
            self._expect(ended, "rows that ended otherwise", f"{address} {status}")

    def _expect(self, fine: bool, what: str, told: str) -> None:
        if not fine:
            self.wrong[what] += 1
            self.examples.append(f"{what}: {told}")

    def _write(self) -> None:
        folder = self.place / "campaign"
        folder.mkdir()
        (folder / "recipients.csv").write_text("email\n" + "".join(f"{address}\n" for address in self.addresses))
        (folder / "body.html.j2").write_text("<html><body><p>Hello {{ email }}</p></body></html>\n")
        (folder / "campaign.yaml").write_text(
            'name: leaving\nfrom: "Example Shop <news@example.com>"\nsubject: "Spring is here, {{ email }}"\n'
            "template: {html: body.html.j2}\nrecipients: recipients.csv\nunsubscribe: built-in\n"
            "canary: {stop: {complained: none, bounced: none, blocked: none}}\n"
        )

    def _settings(self, port: int) -> None:
        self.config.write_text(
            f"hostname: mta1.example.com\nspool: {self.place / 'spool'}\n"
            f'dns: {{nameservers: ["{self.nameserver}"], must_exist: []}}\n'
            'routing: {allow_networks: ["127.0.0.0/8"]}\n'
            f"smtp: {{port: {port}}}\n"
            "retry: {schedule: [2s], unknown_after: 2s, greylist_after: 2s}\n"
            f"shaping: {{default: {{connections: 5, rate: {self.given.rate}, connection_rate: 1000/s}}}}\n"
            + SETTINGS.format(page=self.page, mail=self.mail)
        )


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


if __name__ == "__main__":
    main()
