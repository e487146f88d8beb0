from __future__ import annotations

import marshal
import os

from bulkmail.spool import SqliteStore
from bulkmail.spool.scrubbing import TO_SCRUB, scrub
from bulkmail.spool.sqlite.database import MIGRATIONS, VERSION

PEM = b"-----BEGIN PRIVATE KEY-----" + os.urandom(1500).hex().encode() + b"-----END PRIVATE KEY-----"
DKIM = [{"domain": "a.test", "selector": "s1", "pem": PEM}]


def old_spool(path, raw):
    """As version 3 left it: the content replaced once, so that a free page holds the key too."""
    connection = raw(path)
    for _, script in MIGRATIONS[:3]:
        connection.executescript(f"BEGIN;{script}COMMIT;")
    connection.execute("PRAGMA journal_mode = WAL")
    for number, name, state in ((1, "spring", "finished"), (2, "autumn", "stopped")):
        connection.execute(
            "INSERT INTO campaign (name, folder, state, key, digests, on_unknown, created_at)"
            " VALUES (?, '/c', ?, x'6b', '{}', 'retry', 1.0)",
            (name, state),
        )
        content = marshal.dumps({"name": name, "dkim": DKIM, "attachments": [("a.pdf", b"x" * 9000)]}, 4)
        connection.execute("INSERT INTO snapshot VALUES (?, ?)", (number, content + b"x" * 50_000))
        connection.execute("UPDATE snapshot SET content = ? WHERE campaign_id = ?", (content, number))
        connection.execute("INSERT INTO reading VALUES (?, ?)", (number, marshal.dumps({"rows": 3}, 4)))
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def test_the_keys_of_an_older_file_are_taken_out_of_it(tmp_path, raw):
    path = str(tmp_path / "spool.sqlite3")
    old_spool(path, raw)
    assert PEM in (tmp_path / "spool.sqlite3").read_bytes()
    store = SqliteStore(path)
    for number, name in ((1, "spring"), (2, "autumn")):
        content = store.content(number)
        assert content["name"] == name
        assert content["attachments"] == [["a.pdf", b"x" * 9000]]
        assert [sorted(entry) for entry in content["dkim"]] == [["domain", "fingerprint", "selector"]]
        assert store.import_state(number) == {"rows": 3}
    assert store.database.execute("meta", (TO_SCRUB,)).fetchone() is None
    store.close()
    left = [name for name in os.listdir(tmp_path) if PEM[:60] in (tmp_path / name).read_bytes()]
    assert left == [f"spool.sqlite3.before-{VERSION}"], "the way back, of which the docs say that it is to be removed"


def test_what_is_broken_off_is_done_at_the_next_start(tmp_path, raw, monkeypatch):
    path = str(tmp_path / "spool.sqlite3")
    old_spool(path, raw)
    monkeypatch.setattr("bulkmail.spool.sqlite.store.scrub", lambda *_, **__: None)
    SqliteStore(path).close()
    assert PEM in (tmp_path / "spool.sqlite3").read_bytes()
    monkeypatch.undo()
    SqliteStore(path).close()
    assert PEM[:60] not in (tmp_path / "spool.sqlite3").read_bytes()


def test_a_shared_spool_keeps_the_keys_of_campaigns_that_are_not_ended(store, kit):
    for name, state in (("spring", "finished"), ("autumn", "running")):
        identity = kit.campaign(store, name)
        store.set_state(identity, state, 5.0)
        old = marshal.dumps({"name": name, "dkim": DKIM}, 4)
        with store.database.transaction():
            store.database.execute("set_snapshot", (identity, old))
    with store.database.transaction():
        store.database.execute("set_meta", (TO_SCRUB, "1"))
    scrub(store.database, ended_only=True)
    spring, autumn = (store.content(row.id) for row in store.campaigns())
    assert "pem" not in spring["dkim"][0]
    assert autumn["dkim"] == DKIM
