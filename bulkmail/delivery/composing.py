"""Claimed recipients in, composed messages out, a batch at a time through the pool of compose workers.

A batch has a deadline. When its worker dies or is late, the batch is suspect: it is composed again in a worker of its
own, then row by row, so that one poison row (an endless loop in a template, a crash in a library) costs itself and
nothing else: after it has ended a worker on its own, it is set aside with that as its reason. A worker that somebody
killed (an operator; the system, short of memory) says nothing of the row, at first: it is given back, to be composed
in a while. Only one whose workers are killed again and again is set aside too.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Sequence
from typing import Any

from bulkmail.delivery.background import background
from bulkmail.delivery.message import Message
from bulkmail.mail import BulkmailError
from bulkmail.workers import Pool, WorkerDiedError

BATCH = 16
_DEADLINE = 30.0
_MOST_KILLED = 5
_AHEAD = 3  # batches a worker holds: one it works on, the others so that it never waits


class Composing:
    """Feeds the pool; ``composed(message)`` and ``spoilt(message, reason)`` are called as batches come back."""

    _composed: Callable[[Message], None]
    _spoilt: Callable[[Message, str], None]
    _not_composed: Callable[[Sequence[Message]], None]

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._waiting: deque[Message] = deque()
        self._running = 0
        self._killed: Counter[int] = Counter()  # recipient id -> how often it was alone in a worker that was killed

    def start(
        self,
        composed: Callable[[Message], None],
        spoilt: Callable[[Message, str], None],
        not_composed: Callable[[Sequence[Message]], None],
    ) -> None:
        """Where messages go to: told once, before the first is added. ``not_composed``: through no fault of theirs."""
        self._composed = composed
        self._spoilt = spoilt
        self._not_composed = not_composed

    def add(self, messages: Sequence[Message]) -> None:
        """Compose these, in order."""
        self._waiting.extend(messages)
        self._pump()

    def take_back(self) -> list[Message]:
        """The messages that no worker has been given yet; they are the caller's again."""
        back = list(self._waiting)
        self._waiting.clear()
        return back

    def _pump(self) -> None:
        while self._waiting and self._running < self._pool.size * _AHEAD:
            run = self._waiting[0].run
            batch: list[Message] = []
            while self._waiting and len(batch) < BATCH and self._waiting[0].run is run:
                batch.append(self._waiting.popleft())
            self._running += 1
            background(self._compose(batch), "composing a batch")

    async def _compose(self, batch: list[Message]) -> None:
        left = dict.fromkeys(batch)
        try:
            await self._batch(batch, left)
        finally:
            self._running -= 1
            if left:  # no process could be started, its answer was no answer, the run is over: nobody is stranded here
                self._not_composed(list(left))
            self._pump()

    async def _batch(self, batch: list[Message], left: dict[Message, None]) -> None:
        if _left(batch[0]):
            return
        try:
            answers = await self._pool.ask(_job(batch), _DEADLINE)
        except BulkmailError:
            if _left(batch[0]):
                return
            try:
                answers = await self._pool.ask_alone(_job(batch), _DEADLINE)
            except BulkmailError:
                await self._one_by_one(batch, left)
                return
        self._hand_over(batch, answers, left)

    async def _one_by_one(self, batch: list[Message], left: dict[Message, None]) -> None:
        for message in batch:
            try:
                answers = await self._pool.ask_alone(_job([message]), _DEADLINE)
            except BulkmailError as error:
                if _left(message):
                    continue
                if isinstance(error, WorkerDiedError) and error.killed and self._may_be_innocent(message):
                    continue
                del left[message]
                self._spoilt(message, f"this row cannot be composed: {str(error).strip().splitlines()[-1]}")
            else:
                self._hand_over([message], answers, left)

    def _may_be_innocent(self, message: Message) -> bool:
        self._killed[message.claimed.id] += 1
        return self._killed[message.claimed.id] < _MOST_KILLED

    def _hand_over(
        self,
        batch: list[Message],
        answers: list[tuple[int, bytes | None, str, str | None]],
        left: dict[Message, None],
    ) -> None:
        for message, (_, wire, sender, error) in zip(batch, answers, strict=True):
            del left[message]
            self._killed.pop(message.claimed.id, None)
            if wire is None:
                self._spoilt(message, error or "the row could not be composed")
            else:
                message.wire = wire
                message.size = len(wire)
                message.sender = sender
                self._composed(message)


def _left(message: Message) -> bool:
    """Whether its campaign is left to other machines: the workers know nothing of it any more."""
    return message.run.over


def _job(batch: Sequence[Message]) -> tuple[Any, ...]:
    rows = []
    for message in batch:
        claimed = message.claimed
        rows.append((claimed.id, claimed.number, claimed.email, claimed.date, claimed.file_no, claimed.fields))
    return ("compose", batch[0].claimed.campaign_id, rows)
