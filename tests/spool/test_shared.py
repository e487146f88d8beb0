from __future__ import annotations

import inspect

import pytest

from bulkmail.spool.shared import SharedStore

PostgresStore = pytest.importorskip("bulkmail.spool.postgres.store").PostgresStore


def test_the_shared_store_has_every_method_of_its_contract_with_its_parameters():
    names = {name for name in vars(SharedStore) if not name.startswith("_")}
    assert {"take_leases", "recover_others", "rest"} <= names
    for name in names - {"epoch", "shown", "unsure"}:
        assert inspect.signature(getattr(PostgresStore, name)) == inspect.signature(getattr(SharedStore, name)), name
