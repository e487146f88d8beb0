"""Who is not mailed: on every store."""

from __future__ import annotations

import pytest

from bulkmail.mail import Refused, read_token, token
from bulkmail.spool import (
    EVERYTHING,
    Audience,
    Reader,
    SqliteStore,
    Suppression,
    campaign_scope,
    find_reader,
    list_scope,
    open_reader,
)
from bulkmail.spool.maintenance import unsent

NEWS, SPRING = list_scope("news"), campaign_scope("spring")
MARKETING = Audience("news", "spring")
ANN, BOB, DOMAIN = "ann@a.example", "bob@b.example", "@b.example"


def entry(address=ANN, scope=EVERYTHING, reason="unsubscribed", at=5.0, source="the command line"):
    return Suppression(address, scope, reason, source, at)


def bare(found):
    return [one._replace(hash=0) for one in found]


def test_an_address_is_found_and_another_is_not(store):
    assert store.suppressed([ANN, BOB], MARKETING) == {}
    assert store.suppress([entry()], hashed=False) == 1
    found = store.suppressed([ANN, BOB], MARKETING)
    assert list(found) == [ANN]
    assert found[ANN]._replace(hash=0) == entry()


def test_a_domain_stops_its_own_addresses_alone(store):
    store.suppress([entry(DOMAIN)], hashed=False)
    asked = [ANN, BOB, "carl@sub.b.example", DOMAIN]
    assert set(store.suppressed(asked, MARKETING)) == {BOB, DOMAIN}
    assert bare(store.suppressions_of(BOB)) == [entry(DOMAIN)]


def test_the_same_twice_keeps_its_time_and_source(store):
    assert store.suppress([entry(), entry()], hashed=False) == 1
    assert store.suppress([entry(at=9.0, source="later")], hashed=False) == 0
    assert bare(store.suppressions_of(ANN)) == [entry()]


def test_each_scope_and_each_reason_is_an_entry_of_its_own(store):
    entries = [entry(at=4.0), entry(scope=NEWS), entry(scope=SPRING, at=6.0), entry(reason="complained", at=7.0)]
    assert store.suppress(entries, hashed=False) == 4
    assert bare(store.suppressions_of(ANN)) == entries
    assert store.suppressed([ANN], MARKETING)[ANN].reason == "complained"
    assert store.unsuppress([ANN], scope=EVERYTHING, reason="complained") == 1
    assert store.suppressed([ANN], MARKETING)[ANN].at == 4.0
    assert store.unsuppress([ANN], scope=EVERYTHING) == 1
    assert store.suppressed([ANN], MARKETING)[ANN].scope == NEWS
    assert store.unsuppress([ANN], reason="unsubscribed") == 2
    assert store.unsuppress([ANN]) == 0
    assert store.suppressed([ANN], MARKETING) == {}


def test_scopes_count_as_the_campaign_says(store):
    store.suppress([entry(scope=NEWS), entry(BOB, SPRING)], hashed=False)
    assert set(store.suppressed([ANN, BOB], MARKETING)) == {ANN, BOB}
    assert set(store.suppressed([ANN, BOB], Audience("news", "autumn"))) == {ANN}
    assert set(store.suppressed([ANN, BOB], Audience("news", "spring", "transactional"))) == {BOB}
    assert set(store.suppressed([ANN, BOB], Audience("offers", "winter"))) == set()


def test_without_addresses_it_is_found_all_the_same(store, kit):
    store.suppress([entry(), entry(DOMAIN)], hashed=True)
    assert set(store.suppressed([ANN, BOB], MARKETING)) == {ANN, BOB}
    assert store.suppressions_of(ANN)[0].address is None
    assert kit.asked(store, "SELECT count(*) FROM suppression WHERE address IS NOT NULL") == [(0,)]


def test_an_address_that_is_forgotten_stays_suppressed(store):
    store.suppress([entry(), entry(scope=NEWS), entry(BOB)], hashed=False)
    assert store.forget_addresses([ANN, "nobody@a.example"]) == 2
    assert store.forget_addresses([ANN]) == 0
    assert [one.address for one in store.suppressions_of(ANN)] == [None, None]
    assert store.suppress([entry(at=9.0)], hashed=False) == 0
    assert store.suppressions_of(ANN)[0].address is None
    assert set(store.suppressed([ANN, BOB], MARKETING)) == {ANN, BOB}


def test_pages_hold_each_entry_once(store):
    entries = [entry(f"u{n}@a.example", scope) for n in range(20) for scope in (EVERYTHING, NEWS, SPRING)]
    store.suppress(entries, hashed=False)
    found = []
    while page := store.suppressions(found[-1] if found else None, 7):
        assert len(page) <= 7
        found += page
    assert sorted(bare(found)) == sorted(entries)
    assert len(store.suppressions(scope=NEWS)) == 20
    assert store.suppressions(reason="complained") == []
    assert store.suppressions(scope=NEWS, reason="unsubscribed", limit=3)[0].scope == NEWS


def test_they_are_counted(store):
    store.suppress([entry(), entry(BOB), entry(BOB, NEWS, "listed")], hashed=False)
    store.forget_addresses([ANN])
    assert sorted(store.count_suppressions()) == [(EVERYTHING, "unsubscribed", 2, 1), (NEWS, "listed", 1, 1)]


@pytest.mark.parametrize("wrong", [entry(scope="all"), entry(reason="because"), entry(address=None), entry(address="")])
def test_what_is_no_suppression_is_refused_and_nothing_is_written(store, wrong):
    with pytest.raises(ValueError, match="no suppression"):
        store.suppress([entry(), wrong], hashed=False)
    assert store.suppressions() == []


def test_it_is_one_transaction_with_what_its_caller_writes(store, kit):
    class Stop(Exception):
        pass

    def both(then):
        with store.database.transaction():
            store.add_suppressions([entry()], hashed=False)
            store.database.execute("set_meta", ("other", "1"))
            then()

    def stop():
        raise Stop

    with pytest.raises(Stop):
        both(stop)
    assert store.suppressed([ANN], MARKETING) == {}
    assert kit.asked(store, "SELECT count(*) FROM meta WHERE name = 'other'") == [(0,)]
    both(lambda: None)
    assert set(store.suppressed([ANN], MARKETING)) == {ANN}


def test_a_full_disk_changes_nothing(store, kit):
    from bulkmail.mail import OwnFault

    store.suppress([entry(BOB)], hashed=False)
    kit.fill_disk(store)
    with pytest.raises(OwnFault):
        store.suppress([entry(f"{n}@a.example") for n in range(2000)], hashed=False)
    kit.free_disk(store)
    assert len(store.suppressions()) == 1
    assert store.suppress([entry()], hashed=False) == 1


def test_a_file_knows_whether_there_is_any(sqlite):
    assert not sqlite.may_suppress
    sqlite.suppress([entry()], hashed=False)
    assert sqlite.may_suppress
    sqlite.unsuppress([ANN])
    assert not sqlite.may_suppress


def test_a_file_that_has_some_knows_it_when_it_is_opened(tmp_path):
    path = str(tmp_path / "spool.sqlite3")
    for known in (False, True):
        store = SqliteStore(path)
        assert store.may_suppress is known
        store.suppress([entry()], hashed=False)
        store.close()


def test_what_one_machine_adds_the_others_see_at_once(pg_dsn, kit):
    one, other = (kit.open_postgres(pg_dsn, identity=name) for name in ("one", "other"))
    try:
        assert other.suppressed([ANN], MARKETING) == {}
        assert other.may_suppress
        one.suppress([entry()], hashed=False)
        assert set(other.suppressed([ANN], MARKETING)) == {ANN}
        with unsent(pg_dsn) as spool:
            assert spool.unsuppress([ANN]) == 1
        assert other.suppressed([ANN], MARKETING) == {}
    finally:
        one.close()
        other.close()


def test_a_key_that_was_not_written_down_is_not_used(tmp_path):
    path = str(tmp_path / "spool.sqlite3")
    store = SqliteStore(path)
    with pytest.raises(ValueError, match="no suppression"):
        store.suppress([entry(), entry(scope="")], hashed=False)
    store.suppress([entry()], hashed=True)
    made = store.create_campaign("spring", "/c", content={}, digests={}, files=[], now=1.0)
    reader = open_reader(path)
    assert set(reader.suppressed([ANN], MARKETING)) == {ANN}
    assert read_token(store.token_key(), token(made.key, 3)) == (made.id, 3)
    reader.close()
    store.close()


def test_a_database_without_a_spool_gets_one_where_that_is_wanted(pg_dsn):
    assert find_reader(pg_dsn) is None
    with pytest.raises(Refused, match="nothing was ever sent"), unsent(pg_dsn):
        pass
    for _ in range(2):
        with unsent(pg_dsn, make=True) as spool:
            spool.suppress([entry()], hashed=False)
    reader = find_reader(pg_dsn)
    assert set(reader.suppressed([ANN, BOB], MARKETING)) == {ANN}
    assert bare(reader.suppressions()) == [entry()]
    assert reader.count_suppressions() == [(EVERYTHING, "unsubscribed", 1, 1)]
    reader.close()


def test_a_folder_without_a_spool_gets_one_where_that_is_wanted(tmp_path):
    place = str(tmp_path / "spool")
    assert find_reader(place) is None
    with unsent(place, make=True) as spool:
        assert spool.hashes([ANN]) == [0]
        spool.suppress([entry()], hashed=True)
        (number,) = spool.hashes([ANN])
        assert [one.hash for one in spool.suppressions_of(ANN)] == [number]
    reader = find_reader(place)
    assert reader.hashes([ANN]) == [number]
    reader.close()


def test_a_reader_finds_them_beside_the_writer(tmp_path):
    path = str(tmp_path / "spool.sqlite3")
    store = SqliteStore(path)
    reader = open_reader(path)
    assert reader.suppressed([ANN], MARKETING) == {}
    assert reader.suppressions_of(ANN) == reader.suppressions() == reader.count_suppressions() == []
    store.suppress([entry()], hashed=False)
    assert set(reader.suppressed([ANN], MARKETING)) == {ANN}
    assert bare(reader.suppressions()) == bare(reader.suppressions_of(ANN)) == [entry()]
    reader.close()
    store.close()


def test_an_older_spool_has_none(tmp_path, raw):
    from bulkmail.spool.sqlite.database import MIGRATIONS

    path = str(tmp_path / "spool.sqlite3")
    old = raw(path)
    old.executescript("".join(script for number, script in MIGRATIONS if number < 7))
    old.execute(
        "INSERT INTO campaign (name, folder, state, key, digests, on_unknown, created_at) "
        "VALUES ('spring', '/c', 'ready', x'00', '{}', 'retry', 1.0)"
    )
    reader = Reader(path)
    assert reader.suppressed([ANN], MARKETING) == {}
    assert reader.suppressions_of(ANN) == reader.suppressions() == reader.count_suppressions() == []
    assert [row.audience for row in reader.campaigns()] == [Audience("spring", "spring")]
    assert reader.campaign("spring").kind == "marketing"
    reader.close()
    store = SqliteStore(path)
    assert store.campaign("spring").audience == Audience("spring", "spring")
    store.close()


def test_a_campaign_has_a_list_and_a_kind(store, kit):
    kit.campaign(store, "autumn")
    made = store.create_campaign(
        "spring", "/c", content={}, digests={}, files=[], now=1.0, list="news", kind="transactional"
    )
    assert made.audience == Audience("news", "spring", "transactional")
    assert [row.audience for row in store.campaigns()] == [Audience("autumn", "autumn"), made.audience]


def test_postgresql_looks_into_the_index_whatever_it_knows_of_the_table(pg_dsn, kit):
    from bulkmail.spool.postgres.database import SQL

    store = kit.open_postgres(pg_dsn)
    store.suppress([entry(f"u{n}@a.example") for n in range(5000)], hashed=True)
    explained = f"EXPLAIN {SQL['suppressions_of']}"
    plan = store.database.connection.execute(explained.encode(), {"hashes": "[1, 2, 3]"}).fetchall()
    store.close()
    assert "suppression_pkey" in str(plan)
    assert "Seq Scan" not in str(plan)
