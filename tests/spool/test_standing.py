"""What a reader tells, whichever database the spool is in."""

from __future__ import annotations


def test_a_campaign_stands_as_it_is_read_part_by_part(spool):
    _, reader, identity = spool
    row = next(row for row in reader.campaigns() if row.id == identity)
    stands = reader.standing(row)
    assert stands.totals == reader.totals(identity)
    assert stands.late == reader.late_counts(identity)
    assert (stands.clicks, stands.plan) == (reader.clicks(identity), reader.plan(identity))
    assert stands.outlook == reader.outlook(identity)


def test_what_is_left_to_send(spool, kit):
    store, reader, identity = spool
    assert reader.outlook(identity) == (True, 99.0)
    other = reader.campaign("other").id
    [queue] = [queue for queue, campaign, _ in store.backlog(0, 10) if campaign == other]
    store.settle([kit.outcome(row) for row in store.claim([(queue, 5)], 5.0)[queue]])
    assert reader.outlook(other) == (False, None)
