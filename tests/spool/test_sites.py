from __future__ import annotations

import pytest

from bulkmail.mail import OwnFault
from bulkmail.spool import ReceiverPolicy, SiteFact, SqliteStore

FOLLOW = SiteFact("mx.a.example~1f", "follow", 0.0, 100.0, 200.0)
TLS = SiteFact("192.0.2.1", "tls", 0.0, 90.0, 300.0)


def test_the_newest_first_and_the_expired_dropped(store):
    store.remember([TLS, FOLLOW])
    assert store.site_facts(150.0) == [FOLLOW, TLS]
    assert store.site_facts(200.0) == [TLS]
    assert store.site_facts(150.0) == [TLS], "gone for good"


def test_a_later_lesson_takes_the_place_of_the_earlier(store):
    store.remember([FOLLOW, TLS])
    again = FOLLOW._replace(value=3.0, learned_at=120.0, expires_at=500.0)
    store.remember([again], [("192.0.2.1", "tls"), ("nobody", "tls")])
    assert store.site_facts(150.0) == [again]


def test_the_policies_of_receivers_the_newest_first_and_the_expired_dropped(store):
    shop = ReceiverPolicy("shop.test", "one", 90.0, 200.0, "version: STSv1")
    store.keep_policies([shop, ReceiverPolicy("old.test", "one", 95.0, 150.0, "")])
    again = shop._replace(id="two", fetched_at=100.0, expires_at=300.0)
    late = ReceiverPolicy("late.test", "one", 99.0, 300.0, "x")
    store.keep_policies([late, again])
    assert store.policies(150.0) == [again, late]
    assert store.policies(0.0) == [again, late], "gone for good"


def test_all_of_a_batch_or_nothing(store):
    with pytest.raises(Exception, match=r"(?i)not.null"):
        store.remember([TLS, FOLLOW._replace(value=None)])
    assert store.site_facts(0.0) == []


def test_it_is_there_after_a_restart(tmp_path):
    path = str(tmp_path / "spool.sqlite3")
    store = SqliteStore(path)
    store.remember([FOLLOW, TLS])
    store.close()
    store = SqliteStore(path)
    assert store.site_facts(150.0) == [FOLLOW, TLS]
    store.close()


def test_a_file_that_cannot_be_written_is_our_own_fault(tmp_path, raw):
    path = str(tmp_path / "spool.sqlite3")
    store = SqliteStore(path)
    store.database._connection.execute("PRAGMA busy_timeout = 1")
    other = raw(path)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(OwnFault, match="locked"):
        store.remember([TLS])
    other.execute("ROLLBACK")
    store.remember([TLS])
    assert store.site_facts(0.0) == [TLS]
    store.close()
