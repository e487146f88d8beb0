"""What arrives together, written or read together, in one transaction.

Together is what came in one turn of the event loop, or while the transaction before was under way, or in the rest
behind that. So the fsyncs stay few when many clients wait for theirs, and one alone does not wait. The rest is there
for the event loop: each transaction is Python in the writer's thread, which it has to wait for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Generic, TypeVar

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from bulkmail.spool.writer import Reactor, Writer

_log = Logger("bulkmail")

A = TypeVar("A")
R = TypeVar("R")

MOST_TOGETHER = 100  # a transaction of these is over soon: claims and outcomes wait for it
_ANSWERS = 3  # in one turn


class Gathering(Generic[A, R]):
    """Gathers items for ``write``, which runs in the writer's thread and returns one result for each, in order.

    ``rest``: so many seconds lie between two writes.
    """

    def __init__(
        self, write: Callable[[Sequence[A]], Sequence[R]], writer: Writer, reactor: Reactor, rest: float = 0.0
    ) -> None:
        self._write = write
        self._writer = writer
        self._reactor = reactor
        self._rest = rest
        self._waiting: list[tuple[A, Deferred[R]]] = []
        self._writing = False
        self._timer: Any = None  # of the rest

    @property
    def busy(self) -> bool:
        """Whether there is something that is not written yet."""
        return self._writing or bool(self._waiting)

    def add(self, item: A) -> Deferred[R]:
        """Take an item; fires with its result when that is durable, or fails with what the write has raised."""
        result: Deferred[R] = Deferred()
        self._waiting.append((item, result))
        if not self._writing and self._timer is None:
            self._writing = True
            self._reactor.callLater(0, self._flush)
        return result

    def hurry(self) -> None:
        """Rest no more: what waits is written at once."""
        self._rest = 0.0
        if self._timer is not None:
            self._timer.cancel()
            self._rested()

    def _flush(self) -> None:
        batch, self._waiting = self._waiting[:MOST_TOGETHER], self._waiting[MOST_TOGETHER:]
        if not batch:
            self._writing = False
            return
        work = self._writer.call(partial(self._write, [item for item, _ in batch]))
        work.addCallbacks(self._answer, _fail, callbackArgs=(batch,), errbackArgs=(batch,))
        work.addErrback(lambda failure: _log.failure("telling what was written failed", failure))
        work.addCallback(lambda _: self._written())

    def _answer(self, results: Sequence[R], batch: Sequence[tuple[A, Deferred[R]]], first: int = 0) -> None:
        """Tell the results, a few in each turn of the event loop: each goes on with something else."""
        behind = first + _ANSWERS
        if behind < len(batch):
            self._reactor.callLater(0, self._answer, results, batch, behind)
        for (_, answer), result in zip(batch[first:behind], results[first:behind], strict=True):
            answer.callback(result)

    def _written(self) -> None:
        if self._rest:
            self._writing = False
            self._timer = self._reactor.callLater(self._rest, self._rested)
        else:
            self._flush()

    def _rested(self) -> None:
        self._timer = None
        if self._waiting:
            self._writing = True
            self._flush()


def _fail(failure: Failure, batch: Sequence[tuple[A, Deferred[R]]]) -> None:
    for _, answer in batch:
        answer.errback(failure)
