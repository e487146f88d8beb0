"""Campaigns that stop by a rule: each is given its guard, and what the guard finds becomes a hold of the spool.

A stop is a pause with a reason (`steering`): nothing new leaves to that provider, or to any, no retry clock runs, and
`bulkmail resume` goes on. Then what was counted before counts no more, on this machine and after a restart: the
outcomes behind the end of the last hold there are counted anew from the spool.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Protocol

from twisted.logger import Logger

from bulkmail.campaign import canary_rules
from bulkmail.delivery.background import background
from bulkmail.delivery.clocks import Clocks
from bulkmail.delivery.guard import Guard
from bulkmail.delivery.run import Run
from bulkmail.mail import BulkmailError, Status
from bulkmail.shaping import GREYLISTED, OTHER, Back, Trip
from bulkmail.spool import HeldTime, Hold, Spool

_log = Logger("bulkmail")

KIND = "rule"
_ATTEMPTS = 20_000  # the last ones of a campaign, out of which a start finds the last outcomes at each provider


class Holder(Protocol):
    """What holds campaigns (`steering.Steering`)."""

    async def hold(self, name: str, kind: str, *, provider: str | None = None, reason: str = "") -> Hold:
        """Hold a campaign."""


class Guarding:
    """Gives campaigns their guards. ``holder``: what holds them."""

    def __init__(self, spool: Spool, clocks: Clocks, holder: Holder) -> None:
        self._spool = spool
        self._clocks = clocks
        self._holder = holder

    async def begin(self, run: Run) -> None:
        """Give a campaign that is about to be sent its guard, as far as it was before. Raises OwnFault."""
        rules = canary_rules(run.content)
        if rules is None:
            return
        totals = dict(run.totals) or await self._spool.totals(run.id)
        guard = Guard(rules, lambda: run.input_rows, totals, self._clocks.scaled(GREYLISTED))
        held = [hold for hold in await self._spool.holds() if hold.campaign_id == run.id and hold.kind == KIND]
        released = _released(await self._spool.held_times(run.id))
        outcomes = await self._spool.last_outcomes(run.id, _ATTEMPTS)
        fresh = [one[:3] for one in outcomes if one[3] > _since(released, one[0])]
        forgiven: dict[str, Back] = {}
        for until in sorted(set(released.values())):
            for provider, back in (await self._spool.late_by_provider(run.id, until)).items():
                if _since(released, provider) == until:
                    forgiven[provider or OTHER] = back
        guard.breaker.begin(fresh, forgiven, [hold.provider for hold in held])
        guard.on_trip(lambda trip: self._tripped(run, trip))
        run.guard = guard

    async def came_back(self, run: Run) -> None:
        """Something came back of a campaign that is being sent: see whether it is too much. Raises OwnFault."""
        if run.guard is None:
            return
        back = await self._spool.late_by_provider(run.id, self._clocks.wall())
        accepted: Counter[str] = Counter()
        for (provider, status, _), count in run.totals.items():
            if status == Status.DELIVERED:
                accepted[provider] += count
        for provider, found in back.items():
            accepted[provider] += found.bounced + found.blocked
        run.guard.came_back(back, accepted)

    def _tripped(self, run: Run, trip: Trip) -> None:
        # in a turn of its own: a connection is just telling its lane what became of a message
        self._clocks.reactor.callLater(0.0, lambda: background(self._stop(run, trip), "stopping a campaign by a rule"))

    async def _stop(self, run: Run, trip: Trip) -> None:
        if run.over:
            return
        resume = f"bulkmail resume {run.name}" + (f" --provider {trip.provider}" if trip.provider else "")
        reason = f"{trip.words}; see the report for who, and Resume on the page or `{resume}` goes on"
        try:
            await self._holder.hold(run.name, KIND, provider=trip.provider or None, reason=reason)
        except BulkmailError as error:
            _log.error(
                "{campaign} could not be stopped, though {why}: {error}", campaign=run.name, why=reason, error=error
            )
            if run.guard is not None:
                run.guard.held([trip.provider], [])  # it is found again


def _released(times: Iterable[HeldTime]) -> dict[str, float]:
    """Return when the last hold at each provider ended."""
    found: dict[str, float] = {}
    for time in times:
        found[time.provider] = max(time.ended, found.get(time.provider, 0.0))
    return found


def _since(released: Mapping[str, float], provider: str) -> float:
    return max(released.get("", 0.0), released.get(provider or OTHER, 0.0))
