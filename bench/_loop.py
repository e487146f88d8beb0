"""twistd, with a clock in its event loop: how late it is each time, and what each turn of the loop costs in CPU time.

Arguments: the file of the figures (JSON, written at the end), the clock's tick and the start in seconds, and after how
many messages each time and CPU time of this process are noted (0: never); the others are twistd's. On a busy machine
the clock is late also because other programs had the processor; how late it was without that is told as well. Counted
from the first message's final dot.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from twisted.scripts.twistd import run

from bulkmail.spool.journal import Journal

OUT, TICK, STARTED = Path(sys.argv.pop(1)), float(sys.argv.pop(1)), float(sys.argv.pop(1))
EACH = int(sys.argv.pop(1))
CELLS = 100_000  # of a tenth of a millisecond: what is measured here must not grow
JOURNAL: Any = Journal


class Watched:
    """Watches ``reactor``. ``late``, ``turns``: how often a clock was late, and a turn cost, so many tenths of a ms.

    ``own``: how late it was without the time in which this thread could have run and others had the processor.

    ``marks``: (seconds, CPU seconds) at the first message and after each ``EACH`` messages.
    """

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self.late = [0] * CELLS
        self.own = [0] * CELLS
        self.turns = [0] * CELLS
        self.first: float | None = None
        self.marks: list[tuple[float, float]] = []
        self._dots = 0
        self._turn = reactor.doIteration
        self._ended = time.thread_time()
        self._dot = JOURNAL.dot

    def dot(self, journal: Journal, *arguments: Any) -> None:
        """Take the time of the first message, and of each so many."""
        if self.first is None:
            self.first = time.time() - STARTED
            if not EACH:
                JOURNAL.dot = self._dot
            self._mark()
        self._dots += 1
        if EACH and self._dots % EACH == 0:
            self._mark()
        self._dot(journal, *arguments)

    def _mark(self) -> None:
        self.marks.append((time.time() - STARTED, time.process_time()))

    def turn(self, delay: float) -> None:
        """Count a turn of the loop."""
        self._turn(delay)
        now = time.thread_time()
        if self.first is not None:
            count(self.turns, now - self._ended)
        self._ended = now

    def look(self, due: float, waited: float) -> None:
        """Count how late the clock is. ``waited``: what `processor_waits` was when it was set."""
        now, all_waits = time.monotonic(), processor_waits()
        if self.first is not None:
            count(self.late, now - due)
            count(self.own, max(0.0, now - due - (all_waits - waited)))
        self._reactor.callLater(TICK, self.look, now + TICK, all_waits)

    def save(self) -> None:
        """Write the figures."""
        figures = {
            "first_dot_s": self.first,
            "marked_each": EACH,
            "marks": self.marks,
            "looks": sum(self.late),
            "p50_ms": at(self.late, 0.5),
            "p99_ms": at(self.late, 0.99),
            "p999_ms": at(self.late, 0.999),
            "max_ms": at(self.late, 1.0),
            "own_p99_ms": at(self.own, 0.99),
            "turn_p99_ms": at(self.turns, 0.99),
            "turn_p999_ms": at(self.turns, 0.999),
            "turn_max_ms": at(self.turns, 1.0),
        }
        OUT.write_text(json.dumps(figures))


def processor_waits() -> float:
    """Seconds that this thread could have run so far and waited for a processor."""
    return int(Path("/proc/thread-self/schedstat").read_bytes().split()[1]) / 1e9


def count(counts: list[int], seconds: float) -> None:
    """Add one of so many seconds."""
    counts[min(len(counts) - 1, int(seconds * 10_000))] += 1


def at(counts: list[int], share: float) -> float | None:
    """Return the milliseconds that this share of all did not exceed."""
    left = sum(counts) * share
    for tenths, many in enumerate(counts):
        left -= many
        if many and left <= 0:
            return tenths / 10
    return None


def watch() -> None:
    """Have everything counted until the reactor stops."""
    from twisted.internet import reactor

    loop: Any = reactor
    watched = Watched(loop)

    def dot(journal: Journal, *arguments: Any) -> None:
        watched.dot(journal, *arguments)

    JOURNAL.dot = dot
    loop.doIteration = watched.turn
    loop.callWhenRunning(lambda: watched.look(time.monotonic(), processor_waits()))
    loop.addSystemEventTrigger("before", "shutdown", watched.save)


watch()
run()  # type: ignore[no-untyped-call]
