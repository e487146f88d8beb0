"""An event loop for one command: processes, the DNS and timers, without a service."""

from __future__ import annotations

import signal
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.epollreactor import EPollReactor
from twisted.python.failure import Failure

Result = TypeVar("Result")

WITHIN = 10.0
"""Seconds that what was interrupted may take to end what it has started."""


def in_event_loop(work: Callable[[Any], Coroutine[Deferred[Any], Any, Result]], reactor: Any = None) -> Result:
    """Run ``work(reactor)`` to its end in a reactor of its own, and return or raise what it does.

    ``reactor``: the process's (``twisted.internet.reactor``), for what speaks TLS: Twisted's TLS waits for no other. It
    can be run once.
    Ctrl-C cancels it: it may end what it has started, for `WITHIN` seconds, and KeyboardInterrupt is raised then.
    """
    make: Any = EPollReactor
    reactor = reactor or make()
    ended: list[Any] = []
    interrupted: list[bool] = []

    def start() -> None:
        task = Deferred.fromCoroutine(work(reactor))

        def stop() -> Deferred[Any]:
            """Cancel the work where a signal has come; return what the reactor waits for before it ends."""
            if not ended:
                interrupted.append(True)
                reactor.callLater(WITHIN, give_up)
                task.cancel()
            return over

        over: Deferred[None] = Deferred()

        def give_up() -> None:
            """Let the reactor end, though the work has not ended."""
            if not over.called:
                over.callback(None)

        def end(result: Any) -> None:
            ended.append(result)
            give_up()
            if not interrupted:
                reactor.callLater(0, reactor.stop)

        reactor.addSystemEventTrigger("before", "shutdown", stop)
        task.addBoth(end)

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    reactor.callWhenRunning(start)
    try:
        reactor.run()
    finally:
        for (
            number,
            handler,
        ) in before.items():  # Twisted leaves its own, and children that are forked later inherit them
            signal.signal(number, handler)
    if interrupted:
        raise KeyboardInterrupt
    (result,) = ended
    if isinstance(result, Failure):
        result.raiseException()
    found: Result = result
    return found
