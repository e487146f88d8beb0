from __future__ import annotations

from types import SimpleNamespace

import pytest

from bulkmail.delivery.gates import Gates
from bulkmail.delivery.seats import Seats
from bulkmail.shaping import Part
from tests.delivery.test_gates import Waiting, limits


@pytest.fixture
def gates():
    return Gates({"": limits()}.__getitem__, total=3)


def test_a_site_takes_its_places_in_all_three(gates):
    gate = gates.of_site("site", "", 0.0)
    seats, lane, connection = Seats(gates, gate, ""), Waiting("lane"), Waiting("connection")
    connection.peer = SimpleNamespace(ip="192.0.2.1")
    address = gates.of_address("192.0.2.1", "", 0.0)
    assert seats.reserve("192.0.2.1", 0.0) == 0.0
    assert address.gate.peek(0.0) == gate.gate.peek(0.0) == seats.reserve("192.0.2.1", 0.0) > 0.0
    seats.opened(0.0)
    address.gate.opened(0.0)
    assert (gates.total.open, gate.gate.open) == (1, 1)
    seats.park(connection, lane, 0.0)
    gates.total.wait(Waiting("other"))
    assert lane.let == [connection]
    seats.busy(connection, 0.0)
    seats.park(connection, lane, 0.0)  # somebody waits already
    assert lane.let == [connection, connection]
    seats.closed(connection, "192.0.2.1", 0.0)
    assert (gates.total.open, gate.gate.open, address.gate.open) == (0, 0, 0)


def test_a_connection_too_many_since_the_gate_narrowed_is_let_go_when_it_stays_idle():
    gates = Gates(lambda _: limits(connections=4), total=9)
    gate = gates.of_site("site", "", 0.0)
    seats, lane = Seats(gates, gate, ""), Waiting("lane")
    kept, surplus = Waiting("kept"), Waiting("surplus")
    kept.peer = surplus.peer = SimpleNamespace(ip="192.0.2.1")
    for _ in range(3):
        seats.opened(0.0)
    seats.park(kept, lane, 0.0)
    gate.gate.become(Part(frozenset({1}), 2), 0.0)
    assert gate.gate.surplus == 1
    seats.park(surplus, lane, 0.0)
    assert lane.let == [surplus]
    seats.park(kept, lane, 0.0)
    assert lane.let == [surplus], "known as idle already"


class TestStrangers:
    """Sites that have not answered anything yet get half of the process's places."""

    def seats(self, gates, key="a"):
        return Seats(gates, gates.of_site(key, "", 0.0), "")

    def test_half_of_the_places_and_their_own_line(self, gates):
        gates.total.limit, gates.total.strangers.limit = 4, 2
        one, other = self.seats(gates), self.seats(gates, "b")
        assert one.lacking() is None
        one.opened(0.0)
        other.opened(0.0)
        assert one.lacking() is other.lacking() is gates.total.strangers
        waiting = Waiting("c")
        gates.total.strangers.wait(waiting)
        other.given_up()
        assert waiting.woken == 1
        assert other.lacking() is None

    def test_who_answers_is_none_any_more(self, gates):
        gates.total.limit, gates.total.strangers.limit = 4, 2
        one, other = self.seats(gates), self.seats(gates, "b")
        one.opened(0.0)
        one.opened(0.0)
        waiting = Waiting("c")
        gates.total.strangers.wait(waiting)
        one.trust(True)
        assert (gates.total.open, gates.total.strangers.open, waiting.woken) == (2, 0, 1)
        one.trust(True)
        other.opened(0.0)
        other.opened(0.0)
        assert one.lacking() is gates.total, "and then all of them are the limit"
        one.trust(False)
        assert gates.total.strangers.open == 4
        for seats in (one, one, other, other):
            seats.given_up()
        assert (gates.total.open, gates.total.strangers.open) == (0, 0)

    def test_there_is_always_one_place(self):
        assert Gates({"": limits()}.__getitem__, total=1).total.strangers.limit == 1
