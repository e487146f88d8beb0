from __future__ import annotations

import pytest

from bulkmail.control.by_domain import ByDomain
from bulkmail.control.campaign_models import DomainsAnswer
from bulkmail.spool.by_domain import DomainStanding


class Reader:
    """What a spool would say of one campaign. ``counted``: the queues whose rows were counted."""

    def __init__(self, rows, *, read=True):
        self.rows, self.counted = rows, []
        self.found = type("Row", (), {"id": 7, "import_done": read, "input_rows": 1000})

    def campaign(self, name):
        return self.found if name == "spring" else None

    def domains_at(self, campaign_id, provider, limit):
        assert (campaign_id, provider, limit) == (7, "google", 50)
        return [DomainStanding(1, "b.example", 3, 1, 2), DomainStanding(2, "a.example", 0, 0, 4)], True

    def rows_of_domain(self, campaign_id, queue_id):
        assert campaign_id == 7
        self.counted.append(queue_id)
        return self.rows[queue_id]


def test_what_waits_is_what_has_no_outcome():
    found = ByDomain().tell(Reader({1: 10, 2: 20}), "spring", "google")
    DomainsAnswer.model_validate(found)
    assert found["whole"] is True
    assert [tuple(one.values()) for one in found["domains"]] == [
        ("a.example", 20, 16, 0, 4, 0),
        ("b.example", 10, 4, 3, 2, 1),
    ]


def test_rows_are_counted_once_and_anew_where_the_list_has_changed():
    by_domain, reader = ByDomain(), Reader({1: 10, 2: 20})
    for _ in range(3):
        by_domain.tell(reader, "spring", "google")
    assert reader.counted == [1, 2]
    reader.found.input_rows = 1001
    by_domain.tell(reader, "spring", "google")
    assert reader.counted == [1, 2, 1, 2]


def test_few_counts_are_kept():
    by_domain, reader = ByDomain(kept=1), Reader({1: 10, 2: 20})
    for _ in range(2):
        assert len(by_domain.tell(reader, "spring", "google")["domains"]) == 2
    assert reader.counted == [1, 2, 1, 2]


def test_nothing_is_counted_while_the_list_is_read():
    reader = Reader({}, read=False)
    assert [one["waiting"] for one in ByDomain().tell(reader, "spring", "google")["domains"]] == [None, None]
    assert reader.counted == []


def test_no_such_campaign_and_a_real_spool(waiting):
    assert ByDomain().tell(Reader({}), "autumn", "google") is None
    assert ByDomain().tell(waiting, "spring", "other")["domains"] == []


@pytest.mark.parametrize(("rows", "left"), [(6, 0), (5, 0), (9, 3)])
def test_there_are_never_less_than_none(rows, left):
    found = ByDomain().tell(Reader({1: rows, 2: 4}), "spring", "google")
    assert next(one["waiting"] for one in found["domains"] if one["domain"] == "b.example") == left
