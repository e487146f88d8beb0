"""Budgets of sources that warm up: on every store the same, whichever day the database's clock has."""

from __future__ import annotations

import pytest

from bulkmail.shaping import DAY, WarmupDay, WarmupPlan
from bulkmail.spool import BudgetUse, SqliteStore
from bulkmail.spool.postgres import database


@pytest.fixture
def today():
    return 20_000


@pytest.fixture
def store(store, monkeypatch):
    """The store, whose day is that of ``BudgetUse.now``: PostgreSQL has it by a clock that is not the test's."""
    if not isinstance(store, SqliteStore):
        day = b"SELECT floor(%s::float8 / 86400)::bigint"
        monkeypatch.setitem(database._TEXTS, "database_day", day)
    return store


@pytest.fixture
def use(store, today):
    def use(wanted=0, *, source="a", provider="google", first=None, **more):
        plan = WarmupPlan(today if first is None else first, (10, 20))
        return store.use_budget(BudgetUse(source, provider, plan, today * DAY + 5.0, wanted, **more))

    return use


def test_a_day_has_its_budget_and_no_more(use, today):
    assert use(4) == (WarmupDay(today, 0, 4), 4)
    assert use(4) == (WarmupDay(today, 0, 8), 4)
    assert use(4) == (WarmupDay(today, 0, 10), 2)
    assert use(4) == (WarmupDay(today, 0, 10), 0)
    assert use(4, provider="yahoo")[1] == use(4, source="b")[1] == 4


def test_what_was_not_sent_is_given_back(use, today):
    use(10)
    assert use(5, back=3, delivered=7, day=today) == (WarmupDay(today, 0, 10, 7), 3)
    assert use(5, back=3, delivered=7, day=today - 1) == (WarmupDay(today, 0, 10, 7), 0)


def test_before_its_first_day_it_has_none(use, today):
    assert use(5, first=today + 1)[1] == 0


def test_the_next_day_has_the_next_step_where_the_last_one_was_delivered(store, use, today):
    plan = WarmupPlan(today, (10, 20))

    def on(at, wanted, **more):
        return store.use_budget(BudgetUse("a", "google", plan, at * DAY, wanted, **more))

    on(today, 10)
    on(today, 0, delivered=9, day=today)
    assert on(today + 1, 50) == (WarmupDay(today + 1, 0, 10), 10)
    on(today + 1, 0, delivered=10, day=today + 1)
    assert on(today + 3, 50) == (WarmupDay(today + 3, 1, 20), 20)
    on(today + 3, 0, delivered=20, day=today + 3)
    assert on(today + 4, 50) == (WarmupDay(today + 4, 2, 50), 50), "it is warm"
    assert on(today + 3, 7)[1] == 7


def test_where_each_source_is_can_be_asked(store, use, today):
    use(3)
    use(1, source="b", provider="")
    found = store.warmup_days()
    assert found["a", "google"] == WarmupDay(today, 0, 3)
    assert found["b", ""] == WarmupDay(today, 0, 1)


def test_postgresql_has_the_day_of_its_own_clock(kit, pg_server):
    """Whatever the clock of the machine that asks says. It may be midnight between two of the questions."""
    store = kit.open_postgres(pg_server.fresh())
    try:
        days = [store.use_budget(BudgetUse("clock", "", WarmupPlan(0), now))[0].day for now in (0.0, 20_000.0 * DAY)]
        ((before,),) = pg_server.run("SELECT floor(extract(epoch FROM now()) / 86400)::bigint")
    finally:
        store.close()
    assert before - 1 <= days[0] <= days[1] <= before
