"""What is particular to writing to PostgreSQL, by several machines at once; the contract is in test_contract.py."""

from __future__ import annotations

import threading

import pytest

from bulkmail.mail import OwnFault
from bulkmail.spool import recipient_id
from bulkmail.spool.postgres.reader import PostgresReader


@pytest.fixture
def store(pg_dsn, kit):
    made = kit.open_postgres(pg_dsn)
    yield made
    made.close()


def test_a_nul_is_stored_as_its_symbol(store, kit):
    rows = [kit.row(1, verdict="invalid", email="a\0b", note="has a \0")]
    identity = kit.campaign(store, rows=rows)
    email = kit.asked(store, "SELECT r.email, o.note FROM recipient r JOIN outcome o ON o.recipient_id = r.id")
    assert email == [("a␀b", "has a ␀")]
    queue = store.add_rows(identity, [kit.row(2)], None, done=True) or store.backlog(0, 1)[0][0]
    [row] = store.claim([(queue, 1)], 5.0)[queue]
    settlement = kit.outcome(row)
    store.settle([settlement._replace(attempt=settlement.attempt._replace(reply="ok\0"))])
    assert kit.asked(store, "SELECT reply FROM attempt") == [("ok␀",)]


def test_what_cells_hold_comes_back_as_it_was(store, kit):
    odd = ["tab\there", "back\\slash", "new\nline", "\\N", "é漢字😀", '"', "'"]
    rows = [(n, 0, n, f"u{n}@a.example", "a.example", cell, "ok", "") for n, cell in enumerate(odd, 1)]
    kit.campaign(store, rows=rows)
    [(queue, _, _)] = store.backlog(0, 10)
    assert [row.fields for row in store.claim([(queue, 99)], 5.0)[queue]] == odd


def test_everybody_hears_of_rows_and_states_and_of_nothing_that_was_rolled_back(store, pg_dsn, kit):
    import psycopg

    with psycopg.connect(pg_dsn, autocommit=True) as ear:
        [[channel]] = ear.execute("SELECT 'bulkmail_' || current_schema()").fetchall()
        ear.execute(f'LISTEN "{channel}"')
        identity = kit.campaign(store, rows=[kit.row(1)])
        with pytest.raises(ValueError, match="maybe"):
            store.add_rows(identity, [kit.row(2, verdict="maybe")], None, done=False)
        ear.execute("SELECT pg_notify(%s, 'all')", (channel,))  # what was told before it is heard before it
        heard = []
        while "all" not in heard:
            heard += [notify.payload for notify in ear.notifies(timeout=60, stop_after=1)]
    assert heard == ["rows", "states", "all"]


def test_two_machines_cannot_store_the_same_rows(store, pg_dsn, kit):
    identity = kit.campaign(store)
    other = kit.open_postgres(pg_dsn, "machine-2")
    stores, failed = [store, other], []

    def add(one):
        try:
            for first in range(1, 200, 20):
                one.add_rows(identity, [kit.row(n) for n in range(first, first + 20)], first, done=False)
        except Exception as error:  # noqa: BLE001
            failed.append(error)

    threads = [threading.Thread(target=add, args=(one,)) for one in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert store.campaign("spring").input_rows == 200
    assert kit.asked(store, "SELECT count(*), max(id) FROM recipient") == [(200, recipient_id(identity, 200))]
    kit.check_laws(store)
    other.close()


def test_an_incarnation_that_is_over_stores_no_rows(store, kit):
    identity = kit.campaign(store)
    store.database.execute("end_incarnation", (store.epoch,))
    with pytest.raises(OwnFault, match="others have taken over"):
        store.add_rows(identity, [kit.row(1)], None, done=False)


def test_a_report_that_follows_the_attempts_misses_none(pg_dsn, kit):
    """Two machines number their attempts in the order in which a reader can see them."""
    stores = [kit.open_postgres(pg_dsn, f"machine-{n}") for n in (1, 2)]
    identity = kit.campaign(stores[0], rows=[kit.row(n, f"d{n % 2}.example") for n in range(1, 401)])
    queues = [queue for queue, _, _ in stores[0].backlog(0, 10)]
    seen, summed, failed, over = [], [], [], threading.Event()

    def send(store, queue):
        try:
            while rows := store.claim([(queue, 9)], 5.0)[queue]:
                store.settle([kit.outcome(row) for row in rows])
        except Exception as error:  # noqa: BLE001
            failed.append(error)

    def read():
        reader = PostgresReader(pg_dsn)
        last = False
        while not last:
            last = over.is_set()
            while rows := reader.attempts(identity, seen[-1] if seen else 0, 50):
                seen.extend(row[0] for row in rows)
            while sums := reader.attempt_sums(identity, max((one.last for one in summed), default=0), 60, 50):
                summed.extend(sums)
        reader.close()

    threads = [threading.Thread(target=send, args=pair) for pair in zip(stores, queues, strict=True)]
    reading = threading.Thread(target=read)
    reading.start()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    over.set()
    reading.join()
    assert failed == []
    assert len(seen) == sum(one.attempts for one in summed) == 400
    assert sorted(seen) == [row[0] for row in kit.asked(stores[0], "SELECT id FROM attempt ORDER BY id")]
    assert stores[1].totals(identity) == {("", "delivered", ""): 400}
    kit.check_laws(stores[0])
    for store in stores:
        store.close()


def test_no_other_machine_can_settle_or_give_back_what_a_machine_has_claimed(pg_dsn, kit):
    one, two = (kit.open_postgres(pg_dsn, f"machine-{n}") for n in (1, 2))
    kit.campaign(one, rows=[kit.row(1)])
    [(queue, _, _)] = one.backlog(0, 10)
    [row] = one.claim([(queue, 1)], 5.0)[queue]
    assert two.settle([kit.outcome(row)]) == 0
    assert two.release([row]) == 0
    assert one.settle([kit.outcome(row)]) == 1
    kit.check_laws(two)
    for store in (one, two):
        store.close()
