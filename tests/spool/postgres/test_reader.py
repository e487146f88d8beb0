"""Reading a spool in PostgreSQL gives what reading a file gives."""

from __future__ import annotations

import pytest

from bulkmail.mail import OwnFault, Refused
from bulkmail.spool import SqliteStore, open_reader


def history(store, kit):
    rows = [kit.row(1), kit.row(2, verdict="invalid", note="no @"), kit.row(3), kit.row(4, "b.example"), kit.row(5)]
    identity = kit.campaign(store, rows=rows)
    kit.campaign(store, "other", rows=[kit.row(1)])
    [queue, *_] = [queue for queue, _, _ in store.backlog(0, 10)]
    got = store.claim([(queue, 10)], 5.0)[queue]
    store.settle([kit.outcome(got[0], provider="google"), kit.outcome(got[1], "deferred", next_at=99.0)])
    store.save_report_position(identity, [3, 4])
    return identity


def test_both_readers_tell_the_same(tmp_path, pg_dsn, kit):
    told = []
    for place, store in (
        (str(tmp_path), SqliteStore(str(tmp_path / "spool.sqlite3"))),
        (pg_dsn, kit.open_postgres(pg_dsn)),
    ):
        identity = history(store, kit)
        reader = open_reader(place)
        rows = reader.recipients(identity, 0, 100)
        attempts = reader.attempts(identity, 0, 100)
        assert (rows[0].n, rows[0].fields) == (1, '["user1@example.com", "N1"]')
        assert (attempts[0].at, attempts[0].result) == (2000.0, "delivered")
        told.append(
            [rows, reader.recipients(identity, 2, 2), attempts, reader.attempts(identity, attempts[0][0], 9),
             reader.campaigns(), reader.campaign("spring"), reader.campaign("none"), reader.input_files(identity),
             reader.totals(identity), reader.domains(identity, 1)]
        )  # fmt: skip
        reader.close()
        store.close()
    assert told[0] == told[1]


def test_no_spool_is_refused_and_nothing_is_made(pg_dsn):
    with pytest.raises(Refused, match="nothing was ever sent"):
        open_reader(pg_dsn)
    with pytest.raises(Refused, match="nothing was ever sent"):
        open_reader(pg_dsn)
    with pytest.raises(Refused, match="cannot be read"):
        open_reader("postgresql://bulkmail@/x?host=/nowhere")


def test_a_server_that_stops_is_a_fault_and_comes_back(own_pg_server, kit):
    dsn = own_pg_server.fresh()
    store = kit.open_postgres(dsn)
    history(store, kit)
    store.close()
    reader = open_reader(dsn)
    own_pg_server.stop()
    for _ in range(2):
        with pytest.raises(OwnFault, match="cannot be used"):
            reader.campaigns()
    own_pg_server.start()
    assert len(reader.campaigns()) == 2
    reader.close()
