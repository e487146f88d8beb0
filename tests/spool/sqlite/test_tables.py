"""What is particular to writing to a file; the contract itself is in test_contract.py."""

from __future__ import annotations

import pytest

from bulkmail.spool import SqliteStore, recipient_id
from bulkmail.spool.booking import DueLine
from bulkmail.spool.sqlite.tables import SqliteTables, new_rows


@pytest.fixture
def tables(sqlite):
    return SqliteTables(sqlite.database, sqlite.booking)


def test_a_queue_is_made_once_and_has_new_rows_when_some_come(sqlite, tables, kit):
    identity = kit.campaign(sqlite)
    made = tables.queues(identity, {"a.example": 1, "b.example": 0}, 17)
    assert kit.asked(sqlite, "SELECT domain, cursor, has_new FROM queue ORDER BY id") == [
        ("a.example", 17, 1), ("b.example", 17, 0),
    ]  # fmt: skip
    assert tables.queues(identity, {"a.example": 0, "b.example": 1}, 99) == made
    assert kit.asked(sqlite, "SELECT domain, cursor, has_new FROM queue ORDER BY id") == [
        ("a.example", 17, 1), ("b.example", 17, 1),
    ]  # fmt: skip


def test_attempts_are_numbered_behind_what_is_stored_when_the_process_has_given_no_number_yet(tmp_path, kit):
    path = str(tmp_path / "spool.sqlite3")
    store = SqliteStore(path)
    identity = kit.campaign(store, rows=[kit.row(1), kit.row(2)])
    [(queue, _, _)] = store.backlog(0, 10)
    rows = store.claim([(queue, 2)], 5.0)[queue]
    store.settle([kit.outcome(row) for row in rows])
    assert store.booking.last_attempt == {identity: recipient_id(identity, 2)}
    store.close()
    store = SqliteStore(path)
    tables = SqliteTables(store.database, store.booking)
    assert store.booking.last_attempt == {}
    assert tables.last_numbers({identity: 1, identity + 1: 4}) == {
        identity: recipient_id(identity, 2),
        identity + 1: recipient_id(identity + 1, 0),
    }
    store.close()


def test_new_rows_are_taken_from_one_queue_after_the_other(sqlite, tables, kit):
    identity = kit.campaign(sqlite, rows=[kit.row(n, "ab"[n % 2] + ".example") for n in range(1, 6)])
    taken = tables.take_new(identity, 4)
    assert sorted(taken) == [recipient_id(identity, n) for n in (1, 2, 3, 5)]
    assert [state.queue_id for state in taken.values()] == [1, 1, 1, 2]
    assert kit.asked(sqlite, "SELECT id, has_new FROM queue ORDER BY id") == [(1, 0), (2, 1)]
    assert [row[0] for row in new_rows(sqlite.database, identity, 2, recipient_id(identity, 2), 9)] == [
        recipient_id(identity, 4)
    ]
    assert tables.take_new(identity, 4).keys() == {recipient_id(identity, 4)}


def test_a_queue_is_due_when_the_first_of_its_rows_is(sqlite, tables, kit):
    identity = kit.campaign(sqlite, rows=[kit.row(1), kit.row(2)])
    tables.set_due([DueLine(recipient_id(identity, n), 1, 90.0 * n, None) for n in (2, 1)])
    assert sqlite.next_due() == 90.0
    sqlite.database.execute("drop_due", (recipient_id(identity, 1),))
    tables.set_next_at([1])
    assert sqlite.next_due() == 180.0
