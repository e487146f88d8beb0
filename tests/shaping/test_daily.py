from __future__ import annotations

from bulkmail.shaping import DAY, WarmupDay, WarmupPlan
from bulkmail.shaping.daily import DailyBudgets, days_of

TODAY = 20_788
GOOGLE, YAHOO = ("google", "new"), ("yahoo", "new")


def test_the_days_of_a_source_go_on_from_where_it_is():
    plan = WarmupPlan(TODAY - 3, (10, 20, 40))
    assert days_of([(plan, None)], TODAY) == [10, 20, 40]
    assert days_of([(plan, WarmupDay(TODAY, 1, 15))], TODAY) == [5, 40]
    assert days_of([(plan, WarmupDay(TODAY - 1, 1, 20, 19))], TODAY) == [40]
    assert days_of([(plan, WarmupDay(TODAY, 3))], TODAY) == [], "it is warm"
    assert days_of([], TODAY) == []


def test_a_source_that_begins_later_and_several_together():
    later = WarmupPlan(TODAY + 2, (10, 20))
    assert days_of([(later, None)], TODAY) == [0, 0, 10, 20]
    assert days_of([(later, None), (WarmupPlan(TODAY, (1, 2, 3, 4, 5)), None)], TODAY) == [1, 2, 13, 24]


def test_a_day_has_what_it_has_and_the_next_begins_at_midnight():
    budgets = DailyBudgets({GOOGLE: [10, 20]}, TODAY * DAY + 5.0)
    assert (budgets.left(GOOGLE), budgets.left(YAHOO)) == (10, float("inf"))
    assert budgets.until == (TODAY + 1) * DAY
    assert budgets.lasts([(GOOGLE, 1.0), (GOOGLE, 4.0), (YAHOO, 9.0)]) == 2.0
    budgets.take(GOOGLE, 10)
    budgets.take(YAHOO, 10)
    assert budgets.left(GOOGLE) == 0
    budgets.turn((TODAY + 1) * DAY)
    assert budgets.left(GOOGLE) == 20
    budgets.turn((TODAY + 2) * DAY)
    assert (budgets.left(GOOGLE), budgets.until) == (float("inf"), float("inf"))
