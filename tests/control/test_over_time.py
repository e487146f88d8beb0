from __future__ import annotations

import json
from collections import Counter
from types import SimpleNamespace

import pytest

from bulkmail.control.campaign_models import OverTimeAnswer
from bulkmail.control.over_time import MOST, OverTime
from bulkmail.mail import LateEvent, LateResult, token
from bulkmail.shaping import AutoSuppression
from bulkmail.spool import Arrival, Attempt, Settlement, SqliteStore, open_reader

RESULTS = ("delivered", "failed", "deferred", "unknown")


class Reader:
    """``rows``: (second, result, milliseconds, attempts)."""

    def __init__(self, rows, started=60_000.0, ended=None):
        self.rows, self.started, self.ended = rows, started, ended
        self.read = []

    def campaign(self, name):
        return SimpleNamespace(id=7, started_at=self.started, ended_at=self.ended) if name == "spring" else None

    def attempt_sums(self, campaign, after, width):
        self.read.append((campaign, after))
        rows = list(enumerate(self.rows, 1))[after:]
        return [(n, at // width, "google", result, within, count) for n, (at, result, within, count) in rows]


def told(reader, now, provider="", over_time=None):
    found = (over_time or OverTime()).tell(reader, "spring", now, provider)
    OverTimeAnswer.model_validate(found)
    return found


def test_each_span_has_its_results_and_gaps_are_filled():
    rows = [
        (60_000, "delivered", 50, 19),
        (60_059, "delivered", 500, 1),
        (60_000, "deferred", 0, 3),
        (60_120, "failed", 0, 2),
        (60_120, "returned", 0, 9),
    ]
    found = told(Reader(rows), 60_000.0 + 3600, "google")
    assert (found["width"], found["provider"]) == (60, "google")
    assert [(one["delivered"], one["failed"], one["deferred"]) for one in found["buckets"]] == [
        (20, 0, 3),
        (0, 0, 0),
        (0, 2, 0),
    ]
    assert [one["accepted_ms"] for one in found["buckets"]] == [(50, 50), None, None]
    assert told(Reader(rows), 60_000.0 + 3600, "yahoo")["buckets"] == []


def test_half_and_95_of_a_hundred():
    rows = [(60_000, "delivered", 10, 49), (60_000, "delivered", 20, 46), (60_000, "delivered", 5000, 5)]
    assert told(Reader(rows), 60_001.0)["buckets"][0]["accepted_ms"] == (20, 20)
    assert told(Reader([*rows, (60_000, "delivered", 7000, 1)]), 60_001.0)["buckets"][0]["accepted_ms"] == (20, 5000)


def test_the_spans_widen_with_the_time():
    assert [told(Reader([]), 60_000.0 + lasts)["width"] for lasts in (1, 100, 3600, 86_400, 10 * 86_400)] == [
        1,
        1,
        60,
        1800,
        10_800,
    ]
    assert told(Reader([]), 60_000.0)["buckets"] == []
    late = told(Reader([(1, "delivered", 10, 1), (5000, "delivered", 10, 1)], ended=60_001.0), 0.0)
    assert len(late["buckets"]) == MOST


def test_only_what_is_new_is_read_and_the_campaigns_asked_for_last_are_kept():
    over_time, reader = OverTime(kept=1), Reader([(60_000, "delivered", 10, 1)] * 3)
    assert told(reader, 60_010.0, over_time=over_time)["buckets"][0]["delivered"] == 3
    reader.read.clear()
    reader.rows.append((60_001, "failed", 0, 1))
    assert [one["failed"] for one in told(reader, 60_010.0, over_time=over_time)["buckets"]] == [0, 1]
    assert reader.read == [(7, 3), (7, 4)]
    other = Reader([])
    other.campaign = lambda _: SimpleNamespace(id=8, started_at=1.0, ended_at=None)
    told(other, 60_010.0, over_time=over_time)
    told(reader, 60_010.0, over_time=over_time)
    assert reader.read[2] == (7, 0)


def test_a_campaign_that_is_not_there():
    assert OverTime().tell(Reader([]), "sprin", 0.0) is None


@pytest.fixture(params=["file", "postgres"])
def spool(request, tmp_path):
    """A store, and a reader beside it."""
    if request.param == "postgres":
        from bulkmail.spool.postgres.store import PostgresStore

        address = request.getfixturevalue("pg_server").fresh()
        store = PostgresStore(address, identity="one", name="one", boot="boot")
    else:
        address, store = str(tmp_path), SqliteStore(str(tmp_path / "spool.sqlite3"))
    reader = open_reader(address)
    yield store, reader
    reader.close()
    store.close()


def made(store, rows):
    campaign = store.create_campaign("spring", "/c", content={}, digests={}, files=[("r.csv", ["email"])], now=1000.0)
    listed = [(n, 0, n, f"u{n}@a.example", "a.example", json.dumps([f"u{n}@a.example"]), "ok", "") for n in rows]
    store.add_rows(campaign.id, listed, {}, True, 1000.0)
    store.set_state(campaign.id, "running", 1000.0)
    return campaign


def settle(store, statuses, at, provider):
    """Settle so many rows that can be sent."""
    queues = [row[0] for row in [*store.backlog(0, 9), *store.due_queues(at, 9)]]
    claimed = [row for rows in store.claim([(queue, len(statuses)) for queue in queues], at).values() for row in rows]
    for row, status in zip(claimed, statuses, strict=True):
        waits = status == "deferred"
        attempt = Attempt(at, row.attempts + 1, "failed" if status == "bounced" else status, duration_ms=30)
        ends = {"next_at": at + 50} if waits else {"completed_at": at}
        store.settle([Settlement(row.id, row.queue_id, status, "", provider, attempt, bytes=10, **ends)])


def sums(found):
    return Counter({result: sum(one[result] for one in found["buckets"]) for result in RESULTS})


def test_it_adds_up_with_the_counts_by_status_after_a_restart_and_what_came_back_too(spool):
    store, reader = spool
    campaign, over_time = made(store, range(1, 8)), OverTime()
    settle(store, ["delivered", "deferred", "bounced"], 1001.0, "google")
    assert sums(told(reader, 1300.0, over_time=over_time)) == {"delivered": 1, "failed": 1, "deferred": 1, "unknown": 0}
    settle(store, ["delivered", "unknown", "delivered", "delivered"], 1020.0, "")
    settle(store, ["delivered"], 1200.0, "google")
    back = LateEvent(LateResult.RETURNED, 1250.0, "bounced", "bad-mailbox", 550, key="k")
    [recorded] = store.record_late([Arrival(token(campaign.key, 1), back, AutoSuppression())])
    assert recorded.after
    for provider in ("", "google", "other"):
        found = told(reader, 1300.0, provider, over_time)
        assert found == told(reader, 1300.0, provider), "as it is after a restart"
        rows = Counter()
        for (at, status, _), count in store.totals(campaign.id).items():
            if provider in ("", at or "other"):
                rows[status] += count
        came_back = int(provider != "other")
        assert sums(found)["delivered"] == rows["delivered"] + came_back
        assert sums(found)["failed"] == rows["bounced"] - came_back
        assert sums(found)["unknown"] == rows["unknown"]
    assert sums(told(reader, 1300.0, over_time=over_time)).total() == 8


def test_a_campaign_that_was_removed_leaves_nothing_to_one_of_its_name(spool):
    store, reader = spool
    campaign, over_time = made(store, [1]), OverTime()
    settle(store, ["delivered"], 1001.0, "google")
    assert sums(told(reader, 1300.0, over_time=over_time))["delivered"] == 1
    store.set_state(campaign.id, "finished", 1100.0)
    while not store.remove_campaign(campaign.id):
        pass
    assert over_time.tell(reader, "spring", 1300.0) is None
    made(store, [1])
    assert told(reader, 1300.0, over_time=over_time)["buckets"] == []
