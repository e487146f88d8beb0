"""How many messages a new source may send to a provider in a day, until the provider knows it.

A plan is a budget for each day of a warm-up, counted for each source and provider. A day begins at 00:00 UTC. The next
day has the next step's budget only where more than nine tenths of the last one's budget were delivered: a provider
that refuses, or a day on which little was sent, gives no trust. Days on which nothing is sent change nothing. Behind
the last step the source is warm, and nothing is counted any more.

Laws (tests/shaping/test_warmup.py): no day has more than its step's budget; the step rises by one at most from day to
day, and only behind a day of which more than nine tenths were delivered.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from bulkmail.settings import Source  # the report's processes import this room, and need no settings

DAY = 86400.0
"""Seconds."""

DEFAULT_PLAN = (
    200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 40_000, 50_000, 75_000, 100_000, 150_000, 200_000, 250_000, 325_000,
    400_000, 500_000, 600_000, 750_000, 1_000_000, 1_250_000, 1_750_000, 2_000_000, 3_000_000, 4_250_000, 5_000_000,
    6_000_000, 7_500_000, 10_000_000,
)  # fmt: skip
"""Messages a day, as SparkPost's automated IP warm-up has them in its documentation."""


@dataclass(frozen=True, slots=True)
class WarmupPlan:
    """``start``: the first day, in days since 1970-01-01 (UTC); before it the source sends nothing."""

    start: int
    budgets: tuple[int, ...] = DEFAULT_PLAN

    def budget(self, step: int) -> int | None:
        """Return the messages of a day at this step (from 0); None where the source is warm."""
        return self.budgets[step] if step < len(self.budgets) else None


class WarmupDay(NamedTuple):
    """Where a source is at a provider: the day, its step, and of its budget what is taken and what was delivered."""

    day: int
    step: int = 0
    taken: int = 0
    delivered: int = 0

    def on(self, today: int, plan: WarmupPlan) -> WarmupDay:
        """Return it as of ``today``; a clock that was set back begins no day anew."""
        if today <= self.day:
            return self
        budget = plan.budget(self.step)
        through = budget is not None and self.delivered * 10 > budget * 9
        return WarmupDay(today, self.step + through)

    def left(self, plan: WarmupPlan) -> int | None:
        """Return how many more may be taken today; None where the source is warm."""
        budget = plan.budget(self.step)
        if budget is None:
            return None
        return 0 if self.day < plan.start else max(0, budget - self.taken)


def block_of(budget: int) -> int:
    """Return how many messages are taken out of a day's budget at once: a kill costs no more of them than that."""
    return max(1, min(500, budget // 20))


def warmup_plans(sources: Iterable[Source]) -> dict[str, WarmupPlan]:
    """Return the plans of the sources that warm up, by their names."""
    return {
        one.name: WarmupPlan(one.warmup.first_day, one.warmup.budgets or DEFAULT_PLAN)
        for one in sources
        if one.warmup is not None
    }
