"""What keeps a campaign from being sent: on every store."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.mail import Choice
from bulkmail.spool import (
    CANCELLED,
    CANCELLING,
    AcceptRequest,
    CancelRequest,
    EventBounds,
    HeldTime,
    Hold,
    Tried,
    TryNow,
)
from bulkmail.spool.holds import joined


def hold(campaign, kind="paused", provider="", until=None, since=100.0):
    return Hold(campaign, kind, "the list is wrong", since, provider, "ann", until)


def test_of_a_campaign_that_is_held_as_a_whole_no_row_is_claimed(store, kit):
    held = kit.campaign(store, "spring", rows=[kit.row(n) for n in range(1, 5)])
    kit.campaign(store, "autumn", rows=[kit.row(1)])
    [(queue, _, _), (other, _, _)] = store.backlog(0, 10)
    store.settle([kit.outcome(row, "deferred", at=5.0, next_at=6.0) for row in store.claim([(queue, 1)], 5.0)[queue]])
    store.hold(hold(held))
    assert store.backlog(0, 10) == [(other, held + 1, "example.com")]
    assert store.due_queues(10.0, 10) == []
    assert store.next_due() is None
    assert store.next_due(held) == 6.0
    assert store.claim([(queue, 5)], 10.0) == {queue: []}
    assert len(store.claim([(other, 5)], 10.0)[other]) == 1
    assert store.lift(held, "paused", "", 200.0)
    assert [row.number for row in store.claim([(queue, 5)], 10.0)[queue]] == [1, 2, 3, 4]


def test_what_is_held_at_a_provider_is_for_the_senders_to_see_to(store, kit):
    campaign = kit.campaign(store, rows=[kit.row(1)])
    [(queue, _, _)] = store.backlog(0, 10)
    store.hold(hold(campaign, provider="google"))
    assert len(store.claim([(queue, 5)], 10.0)[queue]) == 1


def test_each_kind_holds_and_is_released_by_itself(store, kit):
    campaign = kit.campaign(store, rows=[kit.row(1)])
    [(queue, _, _)] = store.backlog(0, 10)
    store.hold(hold(campaign))
    store.hold(hold(campaign, "schedule", until=500.0))
    assert store.lift(campaign, "paused", "", 200.0)
    assert not store.lift(campaign, "paused", "", 300.0)
    assert store.claim([(queue, 5)], 10.0) == {queue: []}
    assert store.lift_due(499.0) == []
    assert store.lift_due(700.0) == [hold(campaign, "schedule", until=500.0)]
    assert store.held_times(campaign) == [HeldTime("", 100.0, 500.0)], "not counted twice, and until it was due"
    assert len(store.claim([(queue, 5)], 10.0)[queue]) == 1


def test_the_same_hold_again_keeps_its_beginning(store, kit):
    campaign = kit.campaign(store)
    store.hold(hold(campaign))
    store.hold(Hold(campaign, "paused", "longer", 150.0, "", "bob", 900.0))
    assert store.holds() == [Hold(campaign, "paused", "longer", 100.0, "", "bob", 900.0)]
    store.lift(campaign, "paused", "", 50.0)
    assert store.held_times(campaign) == [HeldTime("", 100.0, 100.0)], "a clock that was set back takes nothing away"


def test_what_does_not_exist_cannot_be_held_or_cancelled(store):
    with pytest.raises(LookupError, match="no campaign 7"):
        store.hold(hold(7))
    with pytest.raises(LookupError, match="no campaign 7"):
        store.request_cancel(CancelRequest(7, "", "", 1.0))


def test_a_cancelled_campaign_goes_nowhere_else(store, kit):
    campaign = kit.campaign(store, rows=[kit.row(1)])
    [(queue, _, _)] = store.backlog(0, 10)
    request = CancelRequest(campaign, "wrong list", "ann", 100.0)
    assert store.request_cancel(request)
    assert not store.request_cancel(request._replace(who="bob"))
    assert store.claim([(queue, 5)], 10.0) == {queue: []}
    for state in ("running", "stopped", "finished", "ready"):
        store.set_state(campaign, state, 110.0)
        assert store.campaign("spring").state == CANCELLING
    assert store.cancel_rows(campaign, 10, 120.0) == 1
    store.set_state(campaign, CANCELLED, 120.0, exit_status=3)
    assert not store.request_cancel(request)
    store.set_state(campaign, "running", 130.0)
    assert store.cancel_requests() == [request]
    row = store.campaign("spring")
    assert (row.state, row.exit_status, row.ended_at) == (CANCELLED, 3, 120.0)


def test_a_row_that_may_have_arrived_is_not_called_cancelled(store, kit):
    campaign = kit.campaign(store, rows=[kit.row(n) for n in range(1, 4)])
    [(queue, _, _)] = store.backlog(0, 10)
    first, second = store.claim([(queue, 2)], 5.0)[queue]
    store.settle([kit.outcome(first, "deferred", result="unknown"), kit.outcome(second, "deferred")])
    store.request_cancel(CancelRequest(campaign, "", "", 100.0))
    assert store.cancel_rows(campaign, 10, 120.0) == 3
    kit.check_laws(store)
    assert store.totals(campaign) == {("", "unknown", ""): 1, ("", "cancelled", ""): 2}


def test_holds_and_requests_outlive_the_process(life, kit):
    campaign = kit.campaign(life.store, rows=[kit.row(1)])
    life.store.hold(hold(campaign, provider="google"))
    life.store.hold(hold(campaign, "rule"))
    life.store.request_cancel(CancelRequest(campaign, "", "ann", 100.0))
    life.die(reboot=True)
    assert life.store.holds() == [hold(campaign, "rule"), hold(campaign, provider="google")]
    assert life.store.cancel_requests() == [CancelRequest(campaign, "", "ann", 100.0)]
    assert life.store.campaign("spring").state == CANCELLING


def test_with_the_campaign_goes_all_that_held_it(store, kit):
    campaign = kit.campaign(store, rows=[kit.row(1)])
    store.hold(hold(campaign))
    store.hold(hold(campaign, "rule"))
    store.lift(campaign, "rule", "", 200.0)
    store.request_cancel(CancelRequest(campaign, "", "", 100.0))
    assert not store.has_whole_report(campaign)
    store.report_is_whole(campaign)
    store.report_is_whole(campaign)
    assert store.has_whole_report(campaign)
    assert not store.still_claimed(campaign)
    while not store.remove_campaign(campaign, 1):
        pass
    for table in ("hold", "held_time", "cancel_request", "whole_report"):
        assert kit.asked(store, f"SELECT count(*) FROM {table}") == [(0,)]


TIMES = st.lists(
    st.builds(
        lambda provider, began, seconds: HeldTime(provider, float(began), float(began + seconds)),
        st.sampled_from(["", "google"]), st.integers(0, 60), st.integers(0, 20),
    ),
    max_size=12,
)  # fmt: skip


@given(TIMES, st.integers(1, 5))
def test_times_that_are_joined_last_as_long_as_their_union(times, most):
    found = joined(times, most)
    for provider in ("", "google"):
        seconds = {s for one in times if one.provider == provider for s in range(int(one.began), int(one.ended))}
        mine = [one for one in found if one.provider == provider]
        assert len(mine) <= most
        assert sum(one.ended - one.began for one in mine) == len(seconds)
    assert found == sorted(found)


def test_the_variant_that_was_chosen_is_kept_until_the_campaign_is_removed(store, kit):
    spring, autumn = kit.campaign(store, "spring"), kit.campaign(store, "autumn")
    assert (store.winner(spring), store.first_attempt_at(spring)) == (None, None)
    store.save_winner(spring, Choice("a", "it stands first"))
    store.save_winner(spring, Choice("b", "chosen by ann", "ann"))
    assert (store.winner(spring), store.winner(autumn)) == (Choice("b", "chosen by ann", "ann"), None)
    while not store.remove_campaign(spring):
        pass
    assert store.winner(spring) is None
    with pytest.raises(LookupError):
        store.save_winner(999, Choice("a", "why"))


def test_a_request_to_take_a_change_is_kept_until_it_was_obeyed(store, kit):
    spring, autumn = kit.campaign(store, "spring"), kit.campaign(store, "autumn")
    store.request_accept(AcceptRequest(spring, "ann", 100.0))
    store.request_accept(AcceptRequest(autumn, "ann", 100.0))
    store.request_accept(AcceptRequest(spring, "bob", 200.0))
    assert sorted(store.accept_requests()) == [
        AcceptRequest(spring, "bob", 200.0),
        AcceptRequest(autumn, "ann", 100.0),
    ]
    store.drop_accept_request(spring)
    assert store.accept_requests() == [AcceptRequest(autumn, "ann", 100.0)]
    while not store.remove_campaign(autumn):
        pass
    assert store.accept_requests() == []
    with pytest.raises(LookupError):
        store.request_accept(AcceptRequest(999, "ann", 100.0))


def put_off(store, kit, waits):
    """A campaign with a row for each ``(domain, provider, status, result)``, put off at 100 until 5000; its id."""
    rows = [kit.row(n, domain) for n, (domain, *_) in enumerate(waits, 1)]
    campaign = kit.campaign(store, rows=rows)
    claimed = store.claim([(queue, 10) for queue, _, _ in store.backlog(0, 10)], 50.0)
    for row in sorted((row for rows in claimed.values() for row in rows), key=lambda row: row.id):
        _, provider, status, result = waits[row.number - 1]
        until = 5000.0 if status == "deferred" else 0.0
        store.settle([kit.outcome(row, status, at=100.0, next_at=until, provider=provider, result=result)])
    return campaign


WAITS = [
    ("a.example", "google", "deferred", "deferred"),
    ("b.example", "", "deferred", "deferred"),
    ("a.example", "google", "deferred", "unknown"),
    ("a.example", "google", "delivered", "delivered"),
    ("c.example", "yahoo", "deferred", "deferred"),
]


@pytest.mark.parametrize(
    ("asked", "found", "due"),
    [
        ({}, (3, 1), [1, 2, 5]),
        ({"provider": "google"}, (1, 1), [1]),
        ({"provider": "other"}, (1, 0), [2]),
        ({"site": "c.example"}, (1, 0), [5]),
        ({"site": "mx.example.com"}, (3, 1), [1, 2, 5]),
        ({"provider": "google", "site": "c.example"}, (0, 0), []),
        ({"now": 6000.0}, (0, 0), [1, 2, 3, 5]),
        ({"now": 100.0}, (0, 0), []),
    ],
)
def test_who_was_put_off_is_due_at_once_and_who_may_have_a_copy_waits_on(store, kit, asked, found, due):
    campaign = put_off(store, kit, WAITS)
    asked = TryNow(campaign, **{"now": 200.0, **asked})
    assert store.try_now(asked, 0, 100) == Tried(*found, campaign << 40 | 5)
    kit.check_laws(store)
    claimed = store.claim([(queue, 10) for queue, *_ in store.due_queues(asked.now, 10)], asked.now)
    assert sorted(row.number for rows in claimed.values() for row in rows) == due
    assert {row.attempts for rows in claimed.values() for row in rows} <= {1}


def test_what_is_claimed_or_was_given_back_untried_is_left_alone(store, kit):
    campaign = kit.campaign(store, rows=[kit.row(n) for n in range(1, 5)])
    [(queue, _, _)] = store.backlog(0, 10)
    first, second, untried, _ = store.claim([(queue, 4)], 50.0)[queue]
    store.settle([kit.outcome(one, "deferred", at=60.0, next_at=70.0) for one in (first, second)])
    store.release([untried], 900.0)
    store.claim([(queue, 1)], 80.0)
    assert store.try_now(TryNow(campaign, 65.0), 0, 100) == Tried(1, 0, untried.id)
    kit.check_laws(store)
    assert store.next_due(campaign) == 65.0
    assert store.try_now(TryNow(campaign, 66.0), untried.id, 100) == Tried()


def test_they_are_looked_at_some_at_a_time_and_twice_is_once(store, kit):
    campaign = put_off(store, kit, [("a.example", "", "deferred", "deferred")] * 5)
    asked, after, found = TryNow(campaign, 200.0), 0, []
    while after is not None:
        some = store.try_now(asked, after, 2)
        after = some.after
        found.append(some.rows)
    assert found == [2, 2, 1, 0]
    assert store.try_now(asked, 0, 100).rows == 0
    with pytest.raises(LookupError):
        store.try_now(TryNow(campaign + 1, 200.0), 0, 2)


def test_that_they_are_tried_is_an_event_of_the_campaign(store, kit):
    campaign = put_off(store, kit, WAITS)
    store.remember_events(EventBounds(1e9, 1000))
    store.try_now(TryNow(campaign, 200.0, "google", "a.example", "ann"), 0, 100)
    store.try_now(TryNow(campaign, 200.0, "google", "a.example", "ann"), 0, 100)
    told = kit.asked(store, "SELECT at, event, recipient_id, provider, category, site, note FROM event")
    words = "1 deferred row is tried at once, asked for by ann"
    assert told == [(200.0, "campaign_tried", campaign << 40, "google", "", "a.example", words)]
