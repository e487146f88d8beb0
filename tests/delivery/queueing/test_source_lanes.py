"""Several sources: a lane for each, by weight, and what becomes of the messages of one that cannot send."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from bulkmail.mail import Category, Stage
from bulkmail.routing import Manner
from bulkmail.settings import Settings
from bulkmail.shaping import Allowance, FactKind

A, B, SIX = "192.0.2.10", "192.0.2.11", "2001:db8::10"


@pytest.fixture
def many(world, fast):
    """A world with sources: ``weights`` of a and b, a v6 one where asked for; its farm obliges."""

    def make(weights=(1, 1), *, six=False, pools=None, **changed):
        given = [{"name": name, "address": ip, "weight": w} for name, ip, w in zip("ab", (A, B), weights, strict=True)]
        given += [{"name": "six", "address": SIX}] if six else []
        settings = Settings.model_validate({"sources": given, "pools": pools or {}})
        shaped = fast(**changed)
        one = world(settings=settings.model_copy(update={"shaping": shaped.shaping, "retry": shaped.retry}))
        one.farm.obliging()
        return one

    return make


def sent_from(one):
    """Messages by the source that they left from."""
    by_connection = Counter()
    for connection in one.farm.made:
        by_connection[connection.peer.source_ip] += connection.messages
    return {ip: count for ip, count in by_connection.items() if count}


def test_one_queue_is_sent_from_all_sources(many):
    one = many((3, 1))
    run = one.campaign({"a.example": 1000})
    one.send()
    assert one.statuses(run) == {"delivered": 1000}
    got = sent_from(one)
    assert got[A] + got[B] == 1000
    assert min(got.values()) > 200, "neither waits for the other"
    assert {str(lane.source.name) for lane in one.feeder.lanes.values()} == {"a", "b"}
    one.check_empty()


def test_small_sites_get_one_lane_each_and_turns_are_by_weight(many):
    one = many((3, 1))
    run = one.campaign({f"d{n}.example": 1 for n in range(80)})
    one.send()
    assert one.statuses(run) == {"delivered": 80}
    assert sent_from(one) == {A: 60, B: 20}
    assert len(one.farm.made) == 80, "no site has two lanes for one message"


def test_a_campaign_is_sent_from_its_pool(many):
    one = many(pools={"only-b": ["b"]})
    run = one.campaign({"a.example": 50})
    run.content["sources"] = "only-b"
    one.send()
    assert sent_from(one) == {B: 50}


def test_a_route_names_the_pool_of_its_receivers_whatever_the_campaign_says(many):
    one = many(pools={"only-b": ["b"], "only-a": ["a"]})
    here = replace(one.site("a.example"), manner=Manner(sources="only-a"))
    there = one.site("b.example")

    async def route(domain):
        return here if domain == "a.example" else there

    one.feeder.open_queues._route_domain = route
    run = one.campaign({"a.example": 30, "b.example": 20})
    run.content["sources"] = "only-b"
    one.send()
    assert sent_from(one) == {A: 30, B: 20}


def test_limits_count_for_each_source(many, kit):
    one = many(rate=kit.Rate(10, 1.0, 1))
    run = one.campaign({"a.example": 200})
    one.send()
    seconds = max(at for _, at, _ in one.farm.sent)
    assert 9.0 < seconds < 13.0, "10/s from each of two: 200 messages in ten seconds"
    assert one.statuses(run) == {"delivered": 200}


def test_a_source_that_is_refused_rests_there_and_the_other_goes_on(many):
    one = many()
    refused = []

    def answers(connection):
        if connection.peer.source_ip == A and connection.peer.ip == one.site("a.example").hosts[0].addresses[0]:
            refused.append(one.clock.seconds())
            connection.answer(554, "5.7.1 your address is on our block list", stage=Stage.MAIL)
        else:
            one.clock.callLater(one.farm.rtt, connection.answer)

    one.farm.answers = answers
    run = one.campaign({"a.example": 400, "b.example": 400})
    one.send()
    told = one.statuses(run)
    blocked = len(refused)
    assert told["delivered"] == 800 - told["blocked"]
    assert told["blocked"] == blocked < 40, "some are lost until the site is found to refuse source a"
    assert {key for key in one.feeder.lanes if key.endswith(" from a")} >= {"b.example from a"}
    assert one.facts.known("a.example from a", FactKind.OUTAGE, one.wall()) is not None
    assert one.facts.known("a.example from b", FactKind.OUTAGE, one.wall()) is None
    assert max(at for _, at, _ in one.farm.sent) < 30.0, "nobody waited for the suspension of source a"


def test_a_host_that_one_source_cannot_reach_costs_one_attempt(many):
    one = many()
    connect = one.farm.connect

    def from_b_only(reactor, peer, *given, **options):
        one.farm.dead = {peer.ip} if peer.source_ip == A else set()
        return connect(reactor, peer, *given, **options)

    one.farm.connect = from_b_only
    run = one.campaign({"a.example": 300})
    one.start()
    one.until(lambda: one.statuses(run).get("delivered") == 299, 60)
    assert one.statuses(run) == {"delivered": 299, "deferred": 1}
    one.until(lambda: run.complete)
    assert one.statuses(run) == {"delivered": 300}
    assert max(Counter(number for number, *_ in one.attempts()).values()) == 2
    assert one.connector.hosts(one.sources.of("")[1]).failed_until(one.farm.made[0].peer.ip) is None


def test_an_address_that_is_missing_charges_nobody_and_the_other_source_goes_on(many):
    one = many()
    connect, gone = one.farm.connect, [True]

    def missing(*given, **options):
        connection = connect(*given, **options)
        if gone[0] and connection.peer.source_ip == A:
            fault = {"own_fault": True, "source_fault": True}
            one.clock.callLater(
                0, connection.close, Stage.CONNECT, None, f"{A} is not here", Category.CONNECTION, **fault
            )
        return connection

    one.farm.connect = missing
    run = one.campaign({"a.example": 200, "b.example": 5})
    one.send()
    assert one.statuses(run) == {"delivered": 205}
    assert sent_from(one) == {B: 205}
    assert {number for _, number, *_ in one.attempts()} == {1}
    assert not one.pause.paused
    assert one.facts.known("a.example from a", FactKind.OUTAGE, one.wall()) is None
    gone.clear()
    gone.append(False)
    one.run(10.0)
    more = one.campaign({"a.example": 200}, name="later")
    one.send()
    assert one.statuses(more) == {"delivered": 200}
    assert sent_from(one)[A] > 20, "it is used again"
    one.check_empty()


def test_where_every_source_is_missing_everything_waits_and_goes_on(many):
    one = many()
    connect = one.farm.connect

    def missing(*given, **options):
        connection = connect(*given, **options)
        if one.clock.seconds() < 60.0:
            fault = {"own_fault": True, "source_fault": True}
            one.clock.callLater(0, connection.close, Stage.CONNECT, None, "gone", Category.CONNECTION, **fault)
        return connection

    one.farm.connect = missing
    run = one.campaign({"a.example": 20})
    one.start()
    one.run(30.0)
    assert one.pause.fault
    assert one.attempts() == []
    one.until(lambda: run.complete)
    assert one.statuses(run) == {"delivered": 20}
    assert {number for _, number, *_ in one.attempts()} == {1}
    assert one.pause.uncharged.since(kit_epoch(one)) > 40.0


def kit_epoch(one):
    return one.wall() - one.clock.seconds()


def test_an_address_of_the_other_family_is_for_the_other_source(many):
    one = many(six=True, pools={"four": ["a", "b"], "all": ["a", "b", "six"]})
    one.routes["a.example"] = one.site("a.example", "2001:db8::25")
    one.routes["b.example"] = one.site("b.example", "192.0.2.25", "2001:db8::26")
    run = one.campaign({"a.example": 5, "b.example": 60})
    run.content["sources"] = "all"
    one.send()
    assert one.statuses(run) == {"delivered": 65}
    for connection in one.farm.made:
        assert (":" in connection.peer.source_ip) is (":" in connection.peer.ip)
    less = one.campaign({"a.example": 3}, name="less")
    less.content["sources"] = "four"
    one.start()
    one.run(5.0)
    assert one.statuses(less).get("bounced") is None
    (last,) = [entry for entry in one.spool.settlements if entry.attempt and entry.status == "deferred"]
    assert "IPv6 addresses only" in last.attempt.reply
    assert (last.attempt.stage, last.category) == ("dns", "routing")


def test_what_a_machine_without_the_pool_finds_is_not_sent(many):
    one = many()
    run = one.campaign({"a.example": 3})
    run.content["sources"] = "elsewhere"
    one.start()
    one.run(5.0)
    assert one.farm.made == []
    assert "delivered" not in one.statuses(run)


def test_a_lane_that_is_held_up_does_not_hold_up_the_others(many):
    one = many()

    def answers(connection):
        rtt = 30.0 if connection.peer.source_ip == A else 0.01
        one.clock.callLater(rtt, connection.answer)

    one.farm.answers = answers
    run = one.campaign({"a.example": 500})
    one.start()
    one.until(lambda: one.statuses(run).get("delivered", 0) > 450, 40)
    assert sent_from(one)[B] > 400
    one.until(lambda: run.complete)
    assert one.statuses(run) == {"delivered": 500}


def most_in_a_second(times):
    times, first, most = sorted(times), 0, 0
    for last, at in enumerate(times):
        while at - times[first] >= 1.0:
            first += 1
        most = max(most, last - first + 1)
    return most


def test_a_rate_is_each_sources_and_the_campaigns_is_that_of_all(world, kit, fast):
    given = [{"name": f"s{n}", "address": f"192.0.2.{n}"} for n in range(10, 14)]
    shaped = fast(rate=kit.Rate(50, 1.0, 10))
    one = world(settings=Settings.model_validate({"sources": given}).model_copy(update={"shaping": shaped.shaping}))
    one.farm.obliging()
    run = one.campaign({"a.example": 400})
    one.send()
    assert one.statuses(run) == {"delivered": 400}
    everything = [at for _, at, _ in one.farm.sent]
    assert 200 <= most_in_a_second(everything) <= 4 * 60
    began = one.clock.seconds()
    slow = one.campaign({"a.example": 100, "b.example": 50}, name="slow")
    slow.allowance = Allowance(kit.Rate(50, 1.0, 10), None, now=began)
    one.send()
    assert one.statuses(slow) == {"delivered": 150}
    assert most_in_a_second(at for _, at, _ in one.farm.sent if at > began) <= 60


def test_a_lane_whose_source_rests_does_not_end_a_first_round(many):
    one = many()
    run = one.campaign({"a.example": 100})
    one.farm.connects = False
    one.start()
    one.until(lambda: one.farm.made, 10)
    for source in one.sources.all:
        one.sources.rest(source, "it is gone")
    assert one.feeder.open_queues.all_suspended is False
    assert not run.complete
