"""The pause of a whole process for a fault of its own: a full disk, no resolver, no route out.

During a pause nothing new is sent, one line tells each fault once, and after some seconds sending is tried again. No
recipient is charged for a pause: its seconds are excluded from every retry clock.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.logger import Logger

from bulkmail.delivery.clocks import Clocks
from bulkmail.shaping import UnchargedTime

_log = Logger("bulkmail")

_TRY_AGAIN = 5.0  # seconds
_MET_AGAIN = 15.0  # seconds behind a pause in which its fault is met again if it is still there
_MOST_TOLD = 20  # texts of one fault; a full disk has several, one for each file that is written


class Pause:
    """``paused``: nothing new may be sent now. ``fault``: why, until a server has answered again; "" without one.

    ``fault_since``: since when, in epoch seconds. ``uncharged``: the seconds that no recipient's retry clock counts.
    """

    def __init__(self, clocks: Clocks) -> None:
        self.paused = False
        self.fault = ""
        self.fault_since: float | None = None
        self.uncharged = UnchargedTime()
        self._clocks = clocks
        self._began = 0.0
        self._last = 0.0
        self._told: set[str] = set()
        self._resumed: list[Callable[[], None]] = []

    def on_resume(self, call: Callable[[], None]) -> None:
        """Call ``call()`` at the end of each pause."""
        self._resumed.append(call)

    def own_fault(self, text: str, wait: float = _TRY_AGAIN, again: str = "every 5 s") -> None:
        """Pause for ``wait`` seconds because of ``text``; ``again`` tells people when sending is tried again."""
        if text not in self._told and len(self._told) < _MOST_TOLD:
            self._told.add(text)
            _log.error("sending is paused: {text}; it is tried again {again}", text=text, again=again)
        if not self.fault:
            self.fault_since = self._clocks.wall()
        self.fault = text
        if not self.paused:
            self.paused = True
            self._began = self._clocks.now()
            self._clocks.reactor.callLater(wait, self._end)

    @property
    def recent_fault(self) -> str:
        """The fault while it pauses the process, and for some seconds behind that: it may be met again; else "".

        Where nothing is to be sent nothing finds out that a fault is over.
        """
        return self.fault if self.paused or self._clocks.now() < self._last + self._clocks.scaled(_MET_AGAIN) else ""

    def server_answered(self) -> None:
        """End the fault: a server has answered since the last pause."""
        if not self.paused:
            _log.info("sending goes on")
            self.fault, self.fault_since = "", None
            self._told.clear()

    def clock_was_set(self, seconds: float) -> None:
        """Exclude what the machine's clock was set forward, in seconds, from retry clocks; log either direction."""
        if seconds > 0:
            self.uncharged.add(self._clocks.wall(), seconds)
            _log.warn(
                "the clock was set forward by {seconds:,.0f} s; no recipient's retries end for it", seconds=seconds
            )
        else:
            words = "the clock was set back by {seconds:,.0f} s; until the next start the time goes on as it was"
            _log.warn(words, seconds=-seconds)

    def _end(self) -> None:
        self.paused = False
        self._last = self._clocks.now()
        self.uncharged.add(self._clocks.wall(), self._clocks.now() - self._began)
        for call in self._resumed:
            call()
