from __future__ import annotations

from bulkmail.spool.holding import HoldStore


def test_each_store_answers_all_that_is_asked_of_holds(store):
    asked = [name for name in vars(HoldStore) if not name.startswith("_")]
    assert len(asked) > 5
    assert all(callable(getattr(store, name)) for name in asked)
