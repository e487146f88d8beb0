"""What a campaign's schedule lets be claimed now: so many messages as its rate and its day allow, of open zones only.

A lane that gets nothing for that reason is remembered here, and wants messages again when the rate has some.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bulkmail.delivery.background import Wakeup
from bulkmail.delivery.clocks import Clocks
from bulkmail.delivery.message import Message
from bulkmail.delivery.queueing.supply import Supply
from bulkmail.delivery.run import Run

_ASK_AGAIN = 3600.0  # seconds; a zone that never opens again before the end of the schedule


class Pacing:
    """``again(supply, run)`` is called when there may be messages for a lane that got none
    of a campaign.

    ``put_off(messages, due)`` gives messages back until ``due`` on the wall clock.
    """

    def __init__(
        self, clocks: Clocks, again: Callable[[Supply, Run], None], put_off: Callable[[Sequence[Message], float], None]
    ) -> None:
        self._clocks = clocks
        self._again = again
        self._put_off = put_off
        self._waiting: dict[tuple[Supply, Run], None] = {}
        self._timer = Wakeup(clocks.reactor, self._wake)

    def granted(self, run: Run, supply: Supply, limit: int) -> int:
        """Take up to ``limit`` messages of the campaign for a claim; return how many may be claimed."""
        allowance, now = run.allowance, self._clocks.now()
        if allowance is None:
            return limit
        count = min(limit, allowance.available(now))
        if count:
            allowance.take(count, now)
        if count < limit and (at := allowance.next_at(now)) is not None:
            self._waiting[supply, run] = None
            self._timer.at(at)
        return count

    def not_claimed(self, run: Run, count: int) -> None:
        """Give back what was taken for a claim that found fewer messages."""
        if run.allowance is not None and count:
            run.allowance.give_back(count)

    def of_open_zones(self, run: Run, messages: list[Message]) -> list[Message]:
        """Put off the messages whose zone is closed now, until it opens; return the others."""
        zones, now = run.row_zones, self._clocks.wall()
        if zones is None:
            return messages
        found: list[Message] = []
        closed: dict[float, list[Message]] = {}
        for message in messages:
            opening = zones.opening(message.claimed.file_no, message.claimed.fields, now)
            some = found if opening.open else closed.setdefault(opening.until or now + _ASK_AGAIN, [])
            some.append(message)
        for opens, some in closed.items():
            self._put_off(some, opens)
        return found

    def stop(self) -> None:
        """Ask no more."""
        self._timer.cancel()
        self._waiting.clear()

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, {}
        for supply, run in waiting:
            self._again(supply, run)
