from __future__ import annotations

import json
import os
import shutil
import sqlite3
import tempfile
from collections import Counter
from queue import SimpleQueue
from types import SimpleNamespace

import pytest
from twisted.internet.task import Clock

from bulkmail.spool import Attempt, Journal, Journalled, Settlement, SqliteStore, open_reader, read_journal
from tests.retrying import RetryPlan


class PumpedReactor(Clock):
    """A Clock whose callFromThread is served by the test: `wait` for a Deferred, or `pump` what is there."""

    def __init__(self):
        super().__init__()
        self.answers = SimpleQueue()

    def callFromThread(self, function, *args):
        self.answers.put((function, args))

    def pump(self, timeout=60.0):
        self.advance(0)
        function, args = self.answers.get(timeout=timeout)
        function(*args)
        self.advance(0)

    def wait(self, deferred):
        got = []
        deferred.addBoth(got.append)
        self.advance(0)
        while not got:
            self.pump()
        if hasattr(got[0], "raiseException"):
            got[0].raiseException()
        return got[0]


def row(n, domain="example.com", verdict="ok", *, email=None, note=""):
    email = email or f"user{n}@{domain}"
    return (n, 0, n, email, domain if verdict in ("ok", "held") else "", json.dumps([email, f"N{n}"]), verdict, note)


def campaign(store, name="spring", *, rows=(), running=True, on_unknown="retry", done=True, key=b"k" * 32):
    made = store.create_campaign(
        name,
        f"/campaigns/{name}",
        key=key,
        content={"name": name},
        digests={"html": "abc"},
        files=[("recipients.csv", ["email", "first_name"])],
        now=1000.0,
        on_unknown=on_unknown,
    )
    if rows:
        store.add_rows(made.id, rows, {"offset": len(rows)}, done, 1000.0)
    if running:
        store.set_state(made.id, "running", 1001.0)
    return made.id


def outcome(claimed, status="delivered", *, at=2000.0, next_at=0.0, result="", provider="", **more):
    """The settlement of one attempt."""
    waits = status in ("deferred", "pending")
    next_at = next_at or (at + 600.0 if waits else 0.0)
    result = result or {"delivered": "delivered", "deferred": "deferred", "unknown": "unknown"}.get(status, "failed")
    attempt = Attempt(
        at, claimed.attempts + 1, result, "", 250, "2.0.0", "2.0.0 Ok", "dot", "mx.example.com", "192.0.2.1"
    )
    return Settlement(
        claimed.id,
        claimed.queue_id,
        status,
        "",
        provider,
        attempt,
        completed_at=0.0 if waits else at,
        next_at=next_at,
        bytes=1000,
        **more,
    )


def asked(store, sql, values=()):
    """What the database answers, whichever it is: behind the room's back, in SQL that both understand."""
    if isinstance(store, SqliteStore):
        return store.database._connection.execute(sql, values).fetchall()
    return store.database.connection.execute(sql.replace("?", "%s"), values or None).fetchall()


def place_of(store):
    """{recipient id: one of pending, claimed, waiting, final, never, held}, straight from the tables."""
    finals = dict(asked(store, "SELECT recipient_id, status FROM outcome"))
    due = dict(asked(store, "SELECT recipient_id, next_at FROM due"))
    claims = asked(store, "SELECT queue_id, after_id, upto_id FROM claim")
    cursors = dict(asked(store, "SELECT id, cursor FROM queue"))
    places = {}
    for identity, queue_id in asked(store, "SELECT id, queue_id FROM recipient"):
        found = []
        status = finals.get(identity)
        if identity in due:
            found.append("claimed" if due[identity] is None else "waiting")
        elif status is not None:
            found.append("final")
        elif queue_id is not None and queue_id < 0:
            found.append("held")
        else:
            inside = [c for c in claims if c[0] == queue_id and c[1] < identity <= c[2]]
            found += ["claimed"] * len(inside)
            if identity > cursors[queue_id]:
                found.append("pending")
        if identity in due and status not in (None, "pending", "deferred"):
            found.append("final")
        assert len(found) == 1, (identity, found)
        places[identity] = found[0]
    return places


ATTEMPTS = """SELECT recipient_id, count(*) FROM attempt
    WHERE result IN ('delivered', 'failed', 'deferred', 'unknown') GROUP BY 1"""


def check_laws(store):
    """What must be true of the tables between any two transactions."""
    places = place_of(store)
    for campaign_id, input_rows in asked(store, "SELECT id, input_rows FROM campaign"):
        totals = store.totals(campaign_id)
        assert all(count > 0 for count in totals.values()), totals
        assert sum(totals.values()) == input_rows
        counted = Counter()
        sql = """SELECT coalesce(o.provider, ''), coalesce(o.status, 'pending'), coalesce(o.category, '')
            FROM recipient r LEFT JOIN outcome o ON o.recipient_id = r.id WHERE r.id >> 40 = ?"""
        counted.update(asked(store, sql, (campaign_id,)))
        assert dict(counted) == totals
    attempts = dict(asked(store, ATTEMPTS))
    for identity, number in asked(store, "SELECT recipient_id, attempts FROM outcome"):
        assert attempts.get(identity, 0) == number
    last = dict(asked(store, "SELECT queue_id, max(id) FROM recipient WHERE queue_id > 0 GROUP BY 1"))
    earliest = dict(asked(store, "SELECT queue_id, min(next_at) FROM due GROUP BY 1"))
    for queue_id, cursor, has_new, next_at in asked(store, "SELECT id, cursor, has_new, next_at FROM queue"):
        assert (last.get(queue_id, 0) > cursor) == has_new
        assert earliest.get(queue_id) == next_at
    sql = """SELECT q.delivered, q.failed, q.deferred, count(*) FILTER (WHERE o.status = 'delivered'),
            count(*) FILTER (WHERE o.status NOT IN ('delivered', 'deferred', 'pending')),
            count(*) FILTER (WHERE o.status = 'deferred')
        FROM queue q LEFT JOIN recipient r ON r.queue_id = q.id LEFT JOIN outcome o ON o.recipient_id = r.id
        WHERE NOT EXISTS (SELECT 1 FROM recipient h WHERE h.queue_id = -q.id) GROUP BY q.id"""
    for counts in asked(store, sql):
        assert counts[:3] == counts[3:]
    claimed = {identity for identity, place in places.items() if place == "claimed"}
    assert claimed == set(store.booking.claimed)
    assert {claim for (claim,) in asked(store, "SELECT id FROM claim")} == set(store.booking.open_claims)
    return places


UNKNOWN_AFTER = 900.0


class Life:
    """A spool on disk, or in PostgreSQL, whose process may die at any time."""

    def __init__(self, kit, dsn=None):
        self.kit = kit
        self.dsn = dsn
        self.directory = tempfile.mkdtemp()
        self.boot = "boot-1"
        self.now = 10_000.0
        self.rules = None
        self.start()

    def start(self):
        self.store = self.open()
        self.store.rules = self.rules
        journalled = read_journal(os.path.join(self.directory, "journal"))
        self.journal = Journal.open(os.path.join(self.directory, "journal"), segment_bytes=300)
        self.recovered = self.store.recover(journalled, self.boot, RetryPlan(unknown_after=UNKNOWN_AFTER), self.now)
        self.journal.drop_older()

    def open(self):
        if self.dsn is not None:
            return self.kit.open_postgres(self.dsn, boot=self.boot)
        return SqliteStore(os.path.join(self.directory, "spool.sqlite3"))

    def vanish(self):
        database = self.store.database
        (database if self.dsn is not None else database._connection).close()

    def die(self, *, reboot=False):
        """Nothing is flushed, released or tidied up; only what was committed or journalled is there again."""
        self.journal.close()
        self.vanish()
        if reboot:
            self.boot += "'"
        self.start()

    def end(self):
        self.journal.close()
        self.store.close()
        shutil.rmtree(self.directory)


FULL = "full|read-only"


def fill_disk(store):
    """From now on no write succeeds: SQLite's own 'database or disk is full', PostgreSQL's own 'read-only'."""
    if isinstance(store, SqliteStore):
        pages = store.database._connection.execute("PRAGMA page_count").fetchone()[0]
        store.database._connection.execute(f"PRAGMA max_page_count = {pages}")
    else:
        with_options(store, "%20-cdefault_transaction_read_only%3Don")


def free_disk(store):
    if isinstance(store, SqliteStore):
        store.database._connection.execute("PRAGMA max_page_count = 1073741823")
    else:
        with_options(store, "")


def with_options(store, more):
    """Connect anew, with these options for the server, and to a server that does not take writes too."""
    database = store.database
    plain = database.dsn.split("%20-c")[0].removesuffix("&target_session_attrs=any")
    database.dsn = f"{plain}{more}{'&target_session_attrs=any' if more else ''}"
    database.close()


@pytest.fixture
def kit(until):
    return SimpleNamespace(
        until=until,
        Life=Life,
        row=row,
        campaign=campaign,
        outcome=outcome,
        asked=asked,
        FULL=FULL,
        open_postgres=open_postgres,
        place_of=place_of,
        check_laws=check_laws,
        fill_disk=fill_disk,
        free_disk=free_disk,
        nothing_journalled=Journalled(found=True),
    )


def open_postgres(dsn, identity="machine-1", boot="boot-1", **more):
    from bulkmail.spool.postgres.store import PostgresStore

    return PostgresStore(dsn, identity=identity, name=identity, boot=boot, **more)


@pytest.fixture(params=["memory", "file", "postgres"])
def store(request, tmp_path):
    """The one contract, on each of its three implementations."""
    if request.param == "postgres":
        made = open_postgres(request.getfixturevalue("pg_server").fresh())
    else:
        made = SqliteStore(":memory:" if request.param == "memory" else str(tmp_path / "spool.sqlite3"))
    yield made
    made.close()


@pytest.fixture(params=["file", "postgres"])
def read_store(request, tmp_path):
    """An empty store that another process may read, and a reader of it."""
    if request.param == "postgres":
        address = request.getfixturevalue("pg_dsn")
        made = open_postgres(address)
    else:
        address = str(tmp_path)
        made = SqliteStore(str(tmp_path / "spool.sqlite3"))
    reader = open_reader(address)
    yield made, reader
    reader.close()
    made.close()


@pytest.fixture
def spool(read_store, kit):
    """A store with two campaigns, partly sent; a reader beside it; and the id of the first."""
    store, reader = read_store
    rows = [kit.row(1), kit.row(2, verdict="invalid", note="no @"), kit.row(3), kit.row(4, "b.example"), kit.row(5)]
    identity = kit.campaign(store, rows=rows)
    kit.campaign(store, "other", rows=[kit.row(1)])
    [queue, *_] = [queue for queue, _, _ in store.backlog(0, 10)]
    got = store.claim([(queue, 10)], 5.0)[queue]
    store.settle([kit.outcome(got[0], provider="google"), kit.outcome(got[1], "deferred", next_at=99.0)])
    return store, reader, identity


@pytest.fixture
def sqlite():
    made = SqliteStore()
    yield made
    made.close()


@pytest.fixture
def pg_dsn(pg_server):
    """An empty schema of PostgreSQL."""
    return pg_server.fresh()


@pytest.fixture
def reactor():
    return PumpedReactor()


@pytest.fixture
def raw():
    """Open a database file behind the room's back."""
    opened = []

    def connect(path):
        opened.append(sqlite3.connect(path, isolation_level=None))
        return opened[-1]

    yield connect
    for connection in opened:
        connection.close()


@pytest.fixture(params=["file", "postgres"])
def life(kit, request):
    made = Life(kit, request.getfixturevalue("pg_server").fresh() if request.param == "postgres" else None)
    yield made
    made.end()
