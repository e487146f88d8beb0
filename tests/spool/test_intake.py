from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bulkmail.spool import SqliteStore, recipient_id


def test_rows_are_stored_once_with_the_readers_state(store, kit):
    rows = [kit.row(1), kit.row(2, "b.example"), kit.row(3)]
    identity = kit.campaign(store, rows=rows, done=False)
    found = store.campaign("spring")
    assert (found.input_rows, found.import_done) == (3, False)
    assert store.import_state(identity) == {"offset": 3}
    store.add_rows(identity, [kit.row(2), kit.row(3), kit.row(4)], ("x", 4), done=True, now=5.0)
    store.add_rows(identity, [], ("x", 4), done=True, now=5.0)
    found = store.campaign("spring")
    assert (found.input_rows, found.import_done) == (4, True)
    assert store.import_state(identity) == ["x", 4]
    assert store.totals(identity) == {("", "pending", ""): 4}
    kit.check_laws(store)


def test_a_hole_in_the_numbers_is_refused_and_nothing_stored(store, kit):
    identity = kit.campaign(store, rows=[kit.row(1)])
    for rows in ([kit.row(3)], [kit.row(2), kit.row(4)]):
        with pytest.raises(ValueError, match="do not follow on row 1"):
            store.add_rows(identity, rows, None, done=False)
    with pytest.raises(LookupError):
        store.add_rows(99, [kit.row(1)], None, done=False)
    assert store.campaign("spring").input_rows == 1
    kit.check_laws(store)


def test_each_verdict_has_its_place(store, kit):
    verdicts = ["ok", "invalid", "duplicate", "suppressed", "held", "bad-row"]
    rows = [kit.row(n, verdict=verdict, note=f"why {n}") for n, verdict in enumerate(verdicts, 1)]
    identity = kit.campaign(store, rows=rows)
    places = kit.check_laws(store)
    assert [places[recipient_id(identity, n)] for n in range(1, 6)] == ["pending", "final", "final", "final", "held"]
    assert store.totals(identity) == {
        ("", "pending", ""): 2,
        ("", "invalid", "invalid-address"): 1,
        ("", "invalid", "bad-row"): 1,
        ("", "duplicate", ""): 1,
        ("", "suppressed", ""): 1,
    }
    assert store.held_back(identity, 10) == 1


def test_an_unknown_verdict_is_refused(store, kit):
    with pytest.raises(ValueError, match="maybe"):
        kit.campaign(store, rows=[kit.row(1, verdict="maybe")])
    assert store.campaign("spring").input_rows == 0


def test_rows_held_back_are_not_claimed_until_they_are_told_apart(store, kit):
    identity = kit.campaign(store, rows=[kit.row(n, verdict="held") for n in (1, 2, 3)])
    assert store.backlog(0, 10) == []
    for ended in (1, 0):
        verdicts = [(1, True, "same"), (1, True, "same"), (2, False, ""), (2, False, "")]
        assert store.settle_held(identity, verdicts, 50.0) == ended
        kit.check_laws(store)
    assert store.held_back(identity, 10) == 1
    assert store.totals(identity) == {("", "pending", ""): 2, ("", "duplicate", ""): 1}
    [(queue_id, _, _, at)] = store.due_queues(50.0, 10)
    assert at == 50.0
    [claimed] = store.claim([(queue_id, 10)], 60.0)[queue_id]
    assert (claimed.number, claimed.date, claimed.status, claimed.previous) == (2, 60.0, "pending", None)
    store.settle_held(identity, [(2, True, ""), (3, False, "")], 70.0)
    kit.check_laws(store)
    store.settle([kit.outcome(claimed)])
    store.settle_held(identity, [(2, True, "")], 80.0)
    assert store.totals(identity)["", "delivered", ""] == 1
    kit.check_laws(store)


def test_a_queue_that_ran_dry_has_new_rows_again(store, kit):
    identity = kit.campaign(store, rows=[kit.row(1)])
    [(queue_id, _, domain)] = store.backlog(0, 10)
    assert domain == "example.com"
    store.claim([(queue_id, 10)], 5.0)
    assert store.backlog(0, 10) == []
    store.add_rows(identity, [kit.row(2)], None, done=True)
    assert store.backlog(0, 10) == [(queue_id, identity, "example.com")]
    kit.check_laws(store)


def test_the_queues_of_one_campaign_are_found_alone(store, kit):
    first = kit.campaign(store, "first", rows=[kit.row(1), kit.row(2, domain="b.example")])
    second = kit.campaign(store, "second", rows=[kit.row(1)])
    waiting = kit.campaign(store, "waiting", rows=[kit.row(1)], running=False)
    assert [campaign for _, campaign, _ in store.backlog(0, 10)] == [first, first, second]
    assert [len(store.backlog(0, 10, campaign)) for campaign in (first, second, waiting)] == [2, 1, 0]
    (one, _, _), (other, _, _) = store.backlog(0, 10, first)
    assert store.backlog(one, 10, first) == [(other, first, "b.example")]
    for queue, _, _ in store.backlog(0, 10):
        store.release(store.claim([(queue, 10)], 5.0)[queue], 7.0)
    assert [campaign for _, campaign, *_ in store.due_queues(9.0, 10)] == [first, first, second]
    assert [len(store.due_queues(9.0, 10, (-1.0, 0), campaign)) for campaign in (first, second, waiting)] == [2, 1, 0]
    assert [queue for queue, *_ in store.due_queues(9.0, 10, (7.0, one), first)] == [other]


@given(
    batches=st.lists(
        st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["ok", "held", "invalid"])), max_size=6), max_size=6
    )
)
@settings(max_examples=settings.default.max_examples // 2, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_batches_keep_the_laws(kit, batches):
    store = SqliteStore()
    identity = kit.campaign(store)
    number = 0
    for batch in batches:
        rows = [kit.row(number + at, f"{name}.example", verdict) for at, (name, verdict) in enumerate(batch, 1)]
        number += len(batch)
        store.add_rows(identity, rows, number, done=False)
        kit.check_laws(store)
    claimable = {verdict for batch in batches for _, verdict in batch} & {"ok"}
    assert bool(store.backlog(0, 10)) is bool(claimable)
    assert store.import_state(identity) == (number if batches else None)
    store.close()
