from __future__ import annotations

import os
import sqlite3

import pytest

from bulkmail.mail import Refused
from bulkmail.spool import Reader, SiteFact, SqliteStore, recipient_id
from bulkmail.spool.queries import MIGRATIONS


@pytest.fixture
def spool(tmp_path, kit):
    """A store with two campaigns, partly sent; and a reader beside it."""
    store = SqliteStore(str(tmp_path / "spool.sqlite3"))
    rows = [kit.row(1), kit.row(2, verdict="invalid", note="no @"), kit.row(3), kit.row(4, "b.example"), kit.row(5)]
    identity = kit.campaign(store, rows=rows)
    kit.campaign(store, "other", rows=[kit.row(1)])
    [queue, *_] = [queue for queue, _, _ in store.backlog(0, 10)]
    got = store.claim([(queue, 10)], 5.0)[queue]
    store.settle([kit.outcome(got[0], provider="google"), kit.outcome(got[1], "deferred", next_at=99.0)])
    reader = Reader(str(tmp_path))
    yield store, reader, identity
    reader.close()
    store.close()


def test_every_input_row_is_there_in_input_order(spool):
    _, reader, identity = spool
    rows = [row._asdict() for row in reader.recipients(identity, 0, 100)]
    assert [(row["n"], row["status"], row["attempts"]) for row in rows] == [
        (1, "delivered", 1),
        (2, "invalid", 0),
        (3, "deferred", 1),
        (4, "pending", 0),
        (5, "pending", 0),
    ]
    assert rows[0] == {
        "n": 1,
        "file_no": 0,
        "row_in_file": 1,
        "email": "user1@example.com",
        "status": "delivered",
        "category": "",
        "smtp_code": 250,
        "enhanced": "2.0.0",
        "reply": "2.0.0 Ok",
        "stage": "dot",
        "mx_host": "mx.example.com",
        "mx_ip": "192.0.2.1",
        "source_ip": "",
        "tls": "",
        "attempts": 1,
        "first_attempt_at": 2000.0,
        "completed_at": 2000.0,
        "bytes": 1000,
        "note": "",
        "fields": '["user1@example.com", "N1"]',
    }
    assert (rows[1]["category"], rows[1]["note"], rows[1]["completed_at"]) == ("invalid-address", "no @", 1000.0)
    assert (rows[3]["smtp_code"], rows[3]["reply"], rows[3]["first_attempt_at"]) == (None, "", None)


def test_rows_come_in_ranges(spool):
    _, reader, identity = spool
    assert [row[0] for row in reader.recipients(identity, 0, 2)] == [1, 2]
    assert [row[0] for row in reader.recipients(identity, 2, 2)] == [3, 4]
    assert reader.recipients(identity, 5, 2) == []


def test_attempts_continue_where_the_last_reading_ended(spool, kit):
    store, reader, identity = spool
    first = [row._asdict() for row in reader.attempts(identity, 0, 100)]
    assert [(row["n"], row["email"], row["attempt"], row["result"]) for row in first] == [
        (1, "user1@example.com", 1, "delivered"),
        (3, "user3@example.com", 1, "deferred"),
    ]
    assert [row["next_attempt_at"] for row in first] == [None, 99.0]
    assert [row["id"] for row in first] == [recipient_id(identity, 1), recipient_id(identity, 2)]
    assert reader.attempts(identity, first[-1]["id"], 100) == []
    queue = store.due_queues(100.0, 1)[0][0]
    store.settle([kit.outcome(row) for row in store.claim([(queue, 1)], 100.0)[queue]])
    assert [row[6] for row in reader.attempts(identity, first[-1]["id"], 100)] == [2]
    assert reader.attempts(identity + 1, 0, 100) == []


def test_campaigns_files_totals_and_domains(spool):
    _, reader, identity = spool
    assert [row.name for row in reader.campaigns()] == ["spring", "other"]
    assert reader.campaign("spring").input_rows == 5
    assert reader.campaign("none") is None
    assert reader.input_files(identity) == [(0, "recipients.csv", ["email", "first_name"])]
    assert sum(reader.totals(identity).values()) == 5
    assert reader.domains(identity, 1) == [("example.com", 1, 0, 1)]


def test_what_is_remembered_of_sites_and_not_what_has_expired(spool):
    store, reader, _ = spool
    facts = [SiteFact("a~1", "tls", 0.0, 10.0, 99.0), SiteFact("b~1", "messages", 20.0, 20.0, 100.0)]
    store.remember(facts)
    assert reader.site_facts(50.0) == [facts[1], facts[0]]
    assert reader.site_facts(99.0) == [facts[1]]


def test_a_spool_of_the_first_version_is_read_and_knows_no_sites(tmp_path):
    connection = sqlite3.connect(tmp_path / "spool.sqlite3", isolation_level=None)
    connection.executescript(MIGRATIONS[0][1])
    connection.close()
    reader = Reader(str(tmp_path))
    assert (reader.campaigns(), reader.site_facts(0.0)) == ([], [])
    reader.close()


def test_it_cannot_write(spool):
    _, reader, _ = spool
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader._connection.execute("DELETE FROM recipient")


def test_it_reads_while_nobody_writes_and_leaves_nothing_behind_that_hurts(tmp_path, kit):
    path = str(tmp_path / "spool.sqlite3")
    store = SqliteStore(path)
    identity = kit.campaign(store, rows=[kit.row(1)])
    store.close()
    assert os.listdir(tmp_path) == ["spool.sqlite3"]
    reader = Reader(path)
    assert len(reader.recipients(identity, 0, 9)) == 1
    store = SqliteStore(path)
    store.add_rows(identity, [kit.row(2)], None, done=True)
    assert len(reader.recipients(identity, 0, 9)) == 2
    store.close()
    reader.close()


def test_it_reads_what_a_killed_writer_left_in_the_log(tmp_path, kit):
    live = tmp_path / "live"
    live.mkdir()
    store = SqliteStore(str(live / "spool.sqlite3"))
    identity = kit.campaign(store, rows=[kit.row(1)])
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in ("spool.sqlite3", "spool.sqlite3-wal"):
        (copy / name).write_bytes((live / name).read_bytes())
    store.close()
    reader = Reader(str(copy))
    assert len(reader.recipients(identity, 0, 9)) == 1
    reader.close()


def test_a_path_with_odd_characters_is_taken_as_it_is(tmp_path, kit):
    odd = tmp_path / "50% off? #1 ä"
    odd.mkdir()
    store = SqliteStore(str(odd / "spool.sqlite3"))
    kit.campaign(store)
    reader = Reader(str(odd))
    assert len(reader.campaigns()) == 1
    reader.close()
    store.close()


def test_what_is_no_spool_is_refused(tmp_path):
    with pytest.raises(Refused, match="nothing was ever sent"):
        Reader(str(tmp_path))
    assert os.listdir(tmp_path) == []
    (tmp_path / "spool.sqlite3").write_bytes(b"not a database" * 100)
    with pytest.raises(Refused, match="cannot be read"):
        Reader(str(tmp_path))
