"""What a campaign lets be claimed now: what its rate and its day allow, of open zones, and its first messages first.

A lane that gets nothing for such a reason is remembered here, and wants messages again when there may be some.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bulkmail.delivery.background import Wakeup
from bulkmail.delivery.clocks import Clocks
from bulkmail.delivery.message import Message
from bulkmail.delivery.queueing.supply import Supply
from bulkmail.delivery.run import Run
from bulkmail.shaping import Canary

_TOGETHER = 0.05  # seconds in which room for first messages is gathered: many small lanes may wait for it
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

    def granted(self, run: Run, supply: Supply, limit: int) -> tuple[int, Canary | None]:
        """Take up to ``limit`` messages of the campaign for a claim; return how many may be claimed.

        With them comes the canary that they belong to, if they are the first at their provider.
        """
        allowance, guard = run.allowance, run.guard
        if allowance is None and guard is None:
            return limit, None
        now, provider = self._clocks.now(), supply.lane.site.provider
        count, canary = limit, None
        if guard is not None:
            count = min(count, guard.available(provider, now))
        if allowance is not None:
            count = min(count, allowance.available(now))
        if count and allowance is not None:
            allowance.take(count, now)
        if count and guard is not None:
            canary = guard.take(provider, count)
        if count < limit:
            self._ask_again(run, supply, now)
        return count, canary

    def not_claimed(self, run: Run, count: int, canary: Canary | None) -> None:
        """Give back what was taken for a claim that found fewer messages."""
        if run.allowance is not None and count:
            run.allowance.give_back(count)
        if canary is not None and run.guard is not None and count:
            run.guard.give_back(canary, count)

    def _ask_again(self, run: Run, supply: Supply, now: float) -> None:
        """Let this lane want messages of this campaign again when there may be some."""
        times = []
        if run.allowance is not None:
            times.append(run.allowance.next_at(now))  # None: a day begins with a scan
        if run.guard is not None:
            run.guard.on_room(self._room_soon)
            times.append(run.guard.next_at(supply.lane.site.provider, now))
            self._waiting[supply, run] = None
        for at in times:
            if at is not None:
                self._waiting[supply, run] = None
                self._timer.at(at)

    def _room_soon(self) -> None:
        self._timer.at(self._clocks.now() + _TOGETHER)

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
