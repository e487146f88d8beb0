from __future__ import annotations

import json
import time

import pytest

from bulkmail.spool import Attempt, Journalled, Settlement, SiteFact, SqliteStore
from tests.retrying import RetryPlan
from tests.spring import write_spring


@pytest.fixture
def place(tmp_path, monkeypatch):
    write_spring(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("bulkmail.commands.sender.own_name", lambda: "mta1.example.com")
    monkeypatch.setattr("bulkmail.commands.sender.source_address", lambda version: "10.0.0.7" if version == 4 else "")
    return tmp_path


@pytest.fixture
def spool(place):
    """A spool with one running campaign of three rows, one of them delivered."""
    folder = place / "spool"
    folder.mkdir(mode=0o700)
    store = SqliteStore(str(folder / "spool.sqlite3"))
    store.recover(Journalled(found=True), "boot", RetryPlan(), 1000.0)
    for name in ("spring", "summer"):
        store.create_campaign(
            name, f"/c/{name}", key=b"k" * 32, content={}, digests={}, files=[("r.csv", ["email"])], now=1.0
        )
    rows = [(n, 0, n, f"u{n}@a.example", "a.example", json.dumps([f"u{n}@a.example"]), "ok", "") for n in (1, 2, 3)]
    store.add_rows(1, rows, {}, False, 1000.0)
    store.set_state(1, "running", 1000.0)
    (claimed,) = store.claim([(1, 1)], 1001.0)[1]
    store.settle([Settlement(claimed.id, 1, "delivered", attempt=Attempt(1002.0, 1, "delivered"), completed_at=1002.0)])
    store.close()
    return folder


@pytest.fixture
def taught(spool):
    """The same spool; two sites have taught something, one of them something that has expired."""
    now = time.time()
    store = SqliteStore(str(spool / "spool.sqlite3"))
    store.remember(
        [
            SiteFact("mx.a.example~12ab", "messages", 20.0, 1764000000.25, now + 3600),
            SiteFact("mx.a.example~12ab", "follow", 0.0, 1764000000.0, now - 1),
            SiteFact("192.0.2.1", "tls", 0.0, 1764000000.0, 4102444800.0),
            SiteFact("mx.a.example.net~12ab", "learnt-by-a-later-version", 1.0, 1764000000.0, now + 3600),
        ]
    )
    store.close()
    return spool
