"""Several machines settling at once; what a settlement is stands in test_settling.py."""

from __future__ import annotations

import threading

from bulkmail.spool.pg_reader import PgReader


def test_a_report_that_follows_the_attempts_misses_none(pg_dsn, kit):
    """Two machines number their attempts in the order in which a reader can see them."""
    stores = [kit.open_postgres(pg_dsn, f"machine-{n}") for n in (1, 2)]
    identity = kit.campaign(stores[0], rows=[kit.row(n, f"d{n % 2}.example") for n in range(1, 401)])
    queues = [queue for queue, _, _ in stores[0].backlog(0, 10)]
    seen, failed, over = [], [], threading.Event()

    def send(store, queue):
        try:
            while rows := store.claim([(queue, 9)], 5.0)[queue]:
                store.settle([kit.outcome(row) for row in rows])
        except Exception as error:  # noqa: BLE001
            failed.append(error)

    def read():
        reader = PgReader(pg_dsn)
        last = False
        while not last:
            last = over.is_set()
            while rows := reader.attempts(identity, seen[-1] if seen else 0, 50):
                seen.extend(row[0] for row in rows)
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
    assert len(seen) == 400
    assert sorted(seen) == [row[0] for row in kit.asked(stores[0], "SELECT id FROM attempt ORDER BY id")]
    assert stores[1].totals(identity) == {("", "delivered", ""): 400}
    kit.check_laws(stores[0])
    for store in stores:
        store.close()


def test_nobody_else_can_settle_or_give_back_what_a_machine_has_claimed(pg_dsn, kit):
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
