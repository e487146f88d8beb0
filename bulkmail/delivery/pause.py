"""The pause of a whole process for a fault of its own: a full disk, no resolver, no route out.

During a pause nothing new is sent, one line tells each fault once, and after some seconds sending is tried again. No
recipient is charged for a pause: its seconds are excluded from every retry clock.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.logger import Logger

from bulkmail.delivery.clocks import Clocks
from bulkmail.shaping import Beside, UnchargedTime

_log = Logger("bulkmail")

_TRY_AGAIN = 5.0  # seconds
_MET_AGAIN = 15.0  # seconds behind a pause in which its fault is met again if it is still there
_MOST_TOLD = 20  # texts of one fault; a full disk has several, one for each file that is written


class Pause:
    """``fault``: why nothing new may be sent, until a server has answered again; "" without one.

    ``fault_since``: since when, in epoch seconds. ``uncharged``: the seconds that no recipient's retry clock counts.
    """

    _what = "sending"

    def __init__(self, clocks: Clocks) -> None:
        self._paused = False
        self.fault = ""
        self.fault_since: float | None = None
        self.uncharged = UnchargedTime()
        self._clocks = clocks
        self._began = 0.0
        self._last = 0.0
        self._told: set[str] = set()
        self._resumed: list[Callable[[], None]] = []

    @property
    def paused(self) -> bool:
        """Whether nothing new may be sent now."""
        return self._paused

    def on_resume(self, call: Callable[[], None]) -> None:
        """Call ``call()`` at the end of each pause."""
        self._resumed.append(call)

    def own_fault(self, text: str, wait: float = _TRY_AGAIN, again: str = "every 5 s") -> None:
        """Pause for ``wait`` seconds because of ``text``; ``again`` tells people when sending is tried again."""
        if text not in self._told and len(self._told) < _MOST_TOLD:
            self._told.add(text)
            _log.error("{what} is paused: {text}; it is tried again {again}", what=self._what, text=text, again=again)
        if not self.fault:
            self.fault_since = self._clocks.wall()
        self.fault = text
        if not self._paused:
            self._paused = True
            self._began = self._clocks.now()
            self._clocks.reactor.callLater(wait, self._end)

    def relay_fault(self, text: str, wait: float, again: str) -> None:
        """Pause what goes to a relay, which is all mail, because it does not let us in."""
        self.own_fault(text, wait, again)

    def go_on(self) -> None:
        """Have everything that waits look again whether it may be sent."""
        for call in self._resumed:
            call()

    @property
    def recent_fault(self) -> str:
        """The fault while it pauses the process, and for some seconds behind that: it may be met again; else "".

        Where nothing is to be sent nothing finds out that a fault is over.
        """
        return self.fault if self.paused or self._clocks.now() < self._last + self._clocks.scaled(_MET_AGAIN) else ""

    def server_answered(self) -> None:
        """End the fault: a server has answered since the last pause."""
        if not self.paused:
            _log.info("{what} goes on", what=self._what)
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
        self._paused = False
        self._last = self._clocks.now()
        self.uncharged.add(self._clocks.wall(), self._clocks.now() - self._began)
        self.go_on()


class RelayPause(Pause):
    """The pause of what goes to the relay of one route: the rest goes on while that does not let us in.

    Faults of the process are those of ``whole``, and pause this too.
    """

    _what = "sending through the relay of a route"

    def __init__(self, whole: Pause, clocks: Clocks) -> None:
        super().__init__(clocks)
        self._whole = whole
        self.uncharged = Beside(whole.uncharged)

    @property
    def paused(self) -> bool:
        """Whether nothing new may be sent there now."""
        return self._paused or self._whole.paused

    def own_fault(self, text: str, wait: float = _TRY_AGAIN, again: str = "every 5 s") -> None:
        """Pause the whole process."""
        self._whole.own_fault(text, wait, again)

    def relay_fault(self, text: str, wait: float, again: str) -> None:
        """Pause what goes to the relay, because it does not let us in."""
        super().own_fault(text, wait, again)

    def go_on(self) -> None:
        """Have everything that waits look again whether it may be sent."""
        self._whole.go_on()
