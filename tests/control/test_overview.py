from __future__ import annotations

import json
import os

import pytest
from pydantic import TypeAdapter

from bulkmail.control.campaign_models import CampaignAnswer
from bulkmail.control.overview import overview, plain_situation, stamp
from bulkmail.delivery import LiveCampaign, LiveSite
from bulkmail.mail import Standing, situation
from bulkmail.spool import Attempt, Hold, Reader, Settlement, Sign, StoredPlan
from bulkmail.spool.opening import open_all
from tests.retrying import RetryPlan

NOW = 1796133900.0  # 2026-12-01T14:05:00Z
CHECKED = TypeAdapter(list[CampaignAnswer])


@pytest.fixture
def spool(tmp_path):
    """A spool that is in use, with a running campaign of three rows; its store, and a reader."""
    folder = str(tmp_path / "spool")
    store, journal, lock, _ = open_all(folder, "boot", RetryPlan(), NOW - 100)
    made = store.create_campaign(
        "spring", "/c", key=b"k" * 32, content={}, digests={}, files=[("r.csv", ["email"])], now=NOW - 100
    )
    rows = [(n, 0, n, f"u{n}@a.example", "a.example", json.dumps([f"u{n}@a.example"]), "ok", "") for n in (1, 2, 3)]
    store.add_rows(made.id, rows, {}, True, NOW - 100)
    store.set_state(made.id, "running", NOW - 90)
    store.give_sign(Sign("mta1", os.getpid(), NOW - 2))
    reader = Reader(folder)

    def end():
        store.close()
        journal.close()
        lock.release()

    yield store, reader, end
    reader.close()


def told(reader, **given):
    found = overview(reader, NOW, **given)
    CHECKED.validate_python(found)
    return found


def settle(store, status, **more):
    (queue, *_) = store.backlog(0, 1)[0]
    (row,) = store.claim([(queue, 1)], NOW - 50)[queue]
    attempt = Attempt(NOW - 50, 1, more.pop("result"), more.get("category", ""))
    store.settle([Settlement(row.id, queue, status, provider="google", attempt=attempt, **more)])


def test_of_the_campaigns_that_have_ended_only_the_newest(spool):
    store, reader, _ = spool
    for name in ("old", "older"):
        made = store.create_campaign(name, "/c", content={}, digests={}, files=[("r.csv", ["email"])], now=NOW)
        store.set_state(made.id, "finished", NOW, exit_status=0)
    assert [one["campaign"] for one in told(reader, ended=1)] == ["spring", "older"]
    assert [one["campaign"] for one in told(reader, ended=0)] == ["spring"]
    assert len(told(reader, ended=5)) == 3
    assert [one["campaign"] for one in told(reader, ended=1, skip=1)] == ["spring", "old"]
    assert [one["campaign"] for one in told(reader, skip=1)] == ["spring", "old"]
    assert [one["campaign"] for one in told(reader, ended=5, skip=9)] == ["spring"]


def test_a_campaign_that_is_being_sent(spool):
    store, reader, _ = spool
    settle(store, "delivered", result="delivered", completed_at=NOW - 50)
    (found,) = told(reader)
    assert (found["campaign"], found["state"], found["input_rows"]) == ("spring", "running", 3)
    assert {status: count for status, count in found["by_status"].items() if count} == {"delivered": 1, "pending": 2}
    assert found["by_provider"] == {"google": {"delivered": 1}}
    assert found["situation"]["word"] == "sending"
    assert found["situation"]["alive"] is True
    assert (found["started_at"], found["rate"]) == ("2026-12-01T14:03:30.000Z", None)
    assert told(reader, name="autumn") == []


def test_a_process_that_was_killed_is_told_at_once(spool):
    _, reader, end = spool
    end()
    (found,) = told(reader)
    assert found["situation"] == {
        "word": "dead",
        "sentence": "Nothing is sent: its process has ended without stopping it; it was last heard of at 14:04 UTC. "
        "The next start goes on.",
        "reason": "no process is sending it",
        "since": "2026-12-01T14:04:58.000Z",
        "next_attempt_at": None,
        "alive": False,
        "fault": "",
        "planned_end_at": None,
        "expected_end_at": None,
    }


def test_a_campaign_without_a_process_says_when_it_was_planned_to_end(spool):
    store, reader, end = spool
    row = reader.campaign("spring")
    store.save_plan(row.id, StoredPlan(3, NOW - 90, NOW + 600, 0.1))
    end()
    (found,) = told(reader)
    assert found["situation"]["planned_end_at"] == "2026-12-01T14:15:00.000Z"
    assert found["situation"]["expected_end_at"] is None
    assert found["situation"]["sentence"].endswith(" The next start goes on. Planned to end 14:15 UTC.")


def test_the_fault_of_a_process_is_told_with_its_words(spool):
    store, reader, _ = spool
    store.give_sign(Sign("mta1", os.getpid(), NOW - 2, "the disk is full", NOW - 300))
    (found,) = told(reader)
    assert (found["situation"]["word"], found["situation"]["fault"]) == ("faulty", "the disk is full")


def test_a_process_that_is_there_and_says_nothing_is_no_good_sign(spool):
    store, reader, _ = spool
    store.give_sign(Sign("mta1", os.getpid(), NOW - 60))
    (found,) = told(reader)
    assert found["situation"]["word"] == "faulty"
    assert found["situation"]["reason"] == "its process is there and gives no sign of life"


def test_what_only_waits_says_until_when(spool):
    store, reader, _ = spool
    for _ in range(3):
        settle(store, "deferred", result="deferred", category="greylisted", next_at=NOW + 600)
    (found,) = told(reader)
    assert found["situation"]["sentence"] == "Waiting: 3 deferred, next try 14:15 UTC."
    assert found["by_category"] == {"greylisted": 3}


def test_a_pause_is_told_and_so_is_one_at_a_provider(spool):
    store, reader, _ = spool
    store.hold(Hold(1, "paused", "complaints", NOW - 60, "google", "ann", NOW + 60))
    (found,) = told(reader)
    assert found["situation"]["word"] == "sending"
    assert "google: Paused by ann" in found["situation"]["sentence"]
    store.hold(Hold(1, "paused", "wrong price", NOW - 60, "", "ann"))
    (found,) = told(reader)
    assert (found["situation"]["word"], found["situation"]["reason"]) == ("paused", "wrong price")
    assert found["holds"][1] == {
        "kind": "paused",
        "provider": "google",
        "reason": "complaints",
        "who": "ann",
        "since": "2026-12-01T14:04:00.000Z",
        "until": "2026-12-01T14:06:00.000Z",
    }


def test_what_a_living_process_says_comes_first(spool):
    _, reader, _ = spool
    doing = situation(Standing(state="running", alive=True, fault="no resolver"), NOW)
    live = {"spring": LiveCampaign(doing, 12.34, 9, {"google": 3, "": 1})}
    site = LiveSite(
        "mx.a.example", "mx.a.example~1", "", "suspended", "421 no", NOW - 60, NOW + 60, 0, 0, 0, "suspended"
    )
    (found,) = told(reader, live=live, sites=[site])
    assert found["situation"] == plain_situation(doing)
    assert (found["rate"], found["seconds_left"]) == (12.3, 9)
    assert found["in_flight"] == {"google": 3, "other": 1}
    assert found["waiting_sites"] == [
        {"site": "mx.a.example", "why": "421 no", "since": stamp(NOW - 60), "until": stamp(NOW + 60)}
    ]
