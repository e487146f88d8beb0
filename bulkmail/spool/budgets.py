"""The daily budgets of sources that warm up: one entry for each source and provider, the same in every database.

A budget is taken in blocks, and each is in the database before a message of it is claimed: so no day has more than its
budget, whatever is killed, and machines that use one source's name share it. The day is that of the database's clock
where it has one, in UTC. What a kill leaves of a block is lost for its day.
"""

from __future__ import annotations

import json

from bulkmail.shaping import WarmupDay
from bulkmail.spool.budgeting import BudgetUse
from bulkmail.spool.contract import Statements


class Budgets:
    """The part of a store that knows budgets; see `budgeting.BudgetStore`."""

    _db: Statements

    def use_budget(self, use: BudgetUse) -> tuple[WarmupDay, int]:
        """Take messages out of today's budget; see `budgeting.BudgetStore.use_budget`."""
        key = json.dumps([use.source, use.provider])
        with self._db.transaction():
            today = int(self._db.execute("database_day", (use.now,)).fetchone()[0])
            self._db.execute("begin_budget", (key, json.dumps(WarmupDay(today))))
            known = WarmupDay(*json.loads(self._db.execute("budget", (key,)).fetchone()[0]))
            if use.day == known.day:
                taken = max(0, known.taken - use.back)
                known = known._replace(taken=taken, delivered=known.delivered + use.delivered)
            known = known.on(today, use.plan)
            left = known.left(use.plan)
            granted = use.wanted if left is None else min(use.wanted, left)
            known = known._replace(taken=known.taken + granted)
            self._db.execute("set_budget", (json.dumps(known), key))
        return known, granted

    def warmup_days(self) -> dict[tuple[str, str], WarmupDay]:
        """Return where each source is at each provider; see `budgeting.BudgetStore.warmup_days`."""
        with self._db.transaction("begin_reading"):
            return read_budgets(self._db)


def read_budgets(database: Statements) -> dict[tuple[str, str], WarmupDay]:
    """Within a transaction: return where each source is at each provider."""
    found = {}
    for key, value in database.execute("budgets").fetchall():
        source, provider = json.loads(key)
        found[source, provider] = WarmupDay(*json.loads(value))
    return found
