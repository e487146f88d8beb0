"""Steer loop: pause, resume, cancel, stop and kill -9 in random order: nothing lost, nothing new after a pause?"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
import _lab as lab
import kill_loop
import reconciling

from bulkmail.mail import BulkmailError
from bulkmail.spool import hold_campaign, lift_hold, request_cancel

FELT_WITHIN = 1.0  # seconds from the request on, after which no new message may reach a receiver
NAME = "killed"  # as the campaign of kill_loop.py is called
STEPS = {"pause": 30, "resume": 20, "kill": 20, "stop": 10, "cancel": 6, "wait": 14}
BETWEEN = 1.2  # seconds between two steps, at most


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=50, help="sequences of steps, each with a campaign of its own")
    parser.add_argument("--steps", type=int, default=8, help="of a sequence, at most")
    parser.add_argument("--plan", default="", help=f"these steps in each sequence instead, of {', '.join(STEPS)}")
    parser.add_argument("--recipients", type=int, default=2000)
    parser.add_argument("--rate", default="120/s", help="of each of the four sites")
    parser.add_argument("--seed", type=int, default=0, help="0: another one each time")
    parser.add_argument("--felt", action="store_true", help="measure instead how soon a pause is felt at full speed")
    parser.add_argument("--json", default=str(lab.ROOT / "bench" / "results" / "steer_loop.json"))
    given = parser.parse_args()
    lab.need("dnsmasq")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that nothing it started stays behind
    figures = felt() if given.felt else sequences(given)
    Path(given.json).parent.mkdir(parents=True, exist_ok=True)
    Path(given.json).write_text(json.dumps(figures, indent=2) + "\n")
    print(json.dumps(figures, indent=2))
    raise SystemExit(1 if any(figures["wrong"].values()) else 0)


def sequences(given: argparse.Namespace) -> dict[str, Any]:
    """Run them all; what they add up to."""
    seed = given.seed or random.SystemRandom().randrange(1, 1 << 31)
    loop, dice = kill_loop.Loop(), random.Random(seed)
    steps: Counter[str] = Counter()
    late: list[float] = []
    with (
        tempfile.TemporaryDirectory(prefix="bulkmail-steer-") as text,
        lab.dns(Path(text), kill_loop.DOMAINS, kill_loop.SITES, kill_loop.SITES) as nameserver,
    ):
        for number in range(given.rounds):
            place = Path(text) / f"episode{number}"
            place.mkdir()
            one = Sequence(place, loop, dice, given, nameserver)
            one.run()
            steps.update(one.steps)
            late += one.felt
    return {
        **vars(given),
        "seed": seed,
        "steps": dict(steps),
        "pauses with something after them": len(late),
        "felt after at most, in seconds": round(max(late, default=0.0), 3),
        "seen": dict(loop.seen),
        "ended": dict(Counter(episode["ended"] for episode in loop.episodes)),
        "wrong": dict(loop.wrong),
        "examples": loop.examples,
    }


class Sequence(kill_loop.Episode):
    """One campaign and what is done to it, step by step, until it is cancelled or sent to its end."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.process: subprocess.Popen[bytes] | None = None
        self.starts = 0
        self.cancelled = False
        self.since: float | None = None  # when the pause that is on now was asked for
        self.pauses: list[tuple[float, float]] = []
        self.felt: list[float] = []
        self.steps: Counter[str] = Counter()

    def run(self) -> None:
        with kill_loop.receiver(self.record, chunking=self.window > 1) as port:
            self._write_settings(port)
            try:
                for step in self._plan():
                    self._step(step)
                    if self.cancelled:
                        break
                self._to_the_end()
            finally:
                self._end(signal.SIGKILL)
        self._book_sequence()

    def _plan(self) -> list[str]:
        if self.given.plan:
            return str(self.given.plan).split(",")
        return self.dice.choices(list(STEPS), list(STEPS.values()), k=self.dice.randint(2, self.given.steps))

    def _step(self, what: str) -> None:
        """One step; each finds the service at work, or down, as the one before has left it."""
        self.steps[what] += 1
        if what in ("kill", "stop"):
            self._up()
            self._wait_for_messages()
            time.sleep(self.dice.uniform(0, 0.5))
            self._end(signal.SIGKILL if what == "kill" else signal.SIGTERM)
        elif self._down and what != "wait" and self.dice.random() < 0.5:
            self._steer_at_rest(what)
        else:
            self._up()
            self._wait_for_messages()
            time.sleep(self.dice.uniform(0, BETWEEN))
            if what != "wait":
                self._steer(what)
        time.sleep(self.dice.uniform(0, BETWEEN))

    @property
    def _down(self) -> bool:
        """No process has the spool open, and there is one."""
        return self.process is None and (self.spool / "spool.sqlite3").exists()

    def _up(self) -> None:
        """The service runs, or has come to the campaign's end."""
        if self.process is None:
            self.starts += 1
            self.mine.append(kill_loop.Round(time.time(), 0.0, "steered", "", self.window, cut=False))
            self.received = self.record.stat().st_size
            self.process = self._start()

    def _wait_for_messages(self) -> None:
        """Mostly until this run has sent something, unless it is paused; for some seconds at most."""
        until = time.monotonic() + (6.0 if self.dice.random() < 0.8 else self.dice.uniform(0, 2.0))
        while not self._sending and self.since is None and time.monotonic() < until and self._runs:
            time.sleep(0.005)

    @property
    def _runs(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def _end(self, number: int) -> None:
        if self.process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            if number == signal.SIGKILL:
                os.killpg(self.process.pid, number)
            else:
                self.process.send_signal(number)
        self._ended(self.process.wait(30.0))

    def _ended(self, status: int) -> None:
        self.process = None
        said = self.log.read_text("utf-8", "replace")
        if status not in (0, 3, -signal.SIGKILL, -signal.SIGTERM) or "Traceback" in said or "Unhandled" in said:
            self._fail("runs that failed", f"status {status}: {said[-2000:]}")

    def _steer(self, what: str) -> None:
        until, asked = time.monotonic() + 20.0, time.time()
        body = {"reason": "a step", "who": "steer_loop"} if what != "resume" else {"who": "steer_loop"}
        while self.process is not None and time.monotonic() < until:
            if (status := self.process.poll()) is not None:
                self._ended(status)
                return
            asked = time.time()
            with contextlib.suppress(OSError, http.client.HTTPException):
                status, answer = ask(self.spool / "control.sock", what, body)
                if status < 300:
                    self._took(what, asked)
                    return
                if status == 409:  # the wrong state: not paused, ended already
                    return
                if status != 404:
                    self._fail("steps that failed", f"{what}: {status} {answer}")
                    return
            time.sleep(0.02)

    def _steer_at_rest(self, what: str) -> None:
        where, now = str(self.spool), time.time()
        with contextlib.suppress(BulkmailError):
            if what == "pause":
                hold_campaign(where, NAME, now=now, reason="a step", who="steer_loop")
            elif what == "resume":
                lift_hold(where, NAME, now=now)
            else:
                request_cancel(where, NAME, now=now, reason="a step", who="steer_loop")
            self._took(what, now)

    def _took(self, what: str, asked: float) -> None:
        """A step was done; note from when to when nothing new may come."""
        if what == "pause":
            self.since = self.since or asked
        elif self.since is not None and what == "resume":
            self.pauses.append((self.since, asked))
            self.since = None
        elif what == "cancel":
            self.pauses.append((self.since or asked, float("inf")))
            self.cancelled, self.since = True, None

    def _to_the_end(self) -> None:
        if self.cancelled and self.dice.random() < 0.5:
            time.sleep(self.dice.uniform(0, 1.0))
            self._end(signal.SIGKILL)
        if self.since is not None:
            self._up()
            self._steer("resume")
        self._up()
        assert self.process is not None
        try:
            status = self.process.wait(kill_loop.END_WITHIN)
        except subprocess.TimeoutExpired:
            self._fail("runs that failed", f"no end: {self.log.read_text('utf-8', 'replace')[-2000:]}")
            return
        self._ended(status)
        if status != (3 if self.cancelled else 0):
            said = self.log.read_text("utf-8", "replace")
            self._fail("runs that ended otherwise", f"status {status}, cancelled {self.cancelled}: {said[-2000:]}")

    def _book_sequence(self) -> None:
        accounts = reconciling.reconcile(
            self.addresses, self.folder / "report", self.spool, self.record, keep=self.keep, cancelled=self.cancelled
        )
        came = [json.loads(line)["mail_at"] for line in self.record.read_text("ascii").splitlines()]
        too_late = []
        for since, until in self.pauses:
            after = [at - since for at in came if since < at < until]
            if after:
                self.felt.append(max(after))
                too_late += [f"{seconds:.3f} s" for seconds in after if seconds > FELT_WITHIN]
        accounts.note("new messages later than a second after a pause", too_late)
        self.loop.wrong.update(accounts.wrong)
        self.loop.seen.update({key: n for key, n in accounts.seen.items() if isinstance(n, int)})
        for what, whom in accounts.examples.items():
            self.loop.examples.setdefault(what, []).extend(whom)
        ended = "cancelled" if self.cancelled else "finished"
        self.loop.episodes.append({"ended": ended, "starts": self.starts, **accounts.seen})
        print(f"sequence {len(self.loop.episodes)}: {dict(self.steps)}, {ended}, {accounts.seen}", file=sys.stderr)
        if not accounts.fine:
            print(f"WRONG: {accounts.wrong} {accounts.examples}", file=sys.stderr)


class UnixConnection(http.client.HTTPConnection):
    """HTTP over the control socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=20)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(20)
        self.sock.connect(str(self._path))


def ask(path: Path, what: str, body: dict[str, Any], name: str = NAME) -> tuple[int, str]:
    """Ask the service to pause, resume or cancel; its status and answer."""
    connection = UnixConnection(path)
    try:
        content = {"Content-Type": "application/json"}
        connection.request("POST", f"/api/v1/campaigns/{name}/{what}", json.dumps(body), content)
        answer = connection.getresponse()
        return answer.status, answer.read().decode("utf-8", "replace")
    finally:
        connection.close()


def felt() -> dict[str, Any]:
    """Pause a campaign at full speed, three times; when the last message was counted by its receivers."""
    lab.need("smtp-sink")
    rounds: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory(prefix="bulkmail-felt-") as text:
        folder = Path(text)
        with lab.dns(folder, 200, 4, 4) as nameserver, counting_sinks(4) as (port, counted):
            place = lab.campaign(folder, "felt", 200_000, 200)
            config = lab.settings(folder, nameserver, port, dkim=False)
            command = [str(lab.TWISTD), "--nodaemon", "--pidfile=", "bulkmail", "-c", str(place)]
            with (
                (folder / "log").open("wb") as log,
                lab.running(
                    [*command, "--settings", str(config)], cwd=place, stdout=log, stderr=log, start_new_session=True
                ),
            ):
                while not counted.total:
                    time.sleep(0.01)
                for _ in range(3):
                    time.sleep(4.0)
                    rounds.append(_one_pause(folder / "spool" / "control.sock", counted))
    late = sum(one["felt after, s"] > FELT_WITHIN for one in rounds)
    return {"rounds": rounds, "wrong": {"felt later than a second": late}}


def _one_pause(path: Path, counted: Counted) -> dict[str, float]:
    before, then = counted.total, time.monotonic()
    time.sleep(2.0)
    asked = time.monotonic()
    rate = (counted.total - before) / (asked - then)
    status, answer = ask(path, "pause", {}, "felt")
    if status >= 300:
        raise SystemExit(f"the pause was refused: {answer}")
    answered = time.monotonic()
    time.sleep(4.0)
    last = counted.last
    if ask(path, "resume", {}, "felt")[0] >= 300:
        raise SystemExit("it was not resumed")
    return {
        "messages/s": round(rate),
        "answered after, s": round(answered - asked, 3),
        "felt after, s": round(max(0.0, last - asked), 3),
    }


class Counted:
    """What the receivers have counted: ``total`` messages, the last of them at ``last`` on the monotonic clock."""

    def __init__(self) -> None:
        self._each: dict[int, int] = {}
        self.last = 0.0

    @property
    def total(self) -> int:
        """All receivers' messages."""
        return sum(self._each.values())

    def read(self, number: int, stream: Any) -> None:
        """Follow the running counter of one receiver."""
        while text := os.read(stream.fileno(), 65536):
            found = re.findall(rb"mesg=(\d+)", text)
            if found and int(found[-1]) != self._each.get(number):
                self._each[number] = int(found[-1])
                self.last = time.monotonic()


@contextlib.contextmanager
def counting_sinks(addresses: int) -> Iterator[tuple[int, Counted]]:
    """smtp-sinks that count while they receive."""
    port, counted = lab.free_port(), Counted()
    user = ["-u", "root"] if os.geteuid() == 0 else []
    with contextlib.ExitStack() as stack:
        for n in range(addresses):
            command = ["smtp-sink", "-c", "-m", "2000", *user, f"127.0.1.{n + 1}:{port}", "1000"]
            process = stack.enter_context(
                lab.running(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True)
            )
            threading.Thread(target=counted.read, args=(n, process.stdout), daemon=True).start()
            lab.wait_until(partial(lab.listens, f"127.0.1.{n + 1}", port), process, "smtp-sink")
        yield port, counted


if __name__ == "__main__":
    main()
