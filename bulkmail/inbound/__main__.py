"""``python -P -m bulkmail.inbound PARENT``: the process of the server, which `server_process` starts."""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import Any, cast

from twisted.internet.stdio import StandardIO
from twisted.logger import ILogObserver, globalLogBeginner

from bulkmail.inbound.child import Child
from bulkmail.inbound.serving import Serving
from bulkmail.workers import begin_child, without_garbage

_LEFT_TO_THE_PARENT = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)


def main(parent: int) -> None:
    """Serve until the process ``parent`` says otherwise, or has ended."""
    reading, writing = begin_child(parent)
    from twisted.internet import reactor as made

    reactor: Any = made
    # Twisted's timers follow the wall clock; a clock that is set must not make a deadline pass
    reactor.seconds = time.monotonic

    def leave() -> None:
        if reactor.running:
            reactor.stop()

    child = Child(reactor, Serving(reactor, time.time, os.getpid()), leave)
    globalLogBeginner.beginLoggingTo([cast("ILogObserver", child.log)], discardBuffer=True, redirectStandardIO=False)
    StandardIO(child, stdin=reading, stdout=writing, reactor=reactor)  # type: ignore[no-untyped-call,call-arg]
    without_garbage()
    reactor.callWhenRunning(_ignore_signals)  # the reactor has just installed handlers of its own
    reactor.run()


def _ignore_signals() -> None:
    for number in _LEFT_TO_THE_PARENT:
        signal.signal(number, signal.SIG_IGN)


if __name__ == "__main__":
    main(int(sys.argv[1]))
