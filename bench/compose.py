"""Composing alone: CPU us a message of the welcome letter, unsigned and signed, beside a bare RSA-2048 signature."""

from __future__ import annotations

import argparse
import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
import _lab as lab
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from bulkmail.content import Composer
from bulkmail.content.dkim import load_key
from bulkmail.delivery.queueing.composing import _AHEAD, BATCH
from bulkmail.workers.frames import Frames, frame

WORKER = "bulkmail.content.compose:Composer"
PLAIN, SIGNED = 1, 2  # the two campaigns
Rows = Sequence[tuple[Any, ...]]


class Child:
    """A worker process, as the service starts them; the kernel counts its CPU time."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "bulkmail.workers.child", WORKER, str(os.getpid())]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, cwd=lab.ROOT)
        fcntl.fcntl(self.process.stdout, fcntl.F_SETPIPE_SZ, 1 << 20)  # as bulkmail.workers.answers
        self._frames = Frames()

    def answers(self, jobs: Sequence[tuple[Any, ...]]) -> None:
        """Take the answers to all of these; as in the service, the worker always has jobs waiting."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        waiting, done = iter(jobs), 0
        for job in islice(waiting, _AHEAD):
            self._send(job)
        while done < len(jobs):
            data = os.read(self.process.stdout.fileno(), 1 << 20)
            assert data, "the worker has ended: what it said stands above"
            for _number, good, answer in self._frames.feed(data):
                assert good, answer
                done += 1
                for job in islice(waiting, 1):
                    self._send(job)

    def _send(self, job: tuple[Any, ...]) -> None:
        assert self.process.stdin is not None
        data = frame((0, job))
        while data:
            data = data[self.process.stdin.write(data) :]

    def cpu(self) -> float:
        """Seconds so far."""
        return time.clock_gettime((~self.process.pid << 3) | 2)  # what clock_getcpuclockid(3) makes of a pid


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=480, help="in one round")
    parser.add_argument("--rounds", type=int, default=12)
    given = parser.parse_args()
    pem = lab.new_key()
    people, (plain, signed) = lab.letters_of_welcome(pem, given.messages * given.rounds)
    campaigns = {PLAIN: plain, SIGNED: signed}
    key, scheme, digest = load_key(pem), padding.PKCS1v15(), hashes.SHA256()
    inside, child = Composer(), Child()
    for number, content in campaigns.items():
        inside.handle(("load", number, content))
        child.answers([("load", number, content)])

    def compose(campaign: int, rows: Rows) -> None:
        for at in range(0, len(rows), BATCH):
            inside.handle(("compose", campaign, rows[at : at + BATCH]))

    def compose_there(campaign: int, rows: Rows) -> None:
        child.answers([("compose", campaign, rows[at : at + BATCH]) for at in range(0, len(rows), BATCH)])

    def bare(rows: Rows) -> None:
        for _ in rows:
            key.sign(b"x" * 900, scheme, digest)

    jobs: dict[str, tuple[Callable[[Rows], None], Callable[[], float]]] = {
        "bare signature": (bare, time.process_time),
        "one process, unsigned": (partial(compose, PLAIN), time.process_time),
        "one process, signed": (partial(compose, SIGNED), time.process_time),
        "worker, unsigned": (partial(compose_there, PLAIN), child.cpu),
        "worker, signed": (partial(compose_there, SIGNED), child.cpu),
    }
    costs: dict[str, list[float]] = {name: [] for name in jobs}
    for first in range(0, len(people), given.messages):  # other people each round, as in a list
        rows = people[first : first + given.messages]
        for name, (work, clock) in jobs.items():  # in turns, so that whatever else the machine does meets all of them
            start = clock()
            work(rows)
            costs[name].append((clock() - start) / len(rows) * 1e6)
    assert child.process.stdin is not None
    child.process.stdin.close()
    child.process.wait()
    answers = inside.handle(("compose", SIGNED, people[: given.messages]))
    sizes = [len(message) for _id, message, _sender, _error in answers]
    print(f"{given.messages} messages a round, {sum(sizes) // len(sizes):,} bytes each, {BATCH} in a batch")
    floor = sorted(costs["bare signature"])
    table: list[list[object]] = []
    for name, measured in costs.items():
        measured.sort()
        quarter = len(measured) // 4
        table.append(
            [
                name,
                measured[0],
                measured[quarter],
                measured[quarter] / floor[quarter],
                measured[quarter] - floor[quarter],
            ]
        )
    print(lab.table(["", "best us", "quartile us", "of a bare signature", "beyond it, us"], table))


if __name__ == "__main__":
    main()
