from __future__ import annotations

import pytest
from twisted.internet.task import Clock

from bulkmail.rehearsal.network import Exchanger, Remembered, SimulatedNetwork, Totals
from bulkmail.rehearsal.personas import PERSONAS
from bulkmail.rehearsal.zone import Zone


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def network(clock: Clock) -> SimulatedNetwork:
    return SimulatedNetwork(Zone(), clock=clock.seconds, now=clock.seconds, call_later=clock.callLater, speed=10.0)


def test_tries_are_counted_by_key(network: SimulatedNetwork) -> None:
    assert [network.count_try("a"), network.count_try("a"), network.count_try("b")] == [1, 2, 1]


def test_memory_is_bounded_and_forgets_the_oldest() -> None:
    memory = Remembered(3)
    for key in "abcad":
        memory.put(key, ord(key))
    assert len(memory) == 3
    assert memory.get("a", 0) == 0, "put again is not put anew"
    assert memory.get("d", 0) == ord("d")


def test_greylisting_ends_after_its_time_and_for_good(network: SimulatedNetwork, clock: Clock) -> None:
    assert network.greylisted("x", 300)
    clock.advance(29.9)
    assert network.greylisted("x", 300)
    clock.advance(0.2)
    assert not network.greylisted("x", 300)
    assert network.greylisted("y", 300)
    clock.advance(1000)
    assert not network.greylisted("x", 300)


def test_a_rate_lets_a_burst_through_and_then_its_pace(network: SimulatedNetwork, clock: Clock) -> None:
    clock.advance(5)
    first = sum(not network.too_fast("x", 20) for _ in range(50))
    assert first == 20
    assert not network.too_fast("y", 20)
    later = 0
    for _ in range(100):
        clock.advance(0.1)
        later += sum(not network.too_fast("x", 20) for _ in range(10))
    assert 195 <= later <= 205


def test_a_rate_may_be_doubled_after_a_while(network: SimulatedNetwork, clock: Clock) -> None:
    def taken() -> int:
        count = 0
        for _ in range(100):
            clock.advance(0.1)
            count += sum(not network.too_fast("z", 20, 60.0) for _ in range(10))
        return count

    taken()
    assert 195 <= taken() <= 205
    clock.advance(60)
    taken()
    assert 390 <= taken() <= 405


def test_connections_are_counted_until_they_leave(network: SimulatedNetwork) -> None:
    assert network.enter("x", 2)
    assert network.enter("x", 2)
    assert not network.enter("x", 2)
    network.leave("x")
    network.leave("x")
    assert network.enter("x", 2)
    assert network.enter("unlimited", 0)
    network.leave("x")
    network.leave("x")
    network.leave("unlimited")
    assert not network.open, "nothing is left behind"


def test_totals_count_by_class() -> None:
    totals = Totals()
    for reply in (b"550 no\r\n", b"451 later\r\n", b"421 bye\r\n", b"250 ok\r\n", b""):
        totals.replied(reply)
    totals.kept(3, 100, answered=True)
    totals.kept(1, 50, answered=False)
    found = totals.as_dict()
    assert (found["refused"], found["deferred"]) == (1, 2)
    assert (found["messages"], found["recipients"], found["octets"], found["unanswered"]) == (2, 4, 150, 1)


def test_an_exchanger_is_named_after_its_first_host() -> None:
    google = Exchanger("127.77.0.2", PERSONAS["google"])
    google.add("alt1.gmail-smtp-in.l.google.com")
    google.add("alt2.gmail-smtp-in.l.google.com")
    assert google.name == "alt1.gmail-smtp-in.l.google.com"
    assert google.group == "google", "a provider counts over all its hosts"
    assert Exchanger("127.77.0.3", PERSONAS["busy"]).group == "127.77.0.3"
    assert "google at 127.77.0.2" not in repr(google)
    assert "127.77.0.2" in repr(google)
