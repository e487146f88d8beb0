"""The budgets of sources that warm up, as far as this process has taken them out of the spool.

A budget (`shaping.warmup`) is counted for each source and provider; all sites of no known provider share one. A part of
it is taken out of the spool's before anything of it is claimed, and given out message by message: one that comes back
without an attempt, or is deferred, gives its place back. Where the day has none left the source is not usable there
until the next day: the other sources of the pool take its messages, and where there is none they wait, which charges no
recipient.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from twisted.logger import Logger

from bulkmail.delivery.background import background
from bulkmail.delivery.clocks import Clocks
from bulkmail.mail import OwnFault, provider_behind
from bulkmail.shaping import DAY, OTHER, WarmupDay, WarmupPlan, block_of
from bulkmail.spool import BudgetUse, Spool

_log = Logger("bulkmail")

_ANY = 1 << 30
_TRY_AGAIN = 5.0  # seconds
_LOOK_AGAIN = 60.0  # seconds; the database's clock has another day than ours
_WRITE_EVERY = 5.0  # seconds


class Budget:
    """Of one source at one provider. ``left``: messages that were taken and are not given out.

    ``known``: where the source is, as the spool said last. ``ends``: until when that holds, on the wall clock;
    ``again``: when more can be asked for.
    """

    __slots__ = ("again", "asking", "delivered", "ends", "known", "left", "plan", "provider", "source", "written_at")

    def __init__(self, source: str, provider: str, plan: WarmupPlan) -> None:
        self.source = source
        self.provider = provider
        self.plan = plan
        self.known = WarmupDay(0)
        self.left = 0
        self.delivered = 0
        self.ends = self.again = self.written_at = 0.0
        self.asking = False

    def __repr__(self) -> str:
        return f"<Budget of {self.source} at {self.provider}: {self.known}, {self.left} left>"

    @property
    def warm(self) -> bool:
        """Whether the source is behind the last step."""
        return self.plan.budget(self.known.step) is None


class Warming:
    """``plans``: of the sources that warm up, by name. ``on_room`` is called when there may be more than before."""

    def __init__(self, plans: Mapping[str, WarmupPlan], spool: Spool, clocks: Clocks) -> None:
        self.on_room: Callable[[], None] = lambda: None
        self._plans = plans
        self._spool = spool
        self._clocks = clocks
        self._budgets: dict[tuple[str, str], Budget] = {}

    def __repr__(self) -> str:
        return f"<Warming {list(self._budgets.values())}>"

    @property
    def any(self) -> bool:
        """Whether a source warms up at all."""
        return bool(self._plans)

    def usable(self, source: str, provider: str) -> bool:
        """Return whether the day has messages left for this source at ``provider`` ("": of none), as far as known."""
        budget = self._of(source, provider)
        return budget is None or self._may(budget)

    def available(self, source: str, provider: str) -> int:
        """Return how many messages may be claimed now; where more can be asked for, that is done."""
        budget = self._of(source, provider)
        if budget is None or budget.warm:
            return _ANY
        if budget.left and self._clocks.wall() < budget.ends:
            return budget.left
        if self._may(budget) and not budget.asking:
            budget.left = 0
            budget.asking = True
            background(self._take(budget), "taking messages of a warm-up's budget")
        return 0

    def next_at(self, source: str, provider: str) -> float | None:
        """Return when the next day begins, on the wall clock; None where more is being asked for."""
        budget = self._of(source, provider)
        return None if budget is None or self._may(budget) else budget.again

    def take(self, source: str, provider: str, count: int) -> Budget | None:
        """Take ``count`` of what is available; return what each message is to tell, None where nothing is counted."""
        budget = self._of(source, provider)
        if budget is None or budget.warm:
            return None
        budget.left -= count
        return budget

    def give_back(self, budget: Budget, count: int) -> None:
        """Give ``count`` messages that were not sent back to the budget."""
        if self._clocks.wall() < budget.ends:
            budget.left += count
            budget.again = 0.0
            self.on_room()

    def settled(self, budget: Budget, *, sent: bool, delivered: bool) -> None:
        """Count the outcome of a message, or that it was settled or deferred without one."""
        budget.delivered += delivered
        if not sent:
            self.give_back(budget, 1)

    def look(self) -> None:
        """Write down what was delivered; called once a second."""
        now = self._clocks.wall()
        for budget in self._budgets.values():
            if budget.delivered and not budget.asking and now >= budget.written_at + _WRITE_EVERY:
                budget.asking = True
                background(self._use(budget, 0, 0), "writing what was delivered of a warm-up")

    async def close(self) -> None:
        """Give back what is left, and write down what was delivered. Raises OwnFault."""
        for budget in self._budgets.values():
            back, budget.left = budget.left, 0
            if back or budget.delivered:
                await self._use(budget, 0, back)

    def _of(self, source: str, provider: str) -> Budget | None:
        plan = self._plans.get(source)
        if plan is None:
            return None
        key = source, provider_behind(provider) or OTHER
        budget = self._budgets.get(key)
        if budget is None:
            budget = self._budgets[key] = Budget(*key, plan)
        return budget

    def _may(self, budget: Budget) -> bool:
        return budget.warm or budget.left > 0 or self._clocks.wall() >= budget.again

    async def _take(self, budget: Budget) -> None:
        wanted = block_of(budget.plan.budget(budget.known.step) or 1)
        try:
            granted = await self._use(budget, wanted, 0)
        except OwnFault as fault:
            _log.error(
                "the budget of source {source} could not be asked for: {fault}",
                source=budget.source,
                fault=fault,
                provider=budget.provider,
            )
            budget.again = self._clocks.wall() + _TRY_AGAIN
        else:
            budget.left += granted
            if not granted and not budget.warm:
                budget.again = budget.ends
                _log.info(
                    "source {source} is warming up: its {count:,} messages to {provider} of today are sent",
                    source=budget.source,
                    count=budget.known.taken,
                    provider=budget.provider,
                )
        self.on_room()

    async def _use(self, budget: Budget, wanted: int, back: int) -> int:
        delivered, budget.delivered = budget.delivered, 0
        now = self._clocks.wall()
        known = budget.known.day
        use = BudgetUse(budget.source, budget.provider, budget.plan, now, wanted, back, delivered, known)
        try:
            budget.known, granted = await self._spool.use_budget(use)
        except OwnFault:
            budget.delivered += delivered
            raise
        finally:
            budget.asking = False
            budget.written_at = now
        day = budget.known.day
        if day != known:
            budget.left = 0
        budget.ends = (day + 1) * DAY if day == int(self._clocks.wall() // DAY) else now + _LOOK_AGAIN
        return granted
