"""A spool that has been used, copied into PostgreSQL and back: what was one is one, and only one can be sent from."""

from __future__ import annotations

import pytest

from bulkmail.mail import BulkmailError, Choice, OwnFault, Refused, read_token, token
from bulkmail.spool import (
    EVERYTHING,
    ReceiverPolicy,
    SiteFact,
    SqliteStore,
    Suppression,
    copy_spool,
    copying,
    open_reader,
)
from bulkmail.spool.contract import check_whole
from bulkmail.spool.opening import open_all
from tests.retrying import RetryPlan

TABLES = ("campaign", "queue", "recipient", "due", "outcome", "attempt", "snapshot", "reading", "input_file",
          "site_facts", "receiver_policy", "suppression", "late", "late_waiting", "bounce", "gone",
          "gone_campaign")  # fmt: skip


CAME_BACK = (
    ("late", (1 << 40 | 1, 5.0, None, 7.0, 2, "re:k1 co:f1"), (1 << 40 | 2, None, 6.5, None, 1, "")),
    ("late_waiting", (1 << 40 | 4, 5.0, "bounced", "bad-mailbox", 1 << 40 | 3)),
    ("bounce", (77, 1 << 40 | 1, 5.0, 0), (77, 9 << 40 | 1, 5.5, 1), (78, 1 << 40 | 1, 5.0, 0)),
    ("gone", (9 << 40 | 1, 77)),
    ("gone_campaign", (9, "winter", "news", "marketing")),
)


def used(store, kit):
    """Two campaigns in the middle of being sent, nothing claimed."""
    rows = [kit.row(n, f"d{n % 3}.example", "held" if n % 7 == 0 else "ok") for n in range(1, 40)]
    rows.append(kit.row(40, verdict="invalid", note="no @"))
    identity = kit.campaign(store, rows=rows)
    kit.campaign(store, "other", rows=[kit.row(1)], on_unknown="keep")
    store.create_campaign("letter", "/c", content={}, digests={}, files=[], now=1.0)
    queues = [queue for queue, _, _ in store.backlog(0, 10)]
    got = [row for rows in store.claim([(queue, 6) for queue in queues], 5.0).values() for row in rows]
    store.settle([kit.outcome(row, "deferred" if row.number % 4 == 0 else "delivered") for row in got[:9]])
    store.release(got[9:], 77.0)
    store.save_report_position(identity, [1, 2])
    store.remember([SiteFact("mx.example~1", "follow", 0.0, 1.0, 2e9)])
    store.keep_policies([ReceiverPolicy("a.example", "one", 1.0, 2e9, "version: STSv1")])
    for scope in (EVERYTHING, "list:news", "campaign:spring"):
        store.suppress([Suppression(f"u{n}@a.example", scope, "listed", "x", 5.0) for n in range(9)], hashed=False)
    store.forget_addresses(["u3@a.example"])
    for table, *rows in CAME_BACK:
        for values in rows:
            store.database.connection.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(values))})", values)
    return identity


def tables(kit, store):
    columns = {table: ", ".join(row[1] for row in store.database.connection.execute(f"PRAGMA table_info({table})"))
               for table in TABLES}  # fmt: skip
    return {table: sorted(kit.asked(store, f"SELECT {columns[table]} FROM {table}"), key=str) for table in TABLES}


@pytest.fixture
def place(tmp_path, kit):
    folder = tmp_path / "old"
    folder.mkdir(mode=0o700)
    store = SqliteStore(str(folder / "spool.sqlite3"))
    used(store, kit)
    store.close()
    return str(folder)


def test_into_postgresql_and_back_nothing_changes(place, pg_dsn, tmp_path, kit):
    told = []
    store = SqliteStore(f"{place}/spool.sqlite3")
    store.save_winner(1, Choice("b", "why", "ann"))
    store.close()
    assert copy_spool(place, pg_dsn, told.append) == 41
    assert any("recipient: 41 rows" in text for text in told)
    middle = kit.open_postgres(pg_dsn)
    kit.check_laws(middle)
    middle.close()
    back = str(tmp_path / "back")
    assert copy_spool(pg_dsn, back, told.append) == 41
    stores = [SqliteStore(f"{folder}/spool.sqlite3") for folder in (place, back)]
    assert tables(kit, stores[0]) == tables(kit, stores[1])
    assert stores[0].totals(1) == stores[1].totals(1)
    assert stores[1].winner(1) == Choice("b", "why", "ann")
    made = stores[0].campaign("letter")
    assert read_token(stores[1].token_key(), token(made.key, 9)) == (made.id, 9)
    kit.check_laws(stores[1])
    for store in stores:
        store.close()


def test_what_was_copied_is_sent_on_from_where_it_was(place, pg_dsn, kit):
    copy_spool(place, pg_dsn, lambda _: None)
    store = kit.open_postgres(pg_dsn)
    check_whole(store.database, pg_dsn)
    queues = [queue for queue, *_ in store.due_queues(1e9, 10)]
    rows = [row for got in store.claim([(queue, 99) for queue in queues], 1e9).values() for row in got]
    store.settle([kit.outcome(row) for row in rows])
    kit.check_laws(store)
    assert kit.campaign(store, "third", rows=[kit.row(1, "new.example")]) == 4, "ids go on behind the copied ones"
    kit.check_laws(store)
    store.close()


def test_the_old_one_cannot_be_sent_from_any_more_and_can_be_read(place, pg_dsn):
    copy_spool(place, pg_dsn, lambda _: None)
    with pytest.raises(Refused, match="was copied to postgresql://"):
        open_all(place, "boot", RetryPlan(), 1.0)
    reader = open_reader(place)
    assert len(reader.campaigns()) == 3
    reader.close()
    with pytest.raises(BulkmailError, match=r"was copied to .* already"):
        copy_spool(place, f"{place}2", lambda _: None)


def test_a_copy_that_is_broken_off_goes_on_and_is_of_no_use_before(place, pg_dsn, monkeypatch, kit):
    monkeypatch.setattr(copying, "_LARGE", [(*entry[:3], min(entry[3], 5)) for entry in copying._LARGE])
    add, left = copying.Side.add, [6]

    def breaks(self, table, columns, rows):
        left[0] -= table == "recipient"
        if left[0] == 0:
            raise OwnFault("the power is cut")
        add(self, table, columns, rows)

    monkeypatch.setattr(copying.Side, "add", breaks)
    with pytest.raises(OwnFault, match="power"):
        copy_spool(place, pg_dsn, lambda _: None)
    store = kit.open_postgres(pg_dsn)
    assert kit.asked(store, "SELECT count(*) FROM recipient") == [(25,)]
    with pytest.raises(Refused, match="unfinished copy"):
        check_whole(store.database, pg_dsn)
    store.close()
    assert copy_spool(place, pg_dsn, lambda _: None) == 41
    store = kit.open_postgres(pg_dsn)
    kit.check_laws(store)
    store.close()


def test_a_source_that_was_used_meanwhile_is_noticed(place, pg_dsn, monkeypatch, kit):
    add, first = copying.Side.add, []

    def used_meanwhile(self, table, columns, rows):
        add(self, table, columns, rows)
        if table == "attempt" and not first:
            first.append(table)
            raise OwnFault("enough")

    monkeypatch.setattr(copying.Side, "add", used_meanwhile)
    with pytest.raises(OwnFault, match="enough"):
        copy_spool(place, pg_dsn, lambda _: None)
    store = SqliteStore(f"{place}/spool.sqlite3")
    kit.campaign(store, "late")
    store.close()
    with pytest.raises(BulkmailError, match="of something else, or of an earlier state"):
        copy_spool(place, pg_dsn, lambda _: None)


def test_what_must_not_be_copied(place, pg_dsn, tmp_path, kit):
    with pytest.raises(BulkmailError, match="onto itself"):
        copy_spool(place, place, lambda _: None)
    with pytest.raises(BulkmailError, match="is not a spool"):
        copy_spool(str(tmp_path / "nowhere"), pg_dsn, lambda _: None)
    other = kit.open_postgres(pg_dsn)
    with pytest.raises(BulkmailError, match="in use by a machine"):
        copy_spool(place, pg_dsn, lambda _: None)
    kit.campaign(other, "theirs")
    other.close()
    with pytest.raises(BulkmailError, match="is not empty"):
        copy_spool(place, pg_dsn, lambda _: None)


def test_claims_have_to_be_settled_first(place, pg_dsn):
    store = SqliteStore(f"{place}/spool.sqlite3")
    queue = store.backlog(0, 1)[0][0]
    store.claim([(queue, 1)], 6.0)
    store.close()
    with pytest.raises(BulkmailError, match="were being sent when it was stopped"):
        copy_spool(place, pg_dsn, lambda _: None)
