"""Campaigns that nothing is claimed of while others go on: rows of them do not come back from being composed.

While single rows of a campaign are in doubt, it is only withheld. When the doubt is about all of it, its own fault
holds it: what is in flight is answered, everything else goes back as it was, without an attempt, and the campaign ends
as stopped. That hold is written into the spool by `lifecycle.steering`, as all holds are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from twisted.logger import Logger

from bulkmail.delivery.clocks import Clocks
from bulkmail.delivery.holds import Holds
from bulkmail.delivery.message import Message
from bulkmail.delivery.run import Run
from bulkmail.spool import Hold

_log = Logger("bulkmail")


class Claimant(Protocol):
    """What claims messages, and gives them back."""

    stopping: bool

    @property
    def runs(self) -> Mapping[int, Run]:
        """The campaigns that are being sent, by id."""

    def take_back(self, run: Run) -> None:
        """Close a campaign's queues and give back what is ready of it."""

    def returned(self, messages: Sequence[Message], due: float) -> None:
        """Give messages back to the spool without an attempt."""

    def rescan(self) -> None:
        """Look for unclaimed recipients anew."""


class Withholding:
    """Withholds and pauses campaigns at ``claimant``."""

    def __init__(self, claimant: Claimant, clocks: Clocks) -> None:
        self._claimant = claimant
        self._clocks = clocks
        self._on_paused: list[Callable[[Run, Hold], None]] = []
        self._pauses: dict[str, tuple[str, float]] = {}  # name -> why, and since when

    def on_paused(self, call: Callable[[Run, Hold], None]) -> None:
        """Call ``call(run, hold)`` when a campaign was paused for its own fault."""
        self._on_paused.append(call)

    def doubt(self, run: Run, messages: Sequence[Message]) -> None:
        """Claim nothing of the campaign for now; ``messages`` are given back."""
        run.doubted = True
        self._claimant.take_back(run)
        self._claimant.returned(messages, 0.0)

    def clear(self, run: Run) -> None:
        """Let rows of the campaign be claimed again."""
        run.doubted = False
        if not self._claimant.stopping and not run.withheld:
            self._claimant.rescan()

    def pause(self, run: Run, reason: str, messages: Sequence[Message]) -> None:
        """Claim nothing of the campaign any more; ``messages`` are given back."""
        hold = Hold(run.id, "fault", reason, self._clocks.wall())
        run.holds = Holds([*run.holds.active, hold], run.holds.over)
        self._claimant.take_back(run)
        self._claimant.returned(messages, 0.0)
        self._pauses[run.name] = reason, self._clocks.now()
        _log.error(
            "{campaign} is paused: {reason}; nothing is charged to its recipients", campaign=run.name, reason=reason
        )
        for call in self._on_paused:
            call(run, hold)

    def alone(self, run: Run) -> bool:
        """Return whether no other campaign is being sent."""
        return all(other is run or other.over or other.withheld for other in self._claimant.runs.values())

    def begin(self, name: str) -> None:
        """Forget why a campaign was paused: it is started anew."""
        self._pauses.pop(name, None)

    def reason(self, name: str) -> str:
        """Return why a campaign is paused; "" where it is not."""
        return self._pauses.get(name, ("", 0.0))[0]

    def lasts(self, name: str) -> float:
        """Return for how many seconds a campaign has been paused."""
        return self._clocks.now() - self._pauses[name][1]
