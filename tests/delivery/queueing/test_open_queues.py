from __future__ import annotations

from types import SimpleNamespace

import pytest
from twisted.internet.defer import Deferred

from bulkmail.mail import OwnFault
from bulkmail.routing import RouteFailure


@pytest.fixture
def one(world):
    made = world()
    made.farm.obliging()
    return made


def opened(one, domains):
    """The queues of a campaign with a row at each domain, open and routed."""
    run = one.campaign(dict.fromkeys(domains, 1), run=False)
    one.feeder.runs[run.id] = run
    queues = one.feeder.open_queues
    for queue_id, campaign_id, domain in one.store.backlog(0, 100):
        queues.open(queue_id, campaign_id, domain)
    return run, queues


def test_a_queue_is_open_once_and_supplies_the_lane_of_its_site(one):
    site = one.routes["a.example"] = one.routes["b.example"] = one.site("mx.example")
    _, queues = opened(one, ["a.example", "b.example"])
    assert list(queues.lanes) == [site.key]
    (lane,) = queues.lanes.values()
    assert {queue.domain for queue in queues.supply_of(lane)} == {"a.example", "b.example"}
    assert {queue.lanes[0] for queue in queues.queues.values()} == {lane}
    first = next(iter(queues.queues.values()))
    queues.open(first.id, 1, first.domain)
    assert len(one.routed) == 2, "an open queue is not routed again"


def test_a_closed_queue_supplies_nothing_and_makes_room(one):
    told = []
    _, queues = opened(one, ["a.example"])
    queues.on_room(lambda: told.append(queues.room(queue.run)))
    (queue,) = queues.queues.values()
    (lane,) = queue.lanes
    queues.close(queue)
    assert (queues.queues, len(queues.supply_of(lane)), told) == ({}, 0, [True])


@pytest.mark.parametrize("why", ["unknown campaign", "withheld", "remote"])
def test_some_queues_are_not_opened(one, why):
    run = one.campaign({"a.example": 1}, run=False)
    queues = one.feeder.open_queues
    if why != "unknown campaign":
        one.feeder.runs[run.id] = run
    run.doubted = why == "withheld"
    if why == "remote":
        queues.share(SimpleNamespace(is_remote=lambda _: True))
    queues.open(1, run.id, "a.example")
    assert (queues.queues, one.routed) == ({}, [])


def test_where_another_machine_takes_the_site_the_queue_closes(one):
    async def ours(queue, site):
        return site.name != "a.example"

    one.feeder.open_queues.share(SimpleNamespace(is_remote=lambda _: False, ours=ours))
    _, queues = opened(one, ["a.example", "b.example"])
    assert {queue.domain for queue in queues.queues.values()} == {"b.example"}


def test_a_fault_of_the_resolver_pauses_and_closes_the_queue(one):
    one.routes["a.example"] = OwnFault("no nameserver answers")
    _, queues = opened(one, ["a.example"])
    assert (queues.queues, one.pause.fault) == ({}, "no nameserver answers")


def test_a_domain_that_does_not_exist_ends_its_recipients_and_one_that_may_come_waits(one):
    one.routes["gone.example"] = RouteFailure(True, "bad-domain", "gone.example does not exist")
    one.routes["later.example"] = RouteFailure(False, "dns", "later.example: SERVFAIL")
    run, _ = opened(one, ["gone.example", "later.example"])
    one.run(5.0)
    assert one.statuses(run) == {"bounced": 1, "deferred": 1}


def test_a_lane_that_another_machine_gets_is_left_and_forgotten_when_it_is_empty(one):
    run, queues = opened(one, ["a.example"])
    (lane,) = queues.lanes.values()
    run.doubted = True  # nothing opens the queue again
    assert [queue.domain for queue in queues.leave(lane)] == ["a.example"]
    assert (lane.closed, queues.queues) == (True, {})
    assert lane not in [known for key, known in queues.lanes.items() if key == "a.example"]
    one.run(1.0)
    queues.forget_unused()
    assert queues.lanes == {}


def test_of_many_lanes_each_is_looked_at_within_some_seconds(one, monkeypatch):
    monkeypatch.setattr("bulkmail.delivery.in_parts.AT_ONCE", 3)
    run, queues = opened(one, [f"d{n}.example" for n in range(20)])
    run.doubted = True
    for lane in list(queues.lanes.values()):
        queues.leave(lane)
    one.run(1.0)
    left = []
    for _ in range(5):
        queues.forget_unused()
        left.append(len(queues.lanes))
    assert left == [16, 12, 8, 4, 0]


def test_nothing_is_routed_to_a_lane_after_the_stop(one):
    waits = Deferred()

    async def route(_):
        await waits
        return one.site("a.example")

    one.feeder.open_queues._route_domain = route
    _, queues = opened(one, ["a.example"])
    queues.stop()
    waits.callback(None)
    assert (queues.queues, queues.lanes) == ({}, {})


def held_route(one):
    """Domains are routed only once the returned Deferred fires."""
    waits = Deferred()

    async def route(domain):
        await waits
        return one.site(domain)

    one.feeder.open_queues._route_domain = route
    return waits


def test_a_queue_whose_lane_was_forgotten_while_it_was_routed_again_gets_a_new_lane(one):
    """A resolver may take longer than a lane without work is kept."""
    run, queues = opened(one, ["a.example"])
    (queue,) = queues.queues.values()
    first = queue.lanes[0]
    run.doubted = True  # what is claimed goes back
    one.run(1.0)
    run.doubted = False
    waits = held_route(one)
    queues._suspension_over(queues.supply_of(first))
    queues.forget_unused()
    assert queues.lanes == {}
    waits.callback(None)
    (lane,) = queues.lanes.values()
    assert queue.lanes[0] is lane is not first
    assert list(queues.supply_of(lane)) == [queue]
    one.until(lambda: run.complete, 60)


def test_a_queue_that_was_closed_while_it_was_routed_supplies_nothing(one):
    """Its campaign went to another machine meanwhile, and is over here."""
    waits = held_route(one)
    run, queues = opened(one, ["a.example"])
    del one.feeder.runs[run.id]
    assert queues.withdraw(run) == []
    waits.callback(None)
    one.run(1.0)
    assert (queues.queues, queues.lanes, one.feeder.held) == ({}, {}, 0)


def test_a_queue_that_was_opened_anew_while_it_was_routed_is_open_once(one):
    waits = held_route(one)
    run, queues = opened(one, ["a.example"])
    (first,) = queues.queues.values()
    queues.withdraw(run)
    queues.open(first.id, run.id, "a.example")
    waits.callback(None)
    (second,) = queues.queues.values()
    (lane,) = queues.lanes.values()
    assert list(queues.supply_of(lane)) == [second]
    queues.close(first)
    assert list(queues.queues.values()) == [second]
