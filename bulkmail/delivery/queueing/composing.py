"""Claimed recipients in, composed messages out, a batch at a time through the pool of compose workers.

A batch has a deadline. When its worker dies or is late, its rows are suspects: they are composed one by one in a worker
of their campaign's own, so that one poison row (an endless loop in a template, a crash in a library) costs itself and
nothing else: it is set aside with that as its reason. A worker that was killed from outside (by an operator; by the
system, short of memory) says nothing of the row, at first: it is given back, to be composed in a while. Only one whose
workers are killed again and again is set aside too.

A campaign takes nothing from the others by it. While it has suspects, the rest of it is not claimed, and they take no
place in a lane; and while other campaigns are sent, a batch's deadline is shorter. A campaign of which several rows in
a row, each alone, did not come back by their deadline has a fault that is not theirs: it is paused, and they are given
back as they were.

Campaigns take turns by their weight and by the time that the workers spend on them, not by rows. A slow one is composed
in smaller batches, and leaves one of the workers to those that are not.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import attrgetter
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from bulkmail.delivery.background import Once, Wakeup, background
from bulkmail.delivery.message import Message
from bulkmail.delivery.run import Run
from bulkmail.mail import BulkmailError
from bulkmail.shaping import Turns
from bulkmail.workers import Pool, Worker, WorkerDiedError, WorkerLateError

_log = Logger("bulkmail")

BATCH = 16
_DEADLINE = 30.0  # seconds for a batch, and for a row alone
_PATIENCE = 5.0  # seconds for a batch while other campaigns are sent
_LOOK_AGAIN = 1.0  # whether there are others by now
_MOST_KILLED = 5
_MOST_LATE = 3  # rows in a row
_AHEAD = 3  # batches a worker holds: one it works on, the others so that it never waits
_LONG = 1.0  # seconds: a campaign is slow whose batches take longer, and has smaller ones
_USUAL = 0.003  # seconds a row, until it is known

_RUN = attrgetter("run")

_ENDLESS = (
    "the template does not come to an end: {count} rows in a row, the last of them row {row:,}, were not composed "
    "within {seconds:g} s each; correct the template, or what these rows have in common"
)

Rows = list[tuple[int, bytes | None, str, str | None]]
Answers = Rows | str  # a text: why none can be composed now


@dataclass(slots=True, eq=False)
class _Asked:
    """A batch that a worker of the pool has, since ``at`` on the reactor's clock."""

    run: Run
    at: float
    answers: Deferred[Answers]


@dataclass(slots=True, eq=False)
class _Pace:
    """How long a row of one campaign takes, in seconds (None: none has come back yet); ``asked``: batches under way."""

    row: float | None = None
    asked: int = 0

    @property
    def slow(self) -> bool:
        """Whether its batches keep a worker for long, or may do so."""
        return self.row is None or self.row * BATCH > _LONG

    @property
    def batch(self) -> int:
        """How many rows are composed together."""
        return BATCH if self.row is None else max(1, min(BATCH, int(_LONG / max(self.row, 1e-6))))

    def worked(self, seconds: float, rows: int) -> None:
        """Learn how long some rows took."""
        row = seconds / rows
        self.row = row if self.row is None else self.row + (row - self.row) * 0.2


@dataclass(slots=True, eq=False)
class _Doubt:
    """The rows of one campaign that are composed alone; its lanes do not count them meanwhile.

    ``late``: those before ``line`` whose deadline has passed, not judged yet. ``in_a_row``: so many were late since
    the last row of the campaign came back. ``busy``: the line is being worked on.
    """

    line: deque[Message] = field(default_factory=deque)
    late: list[Message] = field(default_factory=list)
    in_a_row: int = 0
    busy: bool = False

    def park(self, messages: Iterable[Message]) -> None:
        """Put them in the line."""
        for message in messages:
            message.holder.hold(-1, message.run)
            self.line.append(message)

    def unpark(self) -> list[Message]:
        """Return everything, to be counted by the lanes again."""
        back = [*self.late, *self.line]
        self.late.clear()
        self.line.clear()
        for message in back:
            message.holder.hold(1, message.run)
        return back

    def take(self) -> Message:
        """Return the first in the line, to be counted by its lane again."""
        message = self.line.popleft()
        message.holder.hold(1, message.run)
        return message


class Withholder(Protocol):
    """What is done about a campaign whose rows do not come back."""

    def doubt(self, run: Run, messages: Sequence[Message]) -> None:
        """Claim nothing of the campaign for now; ``messages`` are given back."""

    def clear(self, run: Run) -> None:
        """Let rows of the campaign be claimed again."""

    def pause(self, run: Run, reason: str, messages: Sequence[Message]) -> None:
        """Claim nothing of the campaign any more; ``messages`` are given back."""

    def alone(self, run: Run) -> bool:
        """Return whether no other campaign is being sent."""


class Receiver(Protocol):
    """Where messages go as batches come back."""

    def composed(self, message: Message) -> None:
        """Take a composed message."""

    def unrenderable(self, message: Message, reason: str) -> None:
        """Record a row that cannot be composed."""

    def not_composed(self, messages: Sequence[Message]) -> None:
        """Compose these once more in a while: that they were not is no fault of theirs."""


class Composing:
    """Feeds the pool of compose workers; ``receiver`` gets what comes back."""

    def __init__(self, reactor: Any, pool: Pool, *, receiver: Receiver, withholding: Withholder) -> None:
        self._reactor = reactor
        self._pool = pool
        self._composed = receiver.composed
        self._unrenderable = receiver.unrenderable
        self._not_composed = receiver.not_composed
        self._withholding = withholding
        self._waiting: dict[Run, deque[Message]] = {}  # none of them empty
        self._asked: dict[_Asked, None] = {}  # the oldest first
        self._doubts: dict[Run, _Doubt] = {}
        self._paces: dict[Run, _Pace] = {}
        self._turns: Turns[Run] = Turns()
        self._stopped = False
        self._failed = Once(_log.error)
        self._killed: Counter[int] = Counter()  # recipient id -> how often it was alone in a worker that was killed
        self._make_way_soon = Wakeup(reactor, self._make_way)

    def add(self, messages: Sequence[Message]) -> None:
        """Compose these; those of one campaign in order."""
        for run, some in groupby(messages, _RUN):
            self._waiting.setdefault(run, deque()).extend(some)
        self._pump()

    def take_back(self) -> list[Message]:
        """End: the messages that no worker has been given, or that are not judged; they are the caller's again."""
        self._stopped = True
        back = [message for waiting in self._waiting.values() for message in waiting]
        self._waiting.clear()
        for doubt in self._doubts.values():
            back += doubt.unpark()
        return back

    def withdraw(self, run: Run) -> list[Message]:
        """Take out the messages of a campaign that no worker has been given; they are the caller's again."""
        return list(self._waiting.pop(run, ()))

    @property
    def parked(self) -> bool:
        """Whether rows are here that their lanes do not count."""
        return any(doubt.busy for doubt in self._doubts.values())

    # in the pool

    def _pump(self) -> None:
        while len(self._asked) < self._pool.size * _AHEAD and (runs := [*filter(self._may_ask, self._waiting)]):
            run = self._turns.next(runs)
            waiting, pace = self._waiting[run], self._paces[run]
            size = _MOST_LATE if self._is_new(run, pace) else pace.batch
            batch = [waiting.popleft() for _ in range(min(size, len(waiting)))]
            if not waiting:
                del self._waiting[run]
            self._turns.use(run, (pace.row or _USUAL) * len(batch))
            background(self._compose(run, batch, pace), "composing a batch")
        self._watch()

    def _may_ask(self, run: Run) -> bool:
        """Return whether another batch may go to the workers: of a slow campaign only so many that others find one."""
        pace = self._paces.get(run)
        if pace is not None and not pace.slow:
            return True
        if pace is None:
            for over in [over for over, known in self._paces.items() if over.over and not known.asked]:
                del self._paces[over]
            pace = self._paces[run] = _Pace()
        if self._is_new(run, pace):
            return not pace.asked
        if self._makes_way(run):
            return pace.asked < max(1, self._pool.size - 1)
        return pace.row is None or pace.asked < self._pool.size

    def _is_new(self, run: Run, pace: _Pace) -> bool:
        """Return whether it is unknown how long a campaign takes, and others would have to wait: a few rows show it."""
        return pace.row is None and not self._withholding.alone(run)

    def _makes_way(self, run: Run) -> bool:
        """Return whether another campaign than this slow one is sent, and is not slow."""
        return any(
            not (known.slow or other is run or other.over or other.withheld) for other, known in self._paces.items()
        )

    async def _compose(self, run: Run, batch: list[Message], pace: _Pace) -> None:
        left = dict.fromkeys(batch)
        asked, edition = None, run.edition
        pace.asked += 1
        try:
            if not run.over:
                answer = self._pool.ask(
                    _job(batch),
                    _DEADLINE,
                    load=(pace.row or _USUAL) * len(batch),
                    worked=lambda seconds: pace.worked(seconds, len(batch)),
                    apart=pace.slow and self._makes_way(run),
                )
                asked = _Asked(run, self._reactor.seconds(), answer)
                self._asked[asked] = None
                answers = await asked.answers
                if isinstance(answers, str):
                    self._tell(run, answers)
                elif run.edition == edition:
                    self._hand_over(batch, answers, left)
        except BulkmailError as error:
            doubt = self._doubts.get(run)
            if isinstance(error, WorkerDiedError) and not (error.begun or self._stopped or (doubt and doubt.busy)):
                self._waiting.setdefault(run, deque()).extendleft(reversed(left))  # it stood behind another batch
                left.clear()
            elif not run.over:  # else the workers have forgotten it
                self._suspect(run, left)
        finally:
            pace.asked -= 1
            if asked is not None:
                del self._asked[asked]
            # no process could be started, its answer was no answer, the run is over, its text was changed meanwhile
            if left:
                self._not_composed(list(left))
            self._pump()

    def _watch(self) -> None:
        """Look in time whether a batch keeps other campaigns waiting."""
        if self._asked:
            self._make_way_soon.at(next(iter(self._asked)).at + _PATIENCE)

    def _make_way(self) -> None:
        """Give up the batches that have kept other campaigns waiting for too long."""
        now = self._reactor.seconds()
        late = [asked for asked in self._asked if asked.at + _PATIENCE <= now]
        for asked in late:
            if not self._withholding.alone(asked.run):
                asked.answers.cancel()
        if late:
            self._make_way_soon.at(now + _LOOK_AGAIN)
        else:
            self._watch()

    # alone

    def _suspect(self, run: Run, left: dict[Message, None]) -> None:
        doubt = self._doubts.setdefault(run, _Doubt())
        doubt.park(left)
        left.clear()
        if not doubt.busy:
            doubt.busy = True
            self._withholding.doubt(run, self._waiting.pop(run, ()))
            background(self._examine(run, doubt), "composing rows one by one")

    async def _examine(self, run: Run, doubt: _Doubt) -> None:
        worker: Worker | None = None
        pace = self._paces.setdefault(run, _Pace())
        try:
            while doubt.line and not run.over and not run.paused:
                message, edition = doubt.line[0], run.edition
                worker = worker or self._pool.alone()
                try:
                    asked = worker.ask(_job([message]), _DEADLINE, worked=lambda took: pace.worked(took, 1))
                    answers: Answers = await asked
                except BulkmailError as error:
                    worker.close()
                    worker = None
                    if self._is_next(doubt, message) and not run.over:
                        self._did_not_come(run, doubt, error)
                else:
                    if isinstance(answers, str):
                        self._tell(run, answers)
                        break
                    if run.edition == edition and self._is_next(doubt, message):
                        self._hand_over([doubt.take()], answers, {message: None})
        finally:
            doubt.busy = False
            if worker is not None:
                worker.close()
            if not (run.over or run.paused or self._stopped):
                self._judge_late(doubt)
            if back := doubt.unpark():  # the run is over, no process could be started, its answer was no answer
                self._not_composed(back)
            self._withholding.clear(run)
            self._pump()

    @staticmethod
    def _is_next(doubt: _Doubt, message: Message) -> bool:
        """Return whether ``message`` is still the first in the line: it may have been taken back meanwhile."""
        return bool(doubt.line) and doubt.line[0] is message

    def _did_not_come(self, run: Run, doubt: _Doubt, error: BulkmailError) -> None:
        """Judge the first row in the line, for which no answer came."""
        if isinstance(error, WorkerLateError):
            doubt.late.append(doubt.line.popleft())
            doubt.in_a_row += 1
            if doubt.in_a_row == _MOST_LATE:
                doubt.in_a_row = 0
                row = doubt.late[-1].claimed.number
                back = [*doubt.unpark(), *self._waiting.pop(run, ())]
                self._withholding.pause(run, _ENDLESS.format(count=_MOST_LATE, row=row, seconds=_DEADLINE), back)
            return
        message = doubt.take()
        if isinstance(error, WorkerDiedError) and error.killed and self._may_be_innocent(message):
            self._not_composed([message])
        else:
            self._set_aside(message, str(error))

    def _judge_late(self, doubt: _Doubt) -> None:
        """Set aside the rows that were late: others came back, or there are none, so it was their own doing."""
        late, doubt.late = doubt.late, []
        for message in late:
            message.holder.hold(1, message.run)
            self._set_aside(message, f"it did not come to an end within {_DEADLINE:g} s")

    def _set_aside(self, message: Message, reason: str) -> None:
        self._unrenderable(message, f"this row cannot be composed: {reason.strip().splitlines()[-1]}")

    def _tell(self, run: Run, why: str) -> None:
        """Log, once, what keeps rows from being composed and is no fault of theirs; they are tried again in a while."""
        self._failed(why, "{campaign}: {text}", campaign=run.name)

    def _may_be_innocent(self, message: Message) -> bool:
        self._killed[message.claimed.id] += 1
        return self._killed[message.claimed.id] < _MOST_KILLED

    def _hand_over(self, batch: list[Message], answers: Rows, left: dict[Message, None]) -> None:
        if self._doubts and (doubt := self._doubts.get(batch[0].run)) is not None:
            doubt.in_a_row = 0
            self._judge_late(doubt)
        for message, (_, wire, sender, error) in zip(batch, answers, strict=True):
            del left[message]
            self._killed.pop(message.claimed.id, None)
            if wire is None:
                self._unrenderable(message, error or "the row could not be composed")
            else:
                message.wire = wire
                message.size = len(wire)
                message.sender = sender
                self._composed(message)


def _job(batch: Sequence[Message]) -> tuple[Any, ...]:
    rows = []
    for message in batch:
        claimed = message.claimed
        rows.append((claimed.id, claimed.number, claimed.email, claimed.date, claimed.file_no, claimed.fields))
    return ("compose", batch[0].claimed.campaign_id, rows)
