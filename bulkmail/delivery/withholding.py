"""Campaigns that nothing is claimed of while others go on: rows of them do not come back from being composed.

While single rows of a campaign are in doubt, it is only withheld. When the doubt is about all of it, it is paused: what
is in flight is answered, everything else goes back as it was, without an attempt, and the campaign ends as stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from twisted.logger import Logger

from bulkmail.delivery.feeder import Feeder
from bulkmail.delivery.message import Message
from bulkmail.delivery.run import Run
from bulkmail.delivery.sharing import take_back

_log = Logger("bulkmail")


class Withholding:
    """``paused(run)`` is called when a campaign was paused; ``now`` is the reactor's clock, in seconds."""

    def __init__(self, feeder: Feeder, now: Callable[[], float], paused: Callable[[Run], None]) -> None:
        self._feeder = feeder
        self._now = now
        self._paused = paused
        self._pauses: dict[str, tuple[str, float]] = {}  # name -> why, and since when

    def doubt(self, run: Run, messages: Sequence[Message]) -> None:
        """Claim nothing of it for now; ``messages`` are given back."""
        run.withheld = True
        take_back(self._feeder, run)
        self._feeder.untouched(messages, 0.0)

    def clear(self, run: Run) -> None:
        """It may be claimed from again."""
        run.withheld = False
        if not self._feeder.stopping:
            self._feeder.more()

    def pause(self, run: Run, reason: str, messages: Sequence[Message]) -> None:
        """Claim nothing of it any more; ``messages`` are given back."""
        self.doubt(run, messages)
        run.paused = reason
        self._pauses[run.name] = reason, self._now()
        _log.error("{name} is paused: {reason}; nothing is charged to its recipients", name=run.name, reason=reason)
        self._paused(run)

    def alone(self, run: Run) -> bool:
        """Whether no other campaign is being sent."""
        return all(other is run or other.over or other.withheld for other in self._feeder.runs.values())

    def begin(self, name: str) -> None:
        """It is started anew."""
        self._pauses.pop(name, None)

    def reason(self, name: str) -> str:
        """Why it was paused; "" when it was not."""
        return self._pauses.get(name, ("", 0.0))[0]

    def lasts(self, name: str) -> float:
        """For how many seconds it has been paused."""
        return self._now() - self._pauses[name][1]
