"""What the spool asks of a store about the daily budgets of sources that warm up."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from bulkmail.shaping import WarmupDay, WarmupPlan


class BudgetUse(NamedTuple):
    """What a source wants for a provider: ``wanted`` messages more. ``now``: epoch seconds.

    ``back``: so many that were taken on ``day`` were not sent. ``delivered``: so many of that day were.
    """

    source: str
    provider: str
    plan: WarmupPlan
    now: float
    wanted: int = 0
    back: int = 0
    delivered: int = 0
    day: int = 0


class BudgetStore(Protocol):
    """The budgets of sources that warm up."""

    def use_budget(self, use: BudgetUse) -> tuple[WarmupDay, int]:
        """Take messages out of today's budget, durably; return where the source is now, and how many were taken.

        Where the source is warm as many are taken as are wanted.
        """

    def warmup_days(self) -> dict[tuple[str, str], WarmupDay]:
        """Return where each source is at each provider, as it was last written: {(source, provider): day}."""
