from __future__ import annotations

from types import SimpleNamespace

import pytest

from bulkmail.delivery.limits.limiters import Limiters
from bulkmail.delivery.limits.slots import ConnectionSlots
from bulkmail.shaping import Part
from tests.delivery.limits.test_limiters import Waiting, limits


@pytest.fixture
def limiters():
    return Limiters({"": limits()}.__getitem__, total=3)


def test_a_site_takes_its_places_in_all_three(limiters):
    limiter = limiters.of_site("site", "", 0.0)
    seats, lane, connection = ConnectionSlots(limiters, limiter, ""), Waiting("lane"), Waiting("connection")
    connection.peer = SimpleNamespace(ip="192.0.2.1")
    address = limiters.of_address("192.0.2.1", "", 0.0)
    assert seats.take_permit(connection, 0.0)
    at = seats.message_at(connection, 0.0)
    assert at == seats.message_at(connection, 0.0) > 0.0, "a permit is kept until it is used"
    assert address.limiter.peek(0.0) == limiter.limiter.peek(0.0) > at
    assert not seats.take_permit(connection, 0.0)
    seats.use_permit()
    assert seats.message_at(connection, 0.0) > at
    seats.opened(0.0)
    address.limiter.opened(0.0)
    assert (limiters.total.open, limiter.limiter.open) == (1, 1)
    seats.park(connection, lane, 0.0)
    limiters.total.wait(Waiting("other"))
    assert lane.let == [connection]
    seats.unpark(connection, 0.0)
    seats.park(connection, lane, 0.0)  # somebody waits already
    assert lane.let == [connection, connection]
    seats.closed(connection, "192.0.2.1", 0.0)
    assert (limiters.total.open, limiter.limiter.open, address.limiter.open) == (0, 0, 0)


def test_a_connection_too_many_since_the_gate_narrowed_is_let_go_when_it_stays_idle():
    limiters = Limiters(lambda _: limits(connections=4), total=9)
    limiter = limiters.of_site("site", "", 0.0)
    seats, lane = ConnectionSlots(limiters, limiter, ""), Waiting("lane")
    kept, surplus = Waiting("kept"), Waiting("surplus")
    kept.peer = surplus.peer = SimpleNamespace(ip="192.0.2.1")
    for _ in range(3):
        seats.opened(0.0)
    seats.park(kept, lane, 0.0)
    limiter.limiter.become(Part(frozenset({1}), 2), 0.0)
    assert limiter.limiter.surplus == 1
    seats.park(surplus, lane, 0.0)
    assert lane.let == [surplus]
    seats.park(kept, lane, 0.0)
    assert lane.let == [surplus], "known as idle already"


def test_connections_are_scarce_once_three_quarters_of_them_are_open():
    limiters = Limiters(lambda _: limits(connections=9), total=4)
    seats = ConnectionSlots(limiters, limiters.of_site("site", "", 0.0), "")
    found = []
    for _ in range(4):
        found.append(seats.scarce)
        seats.opened(0.0)
    assert [*found, seats.scarce] == [False, False, False, True, True]


class TestStrangers:
    """Sites that have not answered anything yet get half of the process's places."""

    def seats(self, limiters, key="a"):
        return ConnectionSlots(limiters, limiters.of_site(key, "", 0.0), "")

    def test_half_of_the_places_and_their_own_line(self, limiters):
        limiters.total.limit, limiters.total.unproven.limit = 4, 2
        one, other = self.seats(limiters), self.seats(limiters, "b")
        assert one.connection_at(9e9) == 9e9
        one.opened(0.0)
        other.opened(0.0)
        assert one.connection_at(9e9) is other.connection_at(9e9) is limiters.total.unproven
        waiting = Waiting("c")
        limiters.total.unproven.wait(waiting)
        other.not_opened(0.0)
        assert waiting.woken == 1
        assert other.connection_at(9e9) == 9e9

    def test_who_answers_is_none_any_more(self):
        limiters = Limiters(lambda _: limits(connections=9), total=4)
        one, other = self.seats(limiters), self.seats(limiters, "b")
        one.opened(0.0)
        one.opened(0.0)
        waiting = Waiting("c")
        limiters.total.unproven.wait(waiting)
        one.prove(True)
        assert (limiters.total.open, limiters.total.unproven.open, waiting.woken) == (2, 0, 1)
        one.prove(True)
        other.opened(0.0)
        other.opened(0.0)
        assert one.connection_at(9e9) is limiters.total, "and then all of them are the limit"
        one.prove(False)
        assert limiters.total.unproven.open == 4
        for seats in (one, one, other, other):
            seats.not_opened(0.0)
        assert (limiters.total.open, limiters.total.unproven.open) == (0, 0)

    def test_there_is_always_one_place(self):
        assert Limiters({"": limits()}.__getitem__, total=1).total.unproven.limit == 1
