from __future__ import annotations

import os
import sqlite3
import stat

import pytest

from bulkmail.spool.sqlite.backup import back_up


@pytest.fixture
def live(tmp_path):
    """A database with a row that is only in its log so far."""
    connection = sqlite3.connect(tmp_path / "live", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE t (a)")
    connection.execute("INSERT INTO t VALUES (1)")
    yield connection
    connection.close()


def test_the_copy_is_whole_private_and_in_place_of_an_older_one(live, tmp_path):
    (tmp_path / "copy").write_bytes(b"older")
    (tmp_path / "copy.new").write_bytes(b"half of one")
    back_up(live, str(tmp_path / "copy"))
    assert stat.S_IMODE(os.stat(tmp_path / "copy").st_mode) == 0o600
    assert not (tmp_path / "copy.new").exists()
    copy = sqlite3.connect(tmp_path / "copy")
    assert copy.execute("SELECT a FROM t").fetchall() == [(1,)]
    assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    copy.close()


def test_a_copy_that_fails_leaves_nothing(live, tmp_path):
    def full(*_):
        raise sqlite3.OperationalError("database or disk is full")

    with pytest.raises(sqlite3.OperationalError, match="full"):
        back_up(type("Full", (), {"backup": full})(), str(tmp_path / "copy"))
    assert not [name for name in os.listdir(tmp_path) if name.startswith("copy")]


def test_it_is_on_the_disk_before_it_has_its_name(live, tmp_path, monkeypatch):
    done = []
    fsync, rename = os.fsync, os.rename
    monkeypatch.setattr(os, "fsync", lambda fd: (done.append(os.readlink(f"/proc/self/fd/{fd}")), fsync(fd)))
    monkeypatch.setattr(os, "rename", lambda old, new: (done.append("rename"), rename(old, new)))
    back_up(live, str(tmp_path / "copy"))
    assert done == [str(tmp_path / "copy.new"), "rename", str(tmp_path)]
