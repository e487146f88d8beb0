from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulkmail.shaping import DEFAULT_PLAN, WarmupDay, WarmupPlan, block_of

PLAN = WarmupPlan(100, (10, 20, 40))


def test_the_default_rises_from_200_to_ten_million():
    assert DEFAULT_PLAN[0] == 200
    assert DEFAULT_PLAN[-1] == 10_000_000
    assert list(DEFAULT_PLAN) == sorted(set(DEFAULT_PLAN))


@pytest.mark.parametrize(("delivered", "step"), [(0, 0), (9, 0), (10, 1)])
def test_a_step_is_through_when_more_than_nine_tenths_were_delivered(delivered, step):
    day = WarmupDay(100, 0, 10, delivered).on(101, PLAN)
    assert day == WarmupDay(101, step)
    assert day.left(PLAN) == PLAN.budgets[step]


def test_days_without_a_message_change_nothing():
    assert WarmupDay(100, 1, 20, 20).on(150, PLAN) == WarmupDay(150, 2)
    assert WarmupDay(150, 2).on(190, PLAN) == WarmupDay(190, 2)


def test_behind_the_last_step_it_is_warm():
    day = WarmupDay(100, 2, 40, 40).on(101, PLAN)
    assert day.left(PLAN) is None
    assert day.on(102, PLAN).left(PLAN) is None


def test_before_its_start_nothing_is_sent():
    assert WarmupDay(99).left(PLAN) == 0
    assert WarmupDay(99).on(100, PLAN).left(PLAN) == 10


def test_a_clock_that_is_set_back_begins_no_day_anew():
    day = WarmupDay(100, 1, 15, 3)
    assert day.on(99, PLAN) == day.on(100, PLAN) == day
    assert day.left(PLAN) == 5


@pytest.mark.parametrize(("budget", "block"), [(1, 1), (200, 10), (10_000_000, 500)])
def test_a_kill_costs_little_of_a_days_budget(budget, block):
    assert block_of(budget) == block


@given(
    budgets=st.lists(st.integers(1, 50), min_size=1, max_size=5).map(tuple),
    days=st.lists(st.tuples(st.integers(1, 3), st.integers(0, 60), st.floats(0, 1)), max_size=20),
)
@settings(max_examples=100)
def test_no_day_has_more_than_its_budget_and_the_step_rises_by_one_at_most(budgets, days):
    plan = WarmupPlan(0, budgets)
    day = WarmupDay(0)
    for later, wanted, share in days:
        before = day
        day = day.on(before.day + later, plan)
        through = before.step < len(budgets) and before.delivered * 10 > 9 * budgets[before.step]
        assert day.step == before.step + through
        left = day.left(plan)
        if left is None:
            assert day.step == len(budgets)
            continue
        taken = min(wanted, left)
        assert taken <= budgets[day.step]
        day = day._replace(taken=taken, delivered=int(taken * share))
