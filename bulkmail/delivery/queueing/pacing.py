"""What a campaign lets be claimed now: what its rate and its day allow, of open zones, and its first messages first.

A lane that gets nothing for such a reason is remembered here, and wants messages again when there may be some.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from bulkmail.delivery.background import Wakeup
from bulkmail.delivery.clocks import Clocks
from bulkmail.delivery.message import Message
from bulkmail.delivery.queueing.supply import Supply
from bulkmail.delivery.run import Run
from bulkmail.delivery.warming import Budget, Warming
from bulkmail.shaping import Canary

_TOGETHER = 0.05  # seconds in which room for first messages is gathered: many small lanes may wait for it
_BEHIND = 0.1  # seconds behind the beginning of a day
_ASK_AGAIN = 3600.0  # seconds; a zone that never opens again before the end of the schedule


class Grant(NamedTuple):
    """So many ``messages`` may be claimed. ``canary``: they are first at their provider; ``budget``: of their source.

    Each of them gives its place back to both.
    """

    messages: int
    canary: Canary | None = None
    budget: Budget | None = None


class Pacing:
    """``again(supply, run)`` is called when there may be messages for a lane that got none
    of a campaign.

    ``put_off(messages, due)`` gives messages back until ``due`` on the wall clock.
    """

    def __init__(
        self,
        clocks: Clocks,
        warming: Warming,
        again: Callable[[Supply, Run], None],
        put_off: Callable[[Sequence[Message], float], None],
    ) -> None:
        self._warming = warming
        self._clocks = clocks
        self._again = again
        self._put_off = put_off
        self._waiting: dict[tuple[Supply, Run], None] = {}
        self._timer = Wakeup(clocks.reactor, self._wake)

    def granted(self, run: Run, supply: Supply, limit: int) -> Grant:
        """Take up to ``limit`` messages of the campaign for a claim; return how many may be claimed."""
        allowance, guard, warming = run.allowance, run.guard, self._warming
        if allowance is None and guard is None and not warming.any:
            return Grant(limit)
        now, provider, source = self._clocks.now(), supply.lane.site.provider, supply.lane.source.name
        count, canary = limit, None
        if guard is not None:
            count = min(count, guard.available(provider, now))
        if allowance is not None:
            count = min(count, allowance.available(now))
        if count:
            count = min(count, warming.available(source, provider))
        if count and allowance is not None:
            allowance.take(count, now)
        if count and guard is not None:
            canary = guard.take(provider, count)
        budget = warming.take(source, provider, count) if count else None
        if count < limit:
            self._ask_again(run, supply, now)
        return Grant(count, canary, budget)

    def not_claimed(self, run: Run, count: int, grant: Grant) -> None:
        """Give back what was taken for a claim that found fewer messages."""
        if run.allowance is not None and count:
            run.allowance.give_back(count)
        if grant.canary is not None and run.guard is not None and count:
            run.guard.give_back(grant.canary, count)
        if grant.budget is not None and count:
            self._warming.give_back(grant.budget, count)

    def is_spent(self, supply: Supply) -> bool:
        """Return whether the source of a lane has sent what it may today, while it warms up."""
        return not self._warming.usable(supply.lane.source.name, supply.lane.site.provider)

    def _ask_again(self, run: Run, supply: Supply, now: float) -> None:
        """Let this lane want messages of this campaign again when there may be some."""
        provider, times = supply.lane.site.provider, []
        if run.allowance is not None:
            times.append(run.allowance.next_at(now))  # None: a day begins with a scan
        if run.guard is not None:
            run.guard.on_room(self._room_soon)
            times.append(run.guard.next_at(provider, now))
            self._waiting[supply, run] = None
        if self._warming.any:
            self._warming.on_room = self._room_soon
            if (at := self._warming.next_at(supply.lane.source.name, provider)) is not None:
                times.append(now + max(0.0, at - self._clocks.wall()) + _BEHIND)
            self._waiting[supply, run] = None
        for at in times:
            if at is not None:
                self._waiting[supply, run] = None
                self._timer.at(at)

    def _room_soon(self) -> None:
        self._timer.at(self._clocks.now() + _TOGETHER)

    def to_be_sent_now(self, run: Run, messages: list[Message]) -> list[Message]:
        """Put off the messages whose zone is closed now, or that wait for a winner; return the others."""
        zones, now = run.row_zones, self._clocks.wall()
        if run.resting is not None:
            waiting: list[Message] = []
            tried: list[Message] = []
            for message in messages:
                (waiting if run.resting.waits(message.claimed.email) else tried).append(message)
            if waiting:
                until = run.resting.until(now)
                run.tried_next(until, now)
                self._put_off(waiting, until)
            messages = tried
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
