from __future__ import annotations

from bulkmail.shaping import WarmupPlan
from bulkmail.spool import BudgetUse


def test_a_use_can_only_ask_where_a_source_is():
    use = BudgetUse("a", "google", WarmupPlan(0), 5.0)
    assert (use.wanted, use.back, use.delivered) == (0, 0, 0)
