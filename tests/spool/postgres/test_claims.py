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


def test_a_first_round_is_over_when_all_machines_have_tried_all_that_can_be_tried(store, pg_dsn, kit):
    identity = kit.campaign(store, rows=[kit.row(1, "a.example"), kit.row(2, "b.example"), kit.row(3, "b.example")])
    other = kit.open_postgres(pg_dsn, "machine-2")
    (a, _, _), (b, _, _) = store.backlog(0, 10)
    assert not store.first_round_over(identity, 50.0)
    first = store.claim([(a, 5)], 5.0)[a]
    assert not store.first_round_over(identity, 50.0), "two wait"
    second, third = other.claim([(b, 5)], 5.0)[b]
    assert not store.first_round_over(identity, 50.0), "all are in somebody's hands"
    store.settle([kit.outcome(row, "deferred", at=9.0) for row in first])
    other.settle([kit.outcome(second, "deferred", at=9.0)], [(third.id, 20.0)])
    assert store.first_round_over(identity, 19.0), "it waits for a site that cannot be used"
    assert not store.first_round_over(identity, 50.0), "it is to be tried"
    other.rest([b])
    assert store.first_round_over(identity, 50.0), "it waits again"
    [third] = other.claim([(b, 1)], 60.0)[b]
    assert not store.first_round_over(identity, 50.0), "it is being tried after all"
    other.settle([kit.outcome(third)])
    assert store.first_round_over(identity, 50.0), "whoever waits for a retry has had a first attempt"
    store.claim([(a, 5)], 1000.0)
    assert store.first_round_over(identity, 50.0), "even while it is tried again"
    other.close()


def test_who_is_started_again_tries_again_what_could_not_be_used(store, kit):
    identity = kit.campaign(store, rows=[kit.row(1)])
    [(queue, _, _)] = store.backlog(0, 10)
    store.rest([queue])
    assert store.first_round_over(identity, 50.0)
    store.set_state(identity, "stopped", 9.0, exit_status=3)
    assert store.first_round_over(identity, 50.0)
    store.set_state(identity, "running", 10.0)
    assert not store.first_round_over(identity, 50.0)
