"""Rows through the pool of inspectors: a bounded number of batches at a time, each with a deadline.

When a batch does not come back, its rows are tried one by one in a worker of their own, so that the row that did it is
found and told. A template of which several rows in a row do not come to an end is a fault of the template: the rest is
left.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred

from bulkmail.mail import BulkmailError
from bulkmail.preflight.inspector import INSPECTOR, Row
from bulkmail.preflight.kinds import error
from bulkmail.workers import Pool, Worker, WorkerFailedError, WorkerLateError

BATCH = 64
WITHIN = 30.0
"""Seconds for a batch, and for a row alone, as in the sending."""

_AHEAD = 3  # batches a worker holds
_MOST_LATE = 3
_MOST_LOST = 20

Take = Callable[[Sequence[Row], dict[str, Any]], None]
"""What is called with each batch that came back, and with what the inspector says of it."""


class Composing:
    """Feeds the inspectors. ``ended``: the rest of the list is not looked at any more."""

    def __init__(self, reactor: Any, processes: int, options: dict[str, Any], take: Take) -> None:
        self._pool = Pool(reactor, INSPECTOR, processes)
        self._options = options
        self._take = take
        self._asked = 0
        self._free: Deferred[None] | None = None
        self._suspects: list[Row] = []
        self._fault: BaseException | None = None
        self.ended = False

    def start(self) -> None:
        """Start the processes."""
        self._pool.start()
        self._pool.set_up("content", ("load", self._options))

    async def add(self, rows: Sequence[Row]) -> None:
        """Have rows looked at; wait while the workers have enough to do. Raises WorkerFailedError."""
        for at in range(0, len(rows), BATCH):
            await self._below(self._pool.size * _AHEAD)
            await self._try_alone()
            if self.ended:
                return
            self._ask(rows[at : at + BATCH])

    async def drain(self) -> None:
        """Wait for everything that was added. Raises WorkerFailedError."""
        await self._below(1)
        await self._try_alone()

    async def close(self) -> None:
        """End the processes."""
        await self._pool.close()

    def _ask(self, batch: Sequence[Row]) -> None:
        self._asked += 1
        answer = self._pool.ask(("inspect", list(batch)), WITHIN)
        answer.addCallback(lambda found: self._take(batch, found))
        answer.addErrback(self._failed, batch)
        answer.addBoth(lambda _: self._back())

    def _failed(self, failure: Any, batch: Sequence[Row]) -> None:
        if isinstance(failure.value, BulkmailError) and not isinstance(failure.value, WorkerFailedError):
            self._suspects += batch
        else:
            self._fault = self._fault or failure.value

    def _back(self) -> None:
        self._asked -= 1
        if self._free is not None:
            free, self._free = self._free, None
            free.callback(None)

    async def _below(self, most: int) -> None:
        while self._asked >= most:
            self._free = Deferred()
            await self._free
        if self._fault is not None:
            raise self._fault

    async def _try_alone(self) -> None:
        """Find the rows of the batches that did not come back."""
        if not self._suspects or self.ended:
            return
        await self._below(1)
        suspects, self._suspects = self._suspects, []
        worker: Worker | None = None
        late = lost = 0
        try:
            for row in suspects:
                worker = worker or await self._alone()
                try:
                    self._take([row], await worker.ask(("inspect", [row]), WITHIN))
                    late = 0
                except WorkerFailedError:
                    raise
                except BulkmailError as fault:
                    worker.close()
                    worker = None
                    lost += 1
                    late += isinstance(fault, WorkerLateError)
                    self._set_aside(row, fault)
                    if late == _MOST_LATE or lost == _MOST_LOST:
                        self._give_up(row, late)
                        return
        finally:
            if worker is not None:
                worker.close()

    async def _alone(self) -> Worker:
        """Start a worker that gets no other rows; its start takes nothing from the first one's time."""
        worker = self._pool.alone()
        await worker.ask(("inspect", []), None)
        return worker

    def _set_aside(self, row: Row, fault: BulkmailError) -> None:
        words = "the row cannot be composed: it ends the process that composes it"
        if isinstance(fault, WorkerLateError):
            words = f"the row was not composed within {WITHIN:g} s; does a template loop without end?"
        self._take([row], {"kinds": [(error("not-composed", "message", words), [row[0]])]})

    def _give_up(self, row: Row, late: int) -> None:
        self.ended = True
        why = (
            f"{late} rows in a row, the last of them row {row[0]:,}, did not come to an end" if late else "too many did"
        )
        words = f"the rows behind row {row[0]:,} were not looked at: {why}"
        self._take([], {"kinds": [(error("not-looked-at", "message", words, "correct the template first"), [])]})
