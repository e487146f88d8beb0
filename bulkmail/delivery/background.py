"""Small things that are easy to get wrong, written once: tasks that are not awaited, wake-ups, faults that repeat."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from math import inf
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

_log = Logger("bulkmail")

_LOOK_AGAIN = 0.05  # seconds


def background(task: Coroutine[Deferred[Any], Any, Any], what: str) -> Deferred[Any]:
    """Run ``task`` without awaiting it; a failure is logged with ``what`` it was doing, never lost."""
    deferred = Deferred.fromCoroutine(task)
    deferred.addErrback(lambda failure: _log.failure("{what} failed", failure, what=what))
    return deferred


async def until(reactor: IReactorTime, over: Callable[[], object]) -> None:
    """Wait until ``over()``, which nobody tells of: it is asked every 50 ms."""
    while not over():
        await deferLater(reactor, _LOOK_AGAIN)


class Once:
    """Logs what goes wrong by ``log`` (a level of a Logger), but not a text that is the same as the one before it."""

    def __init__(self, log: Callable[..., None]) -> None:
        self._log = log
        self._last = ""

    def __call__(self, text: str, line: str = "{text}", **fields: object) -> None:
        """Log ``text`` in ``line``, with further ``fields``."""
        if text != self._last:
            self._last = text
            self._log(line, text=text, **fields)


class Wakeup:
    """Calls ``run`` once in a later turn, however often it was asked for meanwhile.

    The flag is cleared before ``run``, so a request that arrives during ``run`` is kept: a wake-up that was asked for
    can neither be lost nor pile up. ``at`` asks for a later time; the earliest request wins.
    """

    def __init__(self, reactor: IReactorTime, run: Callable[[], None]) -> None:
        self._reactor = reactor
        self._run = run
        self._call: IDelayedCall | None = None
        self._at = 0.0

    @property
    def when(self) -> float:
        """The earliest time asked for, on the reactor's clock; infinite where there is none."""
        return inf if self._call is None else self._at

    def now(self) -> None:
        """Call ``run`` in the next turn of the event loop."""
        self.at(0.0)

    def at(self, when: float) -> None:
        """Call ``run`` at ``when`` on the reactor's clock, or in the next turn where that has passed."""
        if self._call is not None:
            if self._at <= when:
                return
            self._call.cancel()
        self._at = when
        self._call = self._reactor.callLater(max(0.0, when - self._reactor.seconds()), self._wake)

    def cancel(self) -> None:
        """Cancel the call, if one was asked for."""
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def _wake(self) -> None:
        self._call = None
        self._run()
