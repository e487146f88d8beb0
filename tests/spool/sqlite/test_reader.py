from __future__ import annotations

import os
import sqlite3

import pytest

from bulkmail.mail import Refused
from bulkmail.spool import LateCounts, Reader, SqliteStore
from bulkmail.spool.sqlite.database import MIGRATIONS

A_ROW = """
INSERT INTO campaign (name, folder, state, key, digests, on_unknown, created_at)
    VALUES ('spring', '/c', 'ready', x'00', '{}', 'retry', 1.0);
INSERT INTO queue (campaign_id, domain, has_new) VALUES (1, 'a.example', 1);
INSERT INTO recipient VALUES (1 << 40 | 1, 1, 0, 1, 'u1@a.example', '["u1@a.example"]');
INSERT INTO attempt VALUES (1 << 40 | 1, 1 << 40 | 1, 61.5, 1, 'deferred', '', 450, '', '', '', '', '', '', '', 5,
    90.0);
"""


def test_a_spool_of_the_first_version_is_read_and_knows_neither_sites_nor_holds(tmp_path):
    connection = sqlite3.connect(tmp_path / "spool.sqlite3", isolation_level=None)
    connection.executescript(MIGRATIONS[0][1])
    connection.close()
    reader = Reader(str(tmp_path))
    assert (reader.campaigns(), reader.site_facts(0.0)) == ([], [])
    assert (reader.holds(), reader.cancel_requests()) == ([], [])
    assert reader.late_counts(1) == LateCounts()
    reader.close()


def test_rows_of_a_spool_that_knows_nothing_of_what_comes_back(tmp_path):
    connection = sqlite3.connect(tmp_path / "spool.sqlite3", isolation_level=None)
    for number, script in MIGRATIONS:
        if number < 8:
            connection.executescript(script)
    connection.executescript(A_ROW)
    connection.close()
    reader = Reader(str(tmp_path))
    ((_, row, due),) = reader.find("u1@a.example")
    assert (row.email, row.status, row.late_at, due) == ("u1@a.example", "pending", None, None)
    assert reader.recipients(1, 0, 9) == [row]
    assert [one[1:] for one in reader.attempt_sums(1, 0, 60)] == [(1, "other", "deferred", 0, 1)]
    assert reader.late_counts(1) == LateCounts()
    reader.close()


def test_rows_and_events_of_a_spool_that_knows_nothing_of_what_tls_was_asked_for(tmp_path):
    connection = sqlite3.connect(tmp_path / "spool.sqlite3", isolation_level=None)
    for number, script in MIGRATIONS:
        if number < 11:
            connection.executescript(script)
    connection.executescript(A_ROW)
    connection.execute("INSERT INTO late VALUES (1 << 40 | 1, 5.0, NULL, NULL, 0, '')")
    connection.execute("INSERT INTO event VALUES (1, 2.0, 'delivered', 1 << 40 | 1, NULL, '', '', '', '')")
    connection.close()
    reader = Reader(str(tmp_path))
    ((_, row, due),) = reader.find("u1@a.example")
    assert (row.email, row.late_at, row.tls_policy, due) == ("u1@a.example", 5.0, "", None)
    assert reader.recipients(1, 0, 9) == [row]
    (event,) = reader.events(0, 9)
    assert (event.event, event.email, event.tls_policy) == ("delivered", "u1@a.example", None)
    reader.close()
    store = SqliteStore(str(tmp_path / "spool.sqlite3"))
    store.close()
    reader = Reader(str(tmp_path))
    assert reader.recipients(1, 0, 9) == [row]
    reader.close()


def test_it_cannot_write(tmp_path):
    SqliteStore(str(tmp_path / "spool.sqlite3")).close()
    reader = Reader(str(tmp_path))
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader._connection.execute("DELETE FROM recipient")
    reader.close()


def test_it_reads_while_nobody_writes_and_leaves_nothing_behind_that_hurts(tmp_path, kit):
    path = str(tmp_path / "spool.sqlite3")
    store = SqliteStore(path)
    identity = kit.campaign(store, rows=[kit.row(1)])
    store.close()
    assert os.listdir(tmp_path) == ["spool.sqlite3"]
    reader = Reader(path)
    assert [row.n for row in reader.recipients(identity, 0, 9)] == [1]
    store = SqliteStore(path)
    store.add_rows(identity, [kit.row(2)], None, done=True)
    assert [row.n for row in reader.recipients(identity, 0, 9)] == [1, 2]
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
    assert [row.n for row in reader.recipients(identity, 0, 9)] == [1]
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
