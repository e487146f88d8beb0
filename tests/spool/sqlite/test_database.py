from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys

import pytest

from bulkmail.mail import OwnFault, Refused
from bulkmail.spool import Journalled, Recovered, SqliteStore, recipient_id
from bulkmail.spool.sqlite import database as database_module
from bulkmail.spool.sqlite.database import MIGRATIONS, VERSION, open_database
from tests.retrying import RetryPlan


def test_a_new_file_is_private_and_whole(tmp_path):
    path = str(tmp_path / "spool.sqlite3")
    before = os.umask(0)
    try:
        database = open_database(path)
        with database.transaction():
            database.execute("set_meta", ("a", "1"))
        names = sorted(os.listdir(tmp_path))
        assert names == ["spool.sqlite3", "spool.sqlite3-shm", "spool.sqlite3-wal"]
        assert {stat.S_IMODE(os.stat(tmp_path / name).st_mode) for name in names} == {0o600}
        database.close()
    finally:
        os.umask(before)
    assert os.listdir(tmp_path) == ["spool.sqlite3"]


def test_commits_are_durable_and_only_we_checkpoint(tmp_path):
    database = open_database(str(tmp_path / "spool.sqlite3"))
    connection = database._connection
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA mmap_size").fetchone() == (0,)
    assert connection.execute("PRAGMA user_version").fetchone() == (VERSION,)
    database.close()


def test_it_is_opened_again_as_it_was(tmp_path):
    path = str(tmp_path / "spool.sqlite3")
    for expected in (None, ("1",)):
        database = open_database(path)
        with database.transaction():
            assert database.execute("meta", ("a",)).fetchone() == expected
            database.execute("set_meta", ("a", "1"))
        database.close()


def test_what_a_killed_creation_left_is_no_obstacle(tmp_path):
    (tmp_path / "spool.sqlite3.new").write_bytes(b"half a file")
    open_database(str(tmp_path / "spool.sqlite3")).close()
    assert os.listdir(tmp_path) == ["spool.sqlite3"]


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "not a bulkmail spool"), (b"not a database" * 100, "restore it"), (b"\0" * 8192, "restore it")],
)
def test_a_damaged_file_is_refused_and_left_alone(tmp_path, content, words):
    path = tmp_path / "spool.sqlite3"
    path.write_bytes(content)
    with pytest.raises(Refused, match=words) as caught:
        open_database(str(path))
    assert str(caught.value).startswith(str(path))
    assert path.read_bytes() == content


def test_a_damaged_page_is_found_when_it_is_read_and_never_a_fresh_start(tmp_path, kit):
    path = tmp_path / "spool.sqlite3"
    store = SqliteStore(str(path))
    identity = kit.campaign(store, rows=[kit.row(n) for n in range(1, 500)])
    store.close()
    content = bytearray(path.read_bytes())
    for at in range(8 * 4096, len(content), 4096):
        content[at : at + 100] = b"\xff" * 100
    path.write_bytes(content)
    with pytest.raises((OwnFault, Refused), match="malformed"):
        _use(str(path), identity)


def _use(path, identity):
    store = SqliteStore(path)
    try:
        store.claim([(queue, 5) for queue, _, _ in store.backlog(0, 10)], 5.0)
        store.cancel_rows(identity, 500, 6.0)
    finally:
        store.close()


def test_another_programs_database_is_refused(tmp_path, raw):
    path = str(tmp_path / "spool.sqlite3")
    raw(path).execute("CREATE TABLE t (a)")
    with pytest.raises(Refused, match="not a bulkmail spool"):
        open_database(path)


def test_a_newer_schema_is_refused(tmp_path, raw):
    path = str(tmp_path / "spool.sqlite3")
    open_database(path).close()
    raw(path).execute(f"PRAGMA user_version = {VERSION + 1}")
    with pytest.raises(Refused, match=rf"newer bulkmail \(version {VERSION + 1}, this one knows {VERSION}\); upgrade"):
        open_database(path)


def test_a_log_without_its_file_is_refused(tmp_path):
    (tmp_path / "spool.sqlite3-wal").write_bytes(b"log")
    with pytest.raises(Refused, match="its log is there"):
        open_database(str(tmp_path / "spool.sqlite3"))
    assert os.listdir(tmp_path) == ["spool.sqlite3-wal"]


def test_a_directory_that_cannot_be_written_is_refused(tmp_path):
    with pytest.raises(Refused, match="cannot be used as a spool"):
        open_database(str(tmp_path / "missing" / "spool.sqlite3"))


@pytest.mark.parametrize("count", [0, 1, 49, 50, 51, 149, 150])
def test_many_rows_go_into_few_statements(tmp_path, count):
    database = open_database(str(tmp_path / "spool.sqlite3"))
    said: list[str] = []
    database.connection.set_trace_callback(said.append)
    with database.transaction():
        database.many("set_due", ((n, n % 7, 0.5 * n, None) for n in range(count)))
    inserts = [statement for statement in said if statement.startswith("REPLACE")]
    assert len(inserts) == count // 50 + count % 50
    rows = database.connection.execute("SELECT recipient_id, queue_id, next_at, date FROM due ORDER BY 1").fetchall()
    assert rows == [(n, n % 7, 0.5 * n, None) for n in range(count)]
    database.close()


def test_one_bad_row_among_many_stores_none(tmp_path):
    database = open_database(str(tmp_path / "spool.sqlite3"))
    rows = [(n, 1, 0.0, None) for n in range(200)]
    rows[120] = (120, None, 0.0, None)  # type: ignore[assignment]
    with pytest.raises(sqlite3.IntegrityError), database.transaction():
        database.many("set_due", rows)
    assert database.connection.execute("SELECT count(*) FROM due").fetchone() == (0,)
    database.close()


def test_an_error_rolls_back_whatever_it_is(tmp_path):
    database = open_database(":memory:")

    def write(name, value, error=None):
        with database.transaction():
            database.execute("set_meta", ("a", "1"))
            database.execute("set_meta", (name, value))
            if error:
                raise error

    with pytest.raises(KeyError):
        write("b", "2", KeyError())
    with pytest.raises(sqlite3.IntegrityError):
        write("b", None)
    with database.transaction():
        assert database.execute("meta", ("a",)).fetchone() is None
    database.close()


def test_trouble_with_the_file_is_our_own_fault(tmp_path, raw):
    path = str(tmp_path / "spool.sqlite3")
    database = open_database(path)
    database._connection.execute("PRAGMA busy_timeout = 1")
    other = raw(path)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(OwnFault, match=r"the spool .* cannot be used \(database is locked\)"), database.transaction():
        pass
    other.execute("ROLLBACK")
    with database.transaction():
        database.execute("set_meta", ("a", "1"))
    database.close()


# an older file

DIE = """
import os, signal, sqlite3, sys
from bulkmail.spool.sqlite import database

connect = sqlite3.connect

def killing(*args, **kwargs):
    connection = connect(*args, **kwargs)
    connection.create_function("die", 0, lambda: os.kill(os.getpid(), signal.SIGKILL))
    return connection

sqlite3.connect = killing
database.MIGRATIONS = (*database.MIGRATIONS, (99, "CREATE TABLE later (a); SELECT die();"))
database.open_database(sys.argv[1])
"""


@pytest.fixture
def old(tmp_path, raw):
    """A file as version 1 made it, with a campaign of three rows in it; another connection still reads its log."""
    path = str(tmp_path / "spool.sqlite3")
    connection = raw(path)
    connection.executescript(f"BEGIN;{MIGRATIONS[0][1]}COMMIT;")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(
        "INSERT INTO campaign (name, folder, state, key, digests, on_unknown, created_at, import_done, input_rows)"
        " VALUES ('spring', '/c', 'running', x'6b', '{}', 'retry', 1.0, 1, 3)"
    )
    connection.execute("INSERT INTO queue (id, campaign_id, domain, has_new) VALUES (1, 1, 'a.example', 1)")
    for n in (1, 2, 3):
        values = (recipient_id(1, n), 1, 0, n, f"u{n}@a.example", "[]")
        connection.execute("INSERT INTO recipient VALUES (?, ?, ?, ?, ?, ?)", values)
    return path


def version_of(path, raw):
    return raw(path).execute("PRAGMA user_version").fetchone()[0]


def test_an_older_file_is_copied_then_brought_up_to_date(old, raw):
    store = SqliteStore(old)
    assert [row.email for row in store.claim([(1, 10)], 5.0)[1]] == [f"u{n}@a.example" for n in (1, 2, 3)]
    assert store.site_facts(0.0) == []
    store.close()
    assert version_of(old, raw) == VERSION
    copy = raw(f"{old}.before-{VERSION}")
    assert copy.execute("PRAGMA user_version").fetchone() == (1,)
    assert copy.execute("SELECT count(*) FROM recipient").fetchone() == (3,)
    assert copy.execute("SELECT count(*) FROM claim").fetchone() == (0,)
    assert stat.S_IMODE(os.stat(f"{old}.before-{VERSION}").st_mode) == 0o600


def test_rows_that_an_older_file_left_claimed_are_found(old, raw):
    raw(old).execute("INSERT INTO claim VALUES (1, 1, 0, ?, 5.0)", (recipient_id(1, 2),))
    raw(old).execute("UPDATE queue SET cursor = ?", (recipient_id(1, 2),))
    store = SqliteStore(old)
    assert store.recover(Journalled(found=True), "boot", RetryPlan(), 1000.0) == Recovered(0, 2, 0)
    assert [row.number for row in store.claim([(1, 10)], 2000.0)[1]] == [1, 2, 3]
    store.close()


def test_a_file_that_is_up_to_date_is_not_copied(tmp_path):
    for _ in range(2):
        open_database(str(tmp_path / "spool.sqlite3")).close()
    assert os.listdir(tmp_path) == ["spool.sqlite3"]


def test_killed_in_the_middle_the_next_start_begins_again(old, raw):
    done = subprocess.run([sys.executable, "-c", DIE, old], stderr=subprocess.PIPE, timeout=60)
    assert done.returncode == -9, done.stderr.decode()
    assert version_of(old, raw) == 1, "nothing of it, not even the step before the kill"
    assert "site_facts" not in [row[0] for row in raw(old).execute("SELECT name FROM sqlite_master")]
    store = SqliteStore(old)
    assert len(store.claim([(1, 10)], 5.0)[1]) == 3
    assert store.site_facts(0.0) == []
    store.close()
    assert version_of(f"{old}.before-{VERSION}", raw) == 1


def test_a_step_that_fails_changes_nothing(old, raw, monkeypatch):
    monkeypatch.setattr(database_module, "MIGRATIONS", (*MIGRATIONS, (99, "CREATE TABLE meta (a);")))
    with pytest.raises(Refused, match="already exists"):
        open_database(old)
    assert version_of(old, raw) == 1


def test_without_room_for_the_copy_nothing_is_changed(old, raw, monkeypatch):
    def full(*_):
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(database_module, "back_up", full)
    with pytest.raises(Refused, match=rf"could not be copied to {old}.before-{VERSION} first .*full.*make room"):
        open_database(old)
    assert version_of(old, raw) == 1
