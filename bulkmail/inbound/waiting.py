"""Threads for what only waits: a scan, a look-up of a name. They keep no process from ending."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, TypeVar

from twisted.internet.defer import Deferred

T = TypeVar("T")


class WaitingThreads:
    """Runs callables in up to ``most`` threads, each made when it is needed, until it is closed."""

    def __init__(self, reactor: Any, most: int) -> None:
        self._reactor = reactor
        self._most = most
        self._jobs: SimpleQueue[tuple[Callable[[], Any], Deferred[Any]] | None] = SimpleQueue()
        self._threads = self._under_way = 0

    def call(self, work: Callable[[], T]) -> Deferred[T]:
        """Run ``work()`` in a thread; fires with what it returns, or fails with what it raises."""
        done: Deferred[T] = Deferred()
        self._jobs.put((work, done))
        self._under_way += 1
        if self._threads < min(self._most, self._under_way):
            self._threads += 1
            threading.Thread(target=self._run, name="bulkmail-inbound-waits", daemon=True).start()
        return done

    def close(self) -> None:
        """End the threads as soon as they have nothing to do."""
        for _ in range(self._threads):
            self._jobs.put(None)
        self._threads = 0

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            work, done = job
            try:
                answer = work()
            except Exception as error:  # noqa: BLE001 - whatever it is, the caller must get to know it
                self._reactor.callFromThread(self._tell, done.errback, error)
            else:
                self._reactor.callFromThread(self._tell, done.callback, answer)
            del job, work, done

    def _tell(self, call: Callable[[Any], None], value: Any) -> None:
        self._under_way -= 1
        call(value)
