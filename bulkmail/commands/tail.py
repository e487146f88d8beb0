"""``bulkmail tail``: passes the events of a spool on to another system, in order, each at least once."""

from __future__ import annotations

import argparse
import contextlib
import os
import shlex
import time
from collections.abc import Callable
from random import Random
from typing import TypeVar

from bulkmail.commands.checkpoint import Checkpoint
from bulkmail.commands.takers import AppendedFile, NotTakenError, Program, Stdout, Taker, Webhook, read_secrets
from bulkmail.commands.terminal import Commands, add_settings, tell
from bulkmail.exit_status import DONE
from bulkmail.files import read_regular
from bulkmail.mail import BulkmailError, OwnFault, format_duration
from bulkmail.settings import load_settings
from bulkmail.spool import open_reader
from bulkmail.stream import EventStream

T = TypeVar("T")

_EVERY = 1.0  # seconds between two looks at a spool without news
_FIRST_WAIT, _LAST_WAIT = 1.0, 300.0  # seconds between two tries
_BATCH = 100
_MEGABYTE = 1_000_000
_SECRET_NAME = "BULKMAIL_WEBHOOK_SECRET"  # noqa: S105 - of a variable


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    words = "pass events on to another system, in order, each at least once"
    tail = commands.add_parser("tail", help=words)
    tail.add_argument(
        "--from",
        dest="checkpoint",
        metavar="CHECKPOINT",
        required=True,
        help="the file that says how far it is; made, and begun at the oldest event, where there is none",
    )
    where = tail.add_mutually_exclusive_group(required=True)
    where.add_argument("--stdout", action="store_true", help="print them, one a line")
    where.add_argument("--file", metavar="FILE", help="append them to a file, one a line")
    where.add_argument("--post", metavar="URL", help="post them, signed by the Standard Webhooks scheme")
    where.add_argument("--exec", metavar="CMD", help="start a program for each batch, with the events on stdin")
    tail.add_argument(
        "--secret",
        metavar="FILE",
        help=f"with --post: the file of the secret, whsec_ and Base64, one a line (default: ${_SECRET_NAME})",
    )
    tail.add_argument("--batch", type=_at_least_one, default=_BATCH, help="so many events at once (default: 100)")
    tail.add_argument(
        "--rotate", type=_at_least_one, default=100, metavar="MB", help="with --file: begin anew at (default: 100)"
    )
    tail.add_argument(
        "--keep", type=_none_or_more, default=10, help="with --file: so many old files stay (default: 10)"
    )
    tail.add_argument("--once", action="store_true", help="end when all events there are were passed on")
    add_settings(tail)
    tail.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Pass events on until it is ended, or with ``--once`` until there are no more. Raises BulkmailError."""
    settings = load_settings(given.settings, os.getcwd())
    taker = _taker(given)
    checkpoint = Checkpoint.open(given.checkpoint)
    try:
        with contextlib.closing(open_reader(settings.spool)) as reader:
            stream = EventStream(reader)
            if not settings.events.record:
                tell("events are not noted here (events.record of bulkmail.yaml); only those noted earlier can come")
            tail = Tail(stream, checkpoint, taker, batch=given.batch, sleep=time.sleep, rng=Random())  # noqa: S311
            while tail.step() or not given.once:
                pass
    finally:
        checkpoint.close()
    return DONE


class Tail:
    """Passes events on. ``sleep`` takes seconds; ``told`` gets a line where something begins to fail, or is over."""

    def __init__(
        self,
        stream: EventStream,
        checkpoint: Checkpoint,
        taker: Taker,
        *,
        batch: int,
        sleep: Callable[[float], object],
        rng: Random,
        told: Callable[[str], object] = tell,
    ) -> None:
        self._stream = stream
        self._checkpoint = checkpoint
        self._taker = taker
        self._batch = batch
        self._sleep = sleep
        self._rng = rng
        self._told = told
        self._failed = 0  # times in a row
        self._looked = False

    def step(self) -> bool:
        """Pass a batch on, however long that takes; False where there was none, a second later."""
        if not self._looked:
            self._tried(self._look)
            self._looked = True
        here = self._checkpoint
        limit = here.upto - here.seq if here.upto > here.seq else self._batch
        events = self._tried(lambda: self._stream.read(here.seq, limit))
        if here.upto > here.seq:
            events = [event for event in events if event["seq"] <= here.upto]
        if not events:
            if here.upto > here.seq:  # the batch that was begun is gone from the spool
                here.passed_on()
                return True
            self._sleep(_EVERY)
            return False
        if events[0]["seq"] > here.seq + 1:
            self._tell_gap()
        here.begin(events[-1]["seq"])
        name = f"bulkmail_{here.stream}_{here.seq + 1}_{here.upto}"
        self._tried(lambda: self._taker.take(name, events))
        here.passed_on()
        return True

    def _look(self) -> None:
        """Raise BulkmailError for a checkpoint that is not of this spool."""
        last = self._stream.span()[1]
        if self._checkpoint.upto > last:
            raise BulkmailError(
                f"{self._checkpoint.path} is at event {self._checkpoint.upto}, and the spool has given no number "
                f"beyond {last}: it is another spool, or an older state; remove the checkpoint to begin anew"
            )

    def _tell_gap(self) -> None:
        """Tell of events that were dropped before their turn. A number that was never used is no such event."""
        first, oldest = self._checkpoint.seq + 1, self._tried(self._stream.span)[0]
        if first < oldest and self._checkpoint.seq:
            words = "they were older than `events.keep` or more than `events.most`"
            self._told(f"events {first} to {oldest - 1} are gone: {words}")

    def _tried(self, work: Callable[[], T]) -> T:
        """Return what ``work()`` returns, tried again until it does, ever more rarely."""
        while True:
            try:
                answer = work()
            except (NotTakenError, OwnFault) as error:
                self._failed += 1
                wait = min(_FIRST_WAIT * 2 ** min(self._failed - 1, 20), _LAST_WAIT) * self._rng.uniform(0.75, 1.0)
                wait = max(wait, getattr(error, "after", None) or 0.0)
                if self._failed == 1:
                    self._told(f"{error}; trying again, the first time in {format_duration(max(1.0, round(wait)))}")
                self._sleep(wait)
            else:
                if self._failed:
                    self._told(f"it goes on, after {self._failed} tries that failed")
                self._failed = 0
                return answer


def _taker(given: argparse.Namespace) -> Taker:
    if given.post is not None:
        return Webhook(given.post, read_secrets(_secret(given.secret)), time.time)
    if given.exec is not None:
        try:
            words = shlex.split(given.exec)
        except ValueError as error:
            raise BulkmailError(f"--exec: {error}") from None
        if not words:
            raise BulkmailError("--exec: there is no program")
        return Program(words)
    if given.file is not None:
        return AppendedFile(given.file, given.rotate * _MEGABYTE, given.keep)
    return Stdout()


def _secret(path: str | None) -> str:
    if path is None:
        return os.environ.get(_SECRET_NAME, "")
    try:
        return read_regular(path, 4096).decode("ascii", "replace")
    except (OSError, ValueError) as error:
        raise BulkmailError(f"--secret: {path} cannot be read ({getattr(error, 'strerror', None) or error})") from None


def _at_least_one(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 1_000_000:
        raise argparse.ArgumentTypeError("a number from 1 to 1,000,000 is wanted")
    return number


def _none_or_more(text: str) -> int:
    number = int(text)
    if not 0 <= number <= 1000:
        raise argparse.ArgumentTypeError("a number from 0 to 1,000 is wanted")
    return number
