from __future__ import annotations

import os

import pytest

from bulkmail.mail import Refused, UnknownName, WrongState
from bulkmail.spool import (
    CancelRequest,
    Hold,
    SiteFact,
    SqliteStore,
    forget_sites,
    hold_campaign,
    lift_hold,
    open_reader,
    remove_campaign,
    request_cancel,
    try_now,
)
from bulkmail.spool.place import Lock

FOLLOW = SiteFact("mx.a.example~1f", "follow", 0.0, 100.0, 200.0)
TLS = SiteFact("192.0.2.1", "tls", 0.0, 90.0, 300.0)


def test_one_site_or_all_are_forgotten(tmp_path):
    store = SqliteStore(str(tmp_path / "spool.sqlite3"))
    others = [TLS, FOLLOW._replace(site="mx.a.example.net~1f"), FOLLOW._replace(site="mx.a.exampl_~1f")]
    store.remember([FOLLOW, FOLLOW._replace(fact="pipelining"), *others])
    store.close()
    assert forget_sites(str(tmp_path), "mx.a.example") == 2
    assert forget_sites(str(tmp_path), "mx.a.example") == 0
    assert forget_sites(str(tmp_path), "192.0.2.1") == 1
    assert forget_sites(str(tmp_path), None) == 2


def test_not_while_a_process_has_it_and_nothing_is_made(tmp_path):
    with pytest.raises(Refused, match="nothing was ever sent from this spool"):
        forget_sites(str(tmp_path), None)
    assert os.listdir(tmp_path) == []
    SqliteStore(str(tmp_path / "spool.sqlite3")).close()
    lock = Lock(str(tmp_path))
    with pytest.raises(Refused, match="in use by process"):
        forget_sites(str(tmp_path), None)
    lock.release()
    assert forget_sites(str(tmp_path), None) == 0


@pytest.fixture
def spring(tmp_path, kit):
    """A campaign of three rows in a spool that no process has in use."""
    store = SqliteStore(str(tmp_path / "spool.sqlite3"))
    kit.campaign(store, rows=[kit.row(n) for n in range(1, 4)])
    store.close()
    return str(tmp_path)


def test_a_campaign_is_held_and_released_without_a_service(spring):
    hold_campaign(spring, "spring", now=100.0, reason="the list is wrong", who="ann", until=900.0)
    reader = open_reader(spring)
    assert reader.holds() == [Hold(1, "paused", "the list is wrong", 100.0, "", "ann", 900.0)]
    reader.close()
    lift_hold(spring, "spring", now=200.0)
    with pytest.raises(WrongState, match=r"^spring is not paused$"):
        lift_hold(spring, "spring", now=200.0)
    with pytest.raises(UnknownName, match="the nearest is 'spring'"):
        hold_campaign(spring, "sprin", now=100.0)


def test_a_hold_that_has_run_out_is_no_hold(spring):
    hold_campaign(spring, "spring", now=100.0, until=150.0)
    with pytest.raises(WrongState, match=r"^spring is not paused$"):
        lift_hold(spring, "spring", now=200.0)


def test_the_end_of_a_campaign_is_asked_for_without_a_service(spring):
    request_cancel(spring, "spring", now=100.0, reason="wrong list", who="ann")
    for again in (lambda: request_cancel(spring, "spring", now=1.0), lambda: hold_campaign(spring, "spring", now=1.0)):
        with pytest.raises(WrongState, match="is being cancelled, which cannot be undone"):
            again()
    reader = open_reader(spring)
    assert reader.campaign("spring").state == "cancelling"
    assert reader.cancel_requests() == [CancelRequest(1, "wrong list", "ann", 100.0)]
    reader.close()


def test_one_whose_report_is_not_whole_is_removed_where_its_folder_is_gone_or_it_is_asked_for(spring, kit):
    store = SqliteStore(spring + "/spool.sqlite3")
    gone, there = (
        store.create_campaign(
            name, folder, key=b"k" * 32, content={}, digests={}, files=[("r.csv", ["email"])], now=1.0
        )
        for name, folder in (("gone", spring + "/none"), ("there", spring))
    )
    for one in (gone, there):
        store.set_state(one.id, "cancelled", 5.0)
    store.close()
    remove_campaign(spring, "gone")
    with pytest.raises(WrongState, match=r"its last report was not written to its end; .* --without-report"):
        remove_campaign(spring, "there")
    remove_campaign(spring, "there", without_report=True)
    reader = open_reader(spring)
    assert [row.name for row in reader.campaigns()] == ["spring"]
    reader.close()


def test_a_campaign_that_has_ended_is_removed_and_no_other(spring, kit):
    with pytest.raises(WrongState, match="cancel it first"):
        remove_campaign(spring, "spring")
    store = SqliteStore(spring + "/spool.sqlite3")
    other = kit.campaign(store, "autumn", rows=[kit.row(1)])
    assert store.cancel_rows(1, 10, 5.0) == 3
    store.set_state(1, "finished", 5.0)
    store.report_is_whole(1)
    store.close()
    remove_campaign(spring, "spring")
    store = SqliteStore(spring + "/spool.sqlite3")
    assert [row.id for row in store.campaigns()] == [other]
    assert kit.asked(store, "SELECT count(*) FROM recipient") == [(1,)]
    store.close()


def test_a_spool_in_use_or_copied_away_is_not_steered(spring):
    lock = Lock(spring)
    with pytest.raises(Refused, match="in use by process"):
        hold_campaign(spring, "spring", now=1.0)
    lock.release()
    store = SqliteStore(spring + "/spool.sqlite3")
    with store.database.transaction():
        store.database.execute("set_meta", ("moved_to", "/there"))
    store.close()
    with pytest.raises(Refused, match="was copied to /there"):
        request_cancel(spring, "spring", now=1.0)


def test_what_was_put_off_is_due_at_once(spring, kit):
    store = SqliteStore(spring + "/spool.sqlite3")
    [(queue, campaign, _)] = store.backlog(0, 10)
    store.settle(
        [kit.outcome(row, "deferred", at=5.0, next_at=9000.0) for row in store.claim([(queue, 2)], 4.0)[queue]]
    )
    store.close()
    assert try_now(spring, "spring", now=10.0, site="nowhere.example").rows == 0
    assert try_now(spring, "spring", now=10.0, who="ann").rows == 2
    store = SqliteStore(spring + "/spool.sqlite3")
    assert store.next_due(campaign) == 10.0
    store.cancel_rows(campaign, 10, 11.0)
    store.set_state(campaign, "finished", 11.0)
    store.close()
    with pytest.raises(WrongState, match="finished already, and cannot be tried now"):
        try_now(spring, "spring", now=12.0)
