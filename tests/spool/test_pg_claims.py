"""Several machines claiming at once; what a claim is stands in test_claims.py."""

from __future__ import annotations

import threading

import pytest


@pytest.fixture
def store(pg_dsn, kit):
    made = kit.open_postgres(pg_dsn)
    yield made
    made.close()


def test_machines_that_claim_at_once_never_get_one_row(store, pg_dsn, kit):
    kit.campaign(store, rows=[kit.row(n, f"d{n % 5}.example") for n in range(1, 1001)])
    queues = [queue for queue, _, _ in store.backlog(0, 10)]
    stores = [store, *(kit.open_postgres(pg_dsn, f"machine-{n}") for n in (2, 3))]
    got, failed = [[], [], []], []

    def work(one, rows):
        try:
            again = []
            for turn in range(200):
                claimed = [row for found in one.claim([(queue, 7) for queue in queues], 100.0 + turn).values()
                           for row in found]  # fmt: skip
                if not claimed and not again:
                    return
                rows += claimed
                back, again = claimed[::3] if turn < 3 else [], []
                one.settle([kit.outcome(row) for row in claimed if row not in back], [(row.id, 50.0) for row in back])
                for row in back:
                    rows.remove(row)
        except Exception as error:  # noqa: BLE001
            failed.append(error)

    threads = [threading.Thread(target=work, args=pair) for pair in zip(stores, got, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    everything = [row.number for rows in got for row in rows]
    assert sorted(everything) == list(range(1, 1001)), "lost, or claimed twice"
    assert sum(1 for rows in got if rows) > 1
    kit.check_laws(store)
    for one in stores[1:]:
        one.close()


def test_rows_that_come_while_a_queue_runs_dry_are_found(store, pg_dsn, kit):
    """The importer commits between a claim's look for rows and its verdict that there are none."""
    identity = kit.campaign(store, rows=[kit.row(1)])
    other = kit.open_postgres(pg_dsn, "machine-2")
    [(queue, _, _)] = store.backlog(0, 10)
    database = other.database
    with database.transaction():  # a batch of rows is being stored ...
        database.execute("no_claims_meanwhile", (identity,))
        assert [row.number for row in store.claim([(queue, 5)], 5.0)[queue]] == [1]
    # ... so the claim, which saw none of them, does not call the queue dry
    assert [found for found, _, _ in store.backlog(0, 10)] == [queue]
    assert store.claim([(queue, 5)], 6.0) == {queue: []}
    assert store.backlog(0, 10) == []
    other.add_rows(identity, [kit.row(2)], None, done=True)
    assert [row.number for row in store.claim([(queue, 5)], 7.0)[queue]] == [2]
    other.close()


def test_a_campaign_that_another_machine_stopped_gives_nothing_more(store, pg_dsn, kit):
    identity = kit.campaign(store, rows=[kit.row(n) for n in range(1, 5)])
    [(queue, _, _)] = store.backlog(0, 10)
    other = kit.open_postgres(pg_dsn, "machine-2")
    assert len(store.claim([(queue, 2)], 5.0)[queue]) == 2
    other.set_state(identity, "stopped", 6.0)
    assert store.backlog(0, 10) == []
    assert store.claim([(queue, 2)], 7.0) == {queue: []}
    other.close()
