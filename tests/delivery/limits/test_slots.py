from __future__ import annotations

from types import SimpleNamespace

import pytest

from bulkmail.delivery.limits.limiters import Limiters
from bulkmail.delivery.limits.slots import ConnectionSlots
from bulkmail.shaping import Part
from tests.delivery.limits.test_limiters import Waiting, limits


@pytest.fixture
def gates():
    return Limiters({"": limits()}.__getitem__, total=3)


def test_a_site_takes_its_places_in_all_three(gates):
    gate = gates.of_site("site", "", 0.0)
    seats, lane, connection = ConnectionSlots(gates, gate, ""), Waiting("lane"), Waiting("connection")
    connection.peer = SimpleNamespace(ip="192.0.2.1")
    address = gates.of_address("192.0.2.1", "", 0.0)
    assert seats.take_permit(connection, 0.0)
    at = seats.message_at(connection, 0.0)
    assert at == seats.message_at(connection, 0.0) > 0.0, "a permit is kept until it is used"
    assert address.limiter.peek(0.0) == gate.limiter.peek(0.0) > at
    assert not seats.take_permit(connection, 0.0)
    seats.use_permit()
    assert seats.message_at(connection, 0.0) > at
    seats.opened(0.0)
    address.limiter.opened(0.0)
    assert (gates.total.open, gate.limiter.open) == (1, 1)
    seats.park(connection, lane, 0.0)
    gates.total.wait(Waiting("other"))
    assert lane.let == [connection]
    seats.unpark(connection, 0.0)
    seats.park(connection, lane, 0.0)  # somebody waits already
    assert lane.let == [connection, connection]
    seats.closed(connection, "192.0.2.1", 0.0)
    assert (gates.total.open, gate.limiter.open, address.limiter.open) == (0, 0, 0)


def test_a_connection_too_many_since_the_gate_narrowed_is_let_go_when_it_stays_idle():
    gates = Limiters(lambda _: limits(connections=4), total=9)
    gate = gates.of_site("site", "", 0.0)
    seats, lane = ConnectionSlots(gates, gate, ""), Waiting("lane")
    kept, surplus = Waiting("kept"), Waiting("surplus")
    kept.peer = surplus.peer = SimpleNamespace(ip="192.0.2.1")
    for _ in range(3):
        seats.opened(0.0)
    seats.park(kept, lane, 0.0)
    gate.limiter.become(Part(frozenset({1}), 2), 0.0)
    assert gate.limiter.surplus == 1
    seats.park(surplus, lane, 0.0)
    assert lane.let == [surplus]
    seats.park(kept, lane, 0.0)
    assert lane.let == [surplus], "known as idle already"


class TestStrangers:
    """Sites that have not answered anything yet get half of the process's places."""

    def seats(self, gates, key="a"):
        return ConnectionSlots(gates, gates.of_site(key, "", 0.0), "")

    def test_half_of_the_places_and_their_own_line(self, gates):
        gates.total.limit, gates.total.unproven.limit = 4, 2
        one, other = self.seats(gates), self.seats(gates, "b")
        assert one.connection_at(9e9) == 9e9
        one.opened(0.0)
        other.opened(0.0)
        assert one.connection_at(9e9) is other.connection_at(9e9) is gates.total.unproven
        waiting = Waiting("c")
        gates.total.unproven.wait(waiting)
        other.not_opened()
        assert waiting.woken == 1
        assert other.connection_at(9e9) == 9e9

    def test_who_answers_is_none_any_more(self):
        gates = Limiters(lambda _: limits(connections=9), total=4)
        one, other = self.seats(gates), self.seats(gates, "b")
        one.opened(0.0)
        one.opened(0.0)
        waiting = Waiting("c")
        gates.total.unproven.wait(waiting)
        one.prove(True)
        assert (gates.total.open, gates.total.unproven.open, waiting.woken) == (2, 0, 1)
        one.prove(True)
        other.opened(0.0)
        other.opened(0.0)
        assert one.connection_at(9e9) is gates.total, "and then all of them are the limit"
        one.prove(False)
        assert gates.total.unproven.open == 4
        for seats in (one, one, other, other):
            seats.not_opened()
        assert (gates.total.open, gates.total.unproven.open) == (0, 0)

    def test_there_is_always_one_place(self):
        assert Limiters({"": limits()}.__getitem__, total=1).total.unproven.limit == 1
