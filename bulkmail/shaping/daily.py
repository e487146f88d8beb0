"""What sources that warm up may send in the days of a plan, from what they have sent so far.

A day begins at 00:00 UTC. It is assumed that each day's budget is used and delivered, so that the next day has the next
step's. Once one of the sources is warm there is no limit any more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from bulkmail.shaping.warmup import DAY, WarmupDay, WarmupPlan

Budget = tuple[str, ...]
"""A provider and the sources that share a day's messages to it; () for no budget."""
_FOREVER = float("inf")


def days_of(plans: Iterable[tuple[WarmupPlan, WarmupDay | None]], today: int) -> list[int]:
    """Return how many messages the sources may send together today and in the days after it; then as many as they like.

    Of each source its plan and where it was last. No source: [].
    """
    found: list[list[int]] = []
    for plan, known in plans:
        last = (known or WarmupDay(today)).on(today, plan)
        first = [0] * (plan.start - today)
        each = list(plan.budgets[last.step :])
        if each and not first:
            each[0] = max(0, each[0] - last.taken)
        found.append(first + each)
    return [sum(day) for day in zip(*found, strict=False)]


class DailyBudgets:
    """What is left of the days' budgets while a plan is computed. ``days``: by budget, from the day of ``now`` on."""

    def __init__(self, days: Mapping[Budget, Sequence[int]], now: float) -> None:
        self._days = days
        self._first = int(now // DAY)
        self._left: dict[Budget, float] = {}
        self._day = -1
        self.turn(now)

    def turn(self, at: float) -> None:
        """Begin a day's budgets where ``at`` is in another one."""
        day = int(at // DAY) - self._first
        if day != self._day:
            self._day = day
            self._left = {name: float(days[day]) for name, days in self._days.items() if day < len(days)}

    @property
    def until(self) -> float:
        """When the next day begins, in epoch seconds; never where no budget is counted any more."""
        return (self._first + self._day + 1) * DAY if self._left else _FOREVER

    def left(self, name: Budget) -> float:
        """Return how many messages the day has left of this budget."""
        return self._left.get(name, _FOREVER)

    def lasts(self, flows: Iterable[tuple[Budget, float]]) -> float:
        """Return for how many seconds they last: (budget, messages a second) each."""
        paces: dict[Budget, float] = {}
        for name, pace in flows:
            if name in self._left:
                paces[name] = paces.get(name, 0.0) + pace
        return min((self._left[name] / pace for name, pace in paces.items() if pace), default=_FOREVER)

    def take(self, name: Budget, count: float) -> None:
        """Take ``count`` messages from this budget."""
        if name in self._left:
            self._left[name] -= count
