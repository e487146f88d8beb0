"""Which connection stays while it has nothing to do, and for how long."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from twisted.internet.task import Clock

from bulkmail.delivery.lane.idle import EXPECTED, Idle

BIG = {"big": {"mx": [".big.example"], "connections": 1}}


class ConnectionSlots:
    """Remembers what is parked."""

    def __init__(self):
        self.parked = []

    def park(self, connection, owner, now):
        if connection not in self.parked:
            self.parked.append(connection)
            owner.when_parked()

    def unpark(self, connection, now):
        if connection in self.parked:
            self.parked.remove(connection)


@pytest.fixture
def seats():
    return ConnectionSlots()


@pytest.fixture
def lane():
    return SimpleNamespace(held=0, in_flight=0, when_parked=lambda: None)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def idle(lane, seats, clock):
    made = Idle(lane, seats, clock, lambda: lane.held > lane.in_flight)
    for name in ("a", "b", "c"):
        clock.advance(EXPECTED / 4)
        made.add(name, clock.seconds())
    return made


def test_what_nothing_is_on_its_way_for_is_anybodys_at_once(idle, seats):
    idle.offer()
    assert seats.parked == ["a", "b", "c"]


def test_what_something_is_on_its_way_for_is_the_lanes_for_a_moment(idle, seats, lane, clock):
    lane.held, lane.in_flight = 3, 2
    idle.offer()
    assert seats.parked == []
    clock.advance(EXPECTED)
    assert seats.parked == ["a", "b", "c"], "offered by itself, without anything happening"
    assert clock.getDelayedCalls() == []


def test_one_that_came_later_has_its_own_moment(idle, seats, lane, clock):
    lane.held = 1
    idle.offer()
    clock.advance(EXPECTED / 2)
    idle.add("d", clock.seconds())
    idle.offer()
    clock.advance(EXPECTED / 2)
    assert seats.parked == ["a", "b", "c"]
    clock.advance(EXPECTED)
    assert seats.parked == ["a", "b", "c", "d"]


def test_the_last_one_in_is_the_first_one_out(idle, seats):
    assert idle.last() == "c"
    idle.offer()
    idle.discard("c", 0.3)
    idle.discard("c", 0.3)
    assert (idle.last(), list(idle), len(idle), seats.parked) == ("b", ["a", "b"], 2, ["a", "b"])


def test_one_that_found_work_while_another_was_offered_is_not_idle(idle, seats, lane):
    lane.when_parked = lambda: idle.discard("b", 0.2)
    idle.offer()
    assert seats.parked == ["a", "c"]


def test_for_how_long(idle):
    assert idle.longer_than(EXPECTED / 4) == ["a", "b"]


# as lanes use it


def test_a_connection_stays_while_its_next_messages_are_on_their_way(world, fast):
    """Forty sites wait for two places, and each has more than is claimed at once: nobody's seat changes for that."""
    one = world(settings=fast(connections=2))
    one.farm.obliging()
    one.farm.rtt, one.disk.delay, one.pool.delay = 0.002, 0.01, 0.05
    one.routes = {f"d{n}.example": one.site(f"s{n}.example", "192.0.2.1") for n in range(40)}
    run = one.campaign(dict.fromkeys(one.routes, 60))
    one.send(600)
    one.run(1.0)
    assert one.statuses(run) == {"delivered": 2400}
    assert len(one.farm.made) == 40
    assert one.farm.most == 2


def test_a_slow_template_keeps_no_place_for_longer_than_a_moment(world, fast):
    one = world(settings=fast(), providers=BIG)
    one.farm.obliging()
    one.routes = {f"{name}.example": one.site(f"{name}.big.example", provider="big") for name in "ab"}
    slow = one.campaign({"a.example": 16}, name="slow")
    one.start()
    one.until(lambda: one.farm.sent, 20)
    one.pool.delay = 30.0
    one.until(lambda: len(one.pool.asked) == 2, 20)
    one.pool.delay = 0.01
    quick = one.campaign({"b.example": 1}, name="quick")
    one.start()
    one.until(lambda: quick.complete, 1)
    assert not slow.complete
    one.until(lambda: slow.complete, 60)
    assert one.statuses(slow) == {"delivered": 16}
    assert one.farm.most == 1


def test_idle_connections_close_after_their_time(world, fast):
    one = world(settings=fast(idle=20.0))
    one.farm.obliging()
    one.campaign({"a.example": 5})
    one.send(30)
    assert one.farm.open
    one.settle_down(18)
    assert one.farm.open
    one.settle_down(5)
    assert one.farm.open == []
    one.check_empty()


def test_the_last_used_idle_connection_is_used_first(world, fast):
    one = world(settings=fast())
    one.farm.obliging()
    run = one.campaign({"a.example": 40})
    one.send(30)
    last = one.farm.sent[-1]
    assert len(one.farm.open) > 1
    one.import_more(run, ["a.example"])
    before = {connection: connection.messages for connection in one.farm.open}
    idle = list(one.feeder.lanes["a.example"]._idle)
    one.send(30)
    (used,) = [connection for connection, count in before.items() if connection.messages > count]
    assert used is idle[-1]
    assert last
