from __future__ import annotations

from types import SimpleNamespace

from bulkmail.control.campaign_models import OverTimeAnswer
from bulkmail.control.over_time import MOST, over_time


class Reader:
    def __init__(self, rows, started=60_000.0, ended=None):
        self.rows, self.started, self.ended = rows, started, ended
        self.asked = []

    def campaign(self, name):
        return SimpleNamespace(id=7, started_at=self.started, ended_at=self.ended) if name == "spring" else None

    def over_time(self, campaign, width, provider):
        self.asked.append((campaign, width, provider))
        return self.rows


def told(reader, now, provider=""):
    found = over_time(reader, "spring", now, provider)
    OverTimeAnswer.model_validate(found)
    return found


def test_each_span_has_its_results_and_gaps_are_filled():
    rows = [
        (1000, "delivered", 50, 19),
        (1000, "delivered", 500, 1),
        (1000, "deferred", 10, 3),
        (1002, "failed", 10, 2),
    ]
    reader = Reader([*rows, (1002, "returned", 10, 9)])
    found = told(reader, 60_000.0 + 3600, "google")
    assert reader.asked == [(7, found["width"], "google")]
    assert [(one["delivered"], one["failed"], one["deferred"]) for one in found["buckets"]] == [
        (20, 0, 3),
        (0, 0, 0),
        (0, 2, 0),
    ]
    assert [one["accepted_ms"] for one in found["buckets"]] == [(50, 50), None, None]


def test_half_and_95_of_a_hundred():
    rows = [(1, "delivered", 10, 49), (1, "delivered", 20, 46), (1, "delivered", 5000, 5)]
    assert told(Reader(rows), 60_001.0)["buckets"][0]["accepted_ms"] == (20, 20)
    assert told(Reader([*rows, (1, "delivered", 7000, 1)]), 60_001.0)["buckets"][0]["accepted_ms"] == (20, 5000)


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


def test_a_campaign_that_is_not_there():
    assert over_time(Reader([]), "sprin", 0.0) is None
