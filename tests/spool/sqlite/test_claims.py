"""What is particular to claims in a file; the contract itself is in test_contract.py."""

from __future__ import annotations

import pytest

from bulkmail.mail import OwnFault
from bulkmail.spool import Journalled, Recovered, SqliteStore, recipient_id
from tests.retrying import RetryPlan


def test_rows_that_are_far_apart_come_in_input_order(tmp_path, kit):
    store = SqliteStore(str(tmp_path / "spool.sqlite3"))
    store.recover(Journalled(found=True), "boot", RetryPlan(), 1000.0)
    before = kit.campaign(store, "before", rows=[kit.row(1)])
    identity = kit.campaign(store, rows=[kit.row(n) for n in (1, 2, 3)])
    [(_, _, _), (queue, _, _)] = store.backlog(0, 10)
    far = [262_143, 262_144, 262_145, 1_000_000, 9_999_999]
    for n in far:  # as if the rows of other domains lay between them
        values = (recipient_id(identity, n), queue, 0, n, f"u{n}@example.com", "[]")
        store.database.connection.execute("INSERT INTO recipient VALUES (?, ?, ?, ?, ?, ?)", values)
    got = [[claimed.number for claimed in store.claim([(queue, 3)], 5.0)[queue]] for _ in range(4)]
    assert got == [[1, 2, 3], [262_143, 262_144, 262_145], [1_000_000, 9_999_999], []]
    assert [campaign for _, campaign, _ in store.backlog(0, 10)] == [before]
    store.close()
    store = SqliteStore(str(tmp_path / "spool.sqlite3"))
    assert store.recover(Journalled(found=True), "boot", RetryPlan(), 1000.0) == Recovered(0, 0, 8)
    store.close()


def test_claims_of_an_earlier_run_must_be_recovered_first(tmp_path, kit):
    path = str(tmp_path / "spool.sqlite3")
    store = SqliteStore(path)
    store.recover(kit.nothing_journalled, "boot", RetryPlan(), 1.0)
    kit.campaign(store, rows=[kit.row(1), kit.row(2)])
    [(queue, _, _)] = store.backlog(0, 10)
    store.claim([(queue, 1)], 5.0)
    store.close()
    store = SqliteStore(path)
    with pytest.raises(OwnFault, match="recover it first"):
        store.claim([(queue, 1)], 5.0)
    store.recover(kit.nothing_journalled, "boot", RetryPlan(), 6.0)
    assert len(store.claim([(queue, 5)], 5.0)[queue]) == 2
    store.close()
