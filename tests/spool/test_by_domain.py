"""The domains of a provider in a campaign, whichever database the spool is in."""

from __future__ import annotations

import pytest

from bulkmail.spool import by_domain


@pytest.fixture
def spool(read_store, kit):
    """A campaign with three rows at each of four domains, the first two at one provider; the last was not tried."""
    store, reader = read_store
    domains = ["a.example", "b.example", "c.example", "d.example"]
    rows = [kit.row(3 * at + n, domain) for at, domain in enumerate(domains) for n in (1, 2, 3)]
    identity = kit.campaign(store, rows=rows)
    ends = {"a.example": ("bounced", "deferred"), "b.example": ("delivered", "delivered", "deferred")}
    ends["c.example"] = ("blocked",)
    for queue, _, domain in store.backlog(0, 10):
        if domain in ends:
            got = store.claim([(queue, len(ends[domain]))], 5.0)[queue]
            provider = "" if domain == "c.example" else "google"
            store.settle([kit.outcome(one, end, provider=provider) for one, end in zip(got, ends[domain], strict=True)])
    return store, reader, identity


def told(found):
    rows, whole = found
    return [tuple(row[1:]) for row in rows], whole


def test_the_domains_of_a_provider_with_what_came_of_their_rows(spool):
    _, reader, identity = spool
    both = [("b.example", 2, 0, 1), ("a.example", 0, 1, 1)]
    assert told(reader.domains_at(identity, "google", 10)) == (both, True)
    assert told(reader.domains_at(identity, "google", 2)) == (both, True)
    assert told(reader.domains_at(identity, "google", 1)) == (both[:1], False)
    assert told(reader.domains_at(identity, "other", 10)) == ([("c.example", 0, 1, 0)], True)
    assert told(reader.domains_at(identity, "yahoo", 10)) == told(reader.domains_at(99, "google", 10)) == ([], True)
    (first, second), _ = reader.domains_at(identity, "google", 2)
    assert [reader.rows_of_domain(identity, one.queue_id) for one in (first, second)] == [3, 3]


def test_the_counts_are_those_of_now(spool, kit):
    store, reader, identity = spool
    for queue, *_ in store.due_queues(3000.0, 10):
        store.settle(
            [kit.outcome(row, at=3000.0, provider="google") for row in store.claim([(queue, 9)], 3000.0)[queue]]
        )
    found, _ = reader.domains_at(identity, "google", 10)
    assert [(one.deferred, one.delivered + one.failed <= 3) for one in found] == [(0, True)] * 2


def test_so_many_domains_are_looked_at_and_no_more(spool, monkeypatch):
    _, reader, identity = spool
    monkeypatch.setattr(by_domain, "_AMONG", 1)
    assert told(reader.domains_at(identity, "google", 10)) == ([("b.example", 2, 0, 1)], False)
    assert told(reader.domains_at(identity, "other", 10)) == ([], False)
