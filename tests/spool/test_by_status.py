"""The rows of one status, a page at a time, whichever database the spool is in."""

from __future__ import annotations

import pytest

from bulkmail.spool import by_status


@pytest.fixture
def spool(read_store, kit):
    """A store with a campaign of which the first rows were tried, and one beside it; and a reader."""
    store, reader = read_store
    kit.campaign(store, "before", rows=[kit.row(1)])
    rows = [kit.row(n, verdict="invalid" if n == 4 else "ok", note="no @" if n == 4 else "") for n in range(1, 11)]
    identity = kit.campaign(store, rows=rows)
    kit.campaign(store, "behind", rows=[kit.row(1)])
    queue = next(queue for queue, campaign, _ in store.backlog(0, 10) if campaign == identity)
    got = store.claim([(queue, 5)], 5.0)[queue]
    ends = ["bounced", "delivered", "bounced", "bounced", "deferred"]
    store.settle([kit.outcome(one, end, provider="google") for one, end in zip(got, ends, strict=True)])
    return store, reader, identity


def numbers(found):
    rows, rest = found
    return [one.row.n for one in rows], rest


def test_the_last_rows_stand_first_with_all_that_is_known_of_them(spool):
    _, reader, identity = spool
    rows, rest = reader.with_status(identity, "bounced", None, 10)
    assert [(one.row.n, one.row.status, one.row.smtp_code, one.provider, one.next_at) for one in rows] == [
        (5, "bounced", 250, "google", None),
        (3, "bounced", 250, "google", None),
        (1, "bounced", 250, "google", None),
    ]
    assert rest is None
    ((waits,), rest) = reader.with_status(identity, "deferred", None, 10)
    assert (waits.row.n, waits.next_at, rest) == (6, 2600.0, None)


def test_only_those_at_one_provider(spool):
    _, reader, identity = spool
    assert numbers(reader.with_status(identity, "bounced", None, 2, "google")) == ([5, 3], 3)
    assert numbers(reader.with_status(identity, "bounced", 3, 2, "google")) == ([1], None)
    assert numbers(reader.with_status(identity, "bounced", None, 2, "other")) == ([], None)
    assert numbers(reader.with_status(identity, "pending", None, 10, "google")) == ([], None)
    assert numbers(reader.with_status(identity, "pending", None, 2, "other")) == ([10, 9], 9)


def test_a_page_says_where_the_next_one_begins(spool):
    _, reader, identity = spool
    assert numbers(reader.with_status(identity, "bounced", None, 2)) == ([5, 3], 3)
    assert numbers(reader.with_status(identity, "bounced", 3, 2)) == ([1], None)
    assert numbers(reader.with_status(identity, "bounced", None, 3)) == ([5, 3, 1], None)


def test_rows_by_their_numbers_in_the_order_asked_for(spool):
    _, reader, identity = spool
    found = reader.rows_at(identity, [(6, "google"), (1, "google"), (9, ""), (99, "")])
    assert [(one.row.n, one.row.status, one.provider, one.next_at) for one in found] == [
        (6, "deferred", "google", 2600.0),
        (1, "bounced", "google", None),
        (9, "pending", "", None),
    ]


def test_when_a_provider_is_tried_again(spool, kit):
    store, reader, identity = spool
    assert reader.next_tries(identity) == {"google": 2600.0}
    assert reader.next_tries(identity + 1) == {}
    queue = store.due_queues(3000.0, 1)[0][0]
    (again,) = [row for row in store.claim([(queue, 1)], 3000.0)[queue] if row.number == 6]
    store.settle([kit.outcome(again, "deferred", at=3000.0, provider="yahoo")])
    assert reader.next_tries(identity) == {"yahoo": 3600.0}


def test_rows_that_were_not_tried_and_those_that_never_are(spool):
    _, reader, identity = spool
    assert numbers(reader.with_status(identity, "pending", None, 3)) == ([10, 9, 8], 8)
    assert numbers(reader.with_status(identity, "pending", 8, 3)) == ([7], None)
    ((never,), _) = reader.with_status(identity, "invalid", None, 3)
    assert (never.row.n, never.row.note, never.row.attempts) == (4, "no @", 0)
    assert reader.with_status(identity, "unknown", None, 3) == ([], None)


def test_the_numbers_are_those_of_the_totals(spool):
    _, reader, identity = spool
    for (_, status, _), count in reader.totals(identity).items():
        assert len(reader.with_status(identity, status, None, 100)[0]) == count


@pytest.mark.parametrize("before", [0, 1, 10**12, 10**17])
def test_any_number_may_be_asked_for(spool, before):
    _, reader, identity = spool
    rows, rest = reader.with_status(identity, "bounced", before, 100)
    assert ([one.row.n for one in rows], rest) == ([] if before < 2 else [5, 3, 1], None)


def test_a_campaign_without_rows_has_none(spool, kit):
    store, reader, _ = spool
    assert reader.with_status(kit.campaign(store, "empty"), "pending", None, 10) == ([], None)


def test_so_many_rows_are_looked_at_and_the_rest_when_asked(spool, monkeypatch):
    _, reader, identity = spool
    monkeypatch.setattr(by_status, "_AT_ONCE", 2)
    monkeypatch.setattr(by_status, "_LOOKED_AT", 4)
    assert numbers(reader.with_status(identity, "bounced", None, 2)) == ([], 7)
    assert numbers(reader.with_status(identity, "bounced", 7, 2)) == ([5, 3], 3)
    assert numbers(reader.with_status(identity, "bounced", 3, 2)) == ([1], None)
