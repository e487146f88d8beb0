from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.delivery.limits.limiters import Limiters, SlotPool, address_key
from bulkmail.mail import Rate
from bulkmail.shaping import WHOLE, Limits, Part


class Waiting:
    """A lane as far as the limiters know lanes."""

    def __init__(self, name, *, needs=True, act=None):
        self.name, self.needs_connection, self.act = name, needs, act
        self.woken, self.let = 0, []

    def dispatch(self):
        self.woken += 1
        if self.act:
            self.act(self)

    def let_go(self, connection):
        self.let.append(connection)


def limits(**changed):
    values = {
        "connections": 2,
        "messages_per_connection": 100,
        "rate": Rate(100, 1.0, 1),
        "connection_rate": Rate(100, 1.0, 1),
        "idle": 60.0,
    }
    return Limits(**{**values, **changed})


@pytest.fixture
def limiters():
    table = {"": limits(), "slow": limits(rate=Rate(60, 3600.0, 10))}
    return Limiters(table.__getitem__, total=3)


def test_first_come_first_served(limiters):
    places, a, b = limiters.total, Waiting("a"), Waiting("b")
    places.wait(a)
    places.wait(b)
    places.wait(a)
    places.wake_next()
    assert (a.woken, b.woken) == (1, 0)
    places.wake_next()
    assert (a.woken, b.woken) == (1, 1)
    places.wake_next()
    assert not places.waiting


def test_who_needs_nothing_any_more_does_not_use_up_the_call():
    places = SlotPool()
    gone, b = Waiting("gone", needs=False), Waiting("b")
    places.wait(gone)
    places.wait(b)
    places.wake_next()
    assert (gone.woken, b.woken) == (0, 1)


def test_a_long_line_of_those_who_give_the_place_back_is_gone_through_without_recursion():
    places = SlotPool()
    waiting = [Waiting(n, act=lambda _: places.wake_next()) for n in range(5000)]
    for one in waiting:
        places.wait(one)
    places.wake_next()
    assert {one.woken for one in waiting} == {1}


def test_a_call_without_anybody_in_line_is_not_kept():
    places, a = SlotPool(), Waiting("a")
    places.wake_next()
    places.wait(a)
    assert a.woken == 0


def test_the_longest_idle_connection_makes_room_once_for_each_who_waits():
    places, owner, a, b = SlotPool(), Waiting("owner"), Waiting("a"), Waiting("b")
    for connection in ("old", "young", "younger"):
        places.park(connection, owner)
    owner.let_go = lambda connection: (owner.let.append(connection), places.unpark(connection))
    places.wait(a)
    places.wait(a)
    assert owner.let == ["old"]
    places.wait(b)
    assert owner.let == ["old", "young"]


def test_a_busy_connection_is_not_asked_to_leave():
    places, owner = SlotPool(), Waiting("owner")
    places.park("c", owner)
    places.unpark("c")
    places.unpark("c")
    places.wait(Waiting("a"))
    assert owner.let == []


def test_sites_of_one_provider_share_a_limiter_and_addresses_count_where_there_is_none(limiters):
    assert limiters.of_site("a", "slow", 0.0) is limiters.of_site("b", "slow", 0.0)
    assert limiters.of_site("a", "", 0.0) is not limiters.of_site("b", "", 0.0)
    assert limiters.of_address("192.0.2.1", "slow", 0.0) is None
    assert limiters.of_address("192.0.2.1", "", 0.0) is limiters.of_address("192.0.2.1", "", 0.0)


def test_closing_wakes_the_next(limiters):
    limiter, total, a = limiters.of_site("a", "", 0.0), limiters.total, Waiting("a")
    limiter.limiter.opened(0.0)
    limiter.wait(a)
    limiter.closed(0.0)
    assert (a.woken, limiter.limiter.open) == (1, 0)
    total.opened()
    total.wait(a)
    total.closed()
    assert (a.woken, total.open) == (2, 0)


def test_a_limiter_in_use_is_kept(limiters):
    now = 1e6
    used, open_, wanted = (limiters.of_site(name, "", 0.0) for name in ("used", "open", "wanted"))
    used.users += 1
    open_.limiter.opened(0.0)
    wanted.wait(Waiting("a"))
    limiters.of_site("none", "", 0.0)
    limiters.tidy(now)
    assert set(limiters._sites) == {"used", "open", "wanted"}


def test_a_rate_is_not_forgotten_with_its_last_lane(limiters):
    """60/h with a burst of 10: dropped and made again each second it would be a burst of 10 each second."""
    limiter = limiters.of_site("x", "slow", 0.0)
    for _ in range(10):
        limiter.limiter.reserve(0.0)
    limiters.tidy(1.0)
    assert limiters.of_site("x", "slow", 2.0) is limiter
    limiters.tidy(601.0)
    assert limiters._sites == {}


def test_a_complaint_is_remembered_for_an_hour(limiters):
    limiter = limiters.of_site("x", "", 0.0)
    assert limiter.limiter.slow_down(0.0, "rate")
    limiters.tidy(3000.0)
    assert limiters.of_site("x", "", 3000.0).limiter.pace == 0.5
    limiters.tidy(3601.0)
    assert limiters._sites == {}


def test_a_limiter_is_remembered_from_when_it_was_left_whenever_that_was_looked_at(limiters):
    site, address = limiters.of_site("x", "slow", 0.0), limiters.of_address("192.0.2.1", "", 0.0)
    site.users += 1
    address.limiter.opened(0.0)
    for limiter in (site, address):
        limiter.limiter.slow_down(0.0, "rate")
    site.left(100.0)
    address.closed(200.0)
    limiters.tidy(3699.0)
    assert (set(limiters._sites), set(limiters._addresses)) == ({"provider slow"}, {"192.0.2.1"})
    limiters.tidy(3701.0)
    assert (set(limiters._sites), set(limiters._addresses)) == (set(), {"192.0.2.1"})
    limiters.tidy(3801.0)
    assert limiters._addresses == {}


def test_of_many_limiters_each_is_looked_at_within_some_seconds(limiters, monkeypatch):
    monkeypatch.setattr("bulkmail.delivery.in_parts.AT_ONCE", 3)
    kept = []
    monkeypatch.setattr(limiters, "_keep_factors", lambda key, _: kept.append(key))
    waiting = [Waiting(str(n)) for n in range(20)]
    for n, waiter in enumerate(waiting):
        shared = limiters.of_site(f"s{n}", "", 0.0)
        shared.limiter.refuse_connection(0.0, 1)
        shared.wait(waiter)
        limiters.of_site(f"unused{n}", "", 0.0)
    seen = []
    for _ in range(5):
        limiters.tidy(1e6)
        seen.append((sum(waiter.woken for waiter in waiting), len(kept), len(limiters._sites)))
    assert seen == [(4, 4, 36), (8, 8, 32), (12, 12, 28), (16, 16, 24), (20, 20, 20)]


def test_memory_is_bounded_all_the_same(limiters, monkeypatch):
    monkeypatch.setattr("bulkmail.delivery.limits.limiters._MOST_KEPT", 3)
    for n in range(5):
        limiters.of_address(f"192.0.2.{n}", "", 0.0).limiter.slow_down(0.0, "rate")
    limiters.tidy(1.0)
    assert limiters._addresses == {}


def test_a_place_that_was_offered_and_not_taken_is_offered_again(limiters):
    """Woken for one address, a lane may take another: those behind it in the line must hear of the place it left."""
    limiter, a, b = limiters.of_address("192.0.2.1", "", 0.0), Waiting("a"), Waiting("b")
    limiter.limiter.opened(0.0)
    limiter.wait(a)
    limiter.wait(b)
    limiter.closed(0.0)
    assert (a.woken, b.woken) == (1, 0)
    limiters.wake_waiting()
    assert b.woken == 1


def test_nobody_is_woken_where_there_is_no_room(limiters):
    limiter, a = limiters.of_site("a", "", 0.0), Waiting("a")
    limiter.limiter.opened(0.0)
    limiter.limiter.opened(0.0)
    limiter.wait(a)
    for _ in range(3):
        limiters.total.opened()
    limiters.total.wait(a)
    limiters.wake_waiting()
    assert a.woken == 0


def test_waking_may_make_new_limiters(limiters):
    def opens_elsewhere(_waiter):
        limiters.of_address("192.0.2.9", "", 0.0)
        limiters.of_site("new", "", 0.0)

    limiters.of_address("192.0.2.1", "", 0.0).wait(Waiting("a", act=opens_elsewhere))
    limiters.wake_waiting()
    assert set(limiters._addresses) == {"192.0.2.1", "192.0.2.9"}


@given(st.lists(st.sampled_from(["wait", "close"]), max_size=60), st.integers(1, 4))
def test_nobody_waits_beside_a_free_place(events, limit):
    """Lanes that open as soon as they may: whenever one waits, all places are taken."""
    limiters = Limiters(lambda _: limits(), total=limit)
    total, served = limiters.total, []

    def tries(waiter):
        if total.room:
            total.opened()
            waiter.needs_connection = False
            served.append(waiter.name)
        else:
            total.wait(waiter)

    names = iter(range(1000))
    came = []
    for event in events:
        if event == "wait":
            waiter = Waiting(next(names), act=tries)
            came.append(waiter.name)
            waiter.dispatch()
        elif event == "close" and total.open:
            total.closed()
        assert total.open <= limit
        assert not (total.waiting and total.room), SimpleNamespace(open=total.open, limit=limit)
    assert served == came[: len(served)]


def test_a_new_limiter_begins_with_the_pace_that_is_remembered_and_tells_of_changes_once():
    told = []
    paces = {"provider big": (0.5, 0.5), "small": (1.0, 1.0), "192.0.2.1": (0.1, 0.1)}
    limiters = Limiters(
        lambda _: limits(connections=10), 3, paces.__getitem__, lambda key, pace: told.append((key, pace))
    )
    big, small = limiters.of_site("x", "big", 0.0), limiters.of_site("small", "", 0.0)
    assert (big.limiter.factors, small.limiter.factors) == ((0.5, 0.5), (1.0, 1.0))
    assert limiters.of_address("192.0.2.1", "", 0.0).limiter.factors == (1.0, 1.0), "nobody complains about an address"
    limiters.tidy(0.0)
    assert told == []
    big.limiter.refuse_connection(0.0, 2)
    for _ in range(2):
        limiters.tidy(0.0)
    assert told == [("provider big", (0.5, 0.2))]


def test_a_smaller_part_closes_what_stands_idle_and_is_kept_to_once_the_rest_has_closed(limiters):
    half = Part(frozenset({1}), 2)
    shared, owner = limiters.of_site("s", "", 0.0), Waiting("a")
    for connection in ("one", "two"):
        shared.limiter.opened(0.0)
        shared.park(connection, owner)
    assert not limiters.become("s", half, 0.0)
    assert owner.let == ["one"]
    shared.unpark("one")
    shared.closed(0.0)
    assert limiters.become("s", half, 0.0)
    assert owner.let == ["one"]
    assert limiters.become("never seen", half, 0.0)


def test_a_new_limiter_has_the_part_and_the_burst_that_is_ours(limiters):
    limiters.share(
        SimpleNamespace(
            part_of=lambda key: Part(frozenset({1}), 2) if key == "provider slow" else WHOLE,
            begins_empty=lambda key: key == "address 192.0.2.2",
        )
    )
    assert limiters.of_site("s", "slow", 0.0).limiter.connections == 1
    assert limiters.of_site("t", "", 0.0).limiter.connections == 2
    assert limiters.of_address("192.0.2.1", "", 0.0).limiter.peek(0.0) == 0.0
    assert limiters.of_address("192.0.2.2", "", 0.0).limiter.peek(0.0) > 0.0


def test_the_limiter_of_an_address_is_dropped_once_nothing_is_open(limiters):
    address = limiters.of_address("192.0.2.1", "", 0.0)
    address.limiter.opened(0.0)
    assert not limiters.drop_address(address_key("192.0.2.1"))
    address.closed(0.0)
    assert limiters.drop_address(address_key("192.0.2.1"))
    assert limiters.of_address("192.0.2.1", "", 0.0) is not address
    assert limiters.drop_address(address_key("192.0.2.9"))


def test_paces_that_are_remembered_no_more_are_forgotten():
    known = {"a": (0.5, 1.0), "b": (0.5, 1.0)}
    kept = []
    made = Limiters(
        {"": limits()}.__getitem__, 10, lambda key: known.get(key, (1.0, 1.0)), lambda *what: kept.append(what)
    )
    a, b = (made.of_site(key, "", 0.0) for key in "ab")
    del known["b"]
    made.reset_forgotten(0.0)
    assert (a.limiter.factors, b.limiter.factors) == ((0.5, 1.0), (1.0, 1.0))
    made.tidy(0.0)
    assert kept == [], "it is as it was remembered"


def test_limits_are_the_providers_or_the_default(world):
    one = world(providers={"big": {"mx": [".big.example"], "connections": 3}})
    assert one.limiters.limits_of(one.site("s", provider="big")).connections == 3
    assert one.limiters.limits_of(one.site("s")).connections == 10
