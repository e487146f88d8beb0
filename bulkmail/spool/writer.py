"""The one thread that writes: jobs in, in order; their results back in the reactor's thread.

SQLite releases the interpreter while it works, so this thread costs the event loop next to nothing; a pool would let
two jobs of one store run at once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, Protocol, TypeVar

from twisted.internet.defer import Deferred

T = TypeVar("T")


class Reactor(Protocol):
    """What this room needs of the reactor."""

    def callLater(self, delay: float, function: Callable[..., object], /, *args: object) -> Any:  # noqa: D102
        ...

    def callFromThread(self, function: Callable[..., object], /, *args: object) -> Any:  # noqa: D102
        ...


class Writer:
    """Runs callables one after the other in a thread of its own."""

    def __init__(self, reactor: Reactor) -> None:
        self._reactor = reactor
        self._jobs: SimpleQueue[tuple[Callable[[], Any], Deferred[Any]] | None] = SimpleQueue()
        self._stopped: Deferred[None] = Deferred()
        # A daemon thread: a disk that hangs in fsync must not keep a second SIGTERM from ending the process.
        self._thread = threading.Thread(target=self._run, name="bulkmail-spool", daemon=True)
        self._thread.start()

    def call(self, work: Callable[[], T]) -> Deferred[T]:
        """Run ``work()`` in the thread; fires with what it returns, or fails with what it raises."""
        result: Deferred[T] = Deferred()
        self._jobs.put((work, result))
        return result

    def stop(self) -> Deferred[None]:
        """End the thread when all jobs handed in are done; fires when it has ended. Call once, and nothing after."""
        self._jobs.put(None)
        return self._stopped

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            work, result = job
            try:
                answer = work()
            except Exception as error:  # noqa: BLE001 - whatever it is, the caller must get to know it
                self._reactor.callFromThread(result.errback, error)
            else:
                self._reactor.callFromThread(result.callback, answer)
            del job, work, result
        self._reactor.callFromThread(self._ended)

    def _ended(self) -> None:
        self._thread.join()
        self._stopped.callback(None)
