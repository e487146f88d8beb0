"""Reading a spool in PostgreSQL gives what reading a file gives."""

from __future__ import annotations

import pytest

from bulkmail.mail import OwnFault, Refused
from bulkmail.spool import SqliteStore, open_reader
from bulkmail.spool.postgres.database import MIGRATIONS, PostgresDatabase

A_ROW = """
INSERT INTO campaign (name, folder, state, key, digests, on_unknown, created_at)
    VALUES ('spring', '/c', 'ready', '', '{}', 'retry', 1.0);
INSERT INTO queue (campaign_id, domain, has_new) VALUES (1, 'a.example', 1);
INSERT INTO recipient VALUES (1::bigint << 40 | 1, 1, 0, 1, 'u1@a.example', '["u1@a.example"]');
INSERT INTO attempt VALUES (1::bigint << 40 | 1, 1::bigint << 40 | 1, 61.5, 1, 'deferred', '', 450, '', '', '', '', '',
    '', '', 5, 90.0);
"""


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


@pytest.mark.parametrize("version", [8, 9, 12, 13])
def test_rows_events_and_campaigns_of_an_older_spool(pg_dsn, version):
    database = PostgresDatabase(pg_dsn)
    with database.transaction():
        for number, script in MIGRATIONS[:version]:
            database.connection.execute(script.encode())
            database.execute("set_meta", ("version", str(number)))
        database.connection.execute(A_ROW)
        if version >= 12:
            database.connection.execute("INSERT INTO late VALUES (1::bigint << 40 | 1, 5.0, NULL, NULL, 0, '')")
            database.connection.execute(
                "INSERT INTO event (at, event, recipient_id, provider, category, site, note)"
                " VALUES (2.0, 'delivered', 1::bigint << 40 | 1, '', '', '', '')"
            )
    database.close()
    reader = open_reader(pg_dsn)
    ((_, row, due),) = reader.find("u1@a.example")
    assert (row.email, row.status, row.late_at) == ("u1@a.example", "pending", 5.0 if version >= 12 else None)
    assert (row.tls_policy, due) == ("", None)
    assert reader.recipients(1, 0, 9) == [row]
    assert [one[1:] for one in reader.attempt_sums(1, 0, 60)] == [(1, "other", "deferred", 0, 1)]
    (campaign,) = reader.campaigns()
    assert (campaign.list, campaign.kind) == ("spring" if version < 9 else "", "marketing")
    assert reader.campaign("spring") == campaign
    assert [(event.email, event.tls_policy) for event in reader.events(0, 9)] == (
        [("u1@a.example", None)] if version >= 12 else []
    )
    reader.close()


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
