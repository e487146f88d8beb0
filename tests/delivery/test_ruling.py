"""What the rules do to a lane, a limit and a campaign."""

from __future__ import annotations

import pytest

from bulkmail.delivery.lifecycle.site_steering import SiteSteering
from bulkmail.mail import Fate, Outcome, Peer, Reply, Stage
from bulkmail.settings import Settings
from bulkmail.shaping import FactKind


def with_rules(world, *rules, sources=(), **more):
    settings = Settings.model_validate({"shaping": {"rules": list(rules)}, "sources": list(sources)})
    one = world(settings=settings, providers={"big": {"mx": [".big.example"]}}, **more)
    one.farm.obliging()
    one.routes = {"a.example": one.site("a.example", provider="big")}
    return one


def refuse_first(one, count, reply):
    """The first ``count`` messages are refused with this reply."""
    left = [count]

    def answer(connection):
        refused = left[0] > 0
        left[0] -= refused
        if refused:
            one.clock.callLater(one.farm.rtt, connection.answer, reply.code, *reply.lines)
        else:
            one.clock.callLater(one.farm.rtt, connection.answer, 250)

    one.farm.answers = answer


def limiter_of(one):
    (limiter,) = one.limiters.limiters("provider big")
    return limiter


@pytest.fixture
def odd(kit):
    return kit.reply(451, "4.0.0 the moon is in the way")


def test_a_rest_is_kept_and_costs_nobody_an_attempt(world, odd):
    one = with_rules(
        world, {"provider": "yahoo", "match": "moon", "do": {"rest": "1h"}}, {"match": "moon", "do": {"rest": "20m"}}
    )
    run = one.campaign({"a.example": 100})
    refuse_first(one, 1, odd)
    one.start()
    one.until(one.attempts, 60)
    began = one.clock.seconds()
    one.run(1.0)
    tried = len(one.attempts())
    one.run(1190.0)
    assert len(one.attempts()) == tried, "nothing is sent while it rests"
    one.until(lambda: run.complete, 4000)
    assert one.clock.seconds() > began + 1200
    assert one.statuses(run) == {"delivered": 100}
    assert sum(number > 1 for _, number, *_ in one.attempts()) == 1


@pytest.mark.parametrize("sources", [(), ("192.0.2.10",), ("192.0.2.10", "192.0.2.11")])
@pytest.mark.parametrize("of", ["big", "a.example"])
def test_a_rest_that_is_forgotten_is_over(world, odd, sources, of):
    """Of a provider by its name, of a site without one by the site's."""
    given = [{"name": f"s{n}", "address": address} for n, address in enumerate(sources)]
    one = with_rules(world, {"match": "moon", "do": {"rest": "1h"}}, sources=given)
    provider = "big" if of == "big" else ""
    one.routes = {"a.example": one.site("a.example", provider=provider)}
    run = one.campaign({"a.example": 200})
    refuse_first(one, max(1, 5 * len(sources)), odd)  # each source hears it
    one.start()
    one.run(60.0)
    tried = len(one.attempts())
    one.run(60.0)
    assert len(one.attempts()) == tried < 200, "it rests"
    (named,) = {lane.site.name for lane in one.feeder.lanes.values()}
    steering = SiteSteering(one.feeder, one.limiters, one.facts, one.clocks)
    assert steering.forget(of if provider else named, ("big",)) >= max(1, len(sources))
    one.run(30.0)
    assert len(one.attempts()) >= 200, "at once"
    one.until(lambda: run.complete, 4000)
    assert one.statuses(run) == {"delivered": 200}


def test_where_all_sources_rest_all_is_sent_when_their_rests_end(world, odd):
    given = [{"name": f"s{n}", "address": f"192.0.2.{n}"} for n in (10, 11)]
    one = with_rules(world, {"match": "moon", "do": {"rest": "20m"}}, sources=given)
    run = one.campaign({"a.example": 200})
    refuse_first(one, 10, odd)
    one.start()
    one.run(60.0)
    tried = len(one.attempts())
    one.run(1100.0)
    assert len(one.attempts()) == tried < 200, "both rest"
    one.run(120.0)
    assert len(one.attempts()) >= 200, "at once"
    one.until(lambda: run.complete, 4000)


def test_to_forget_a_site_leaves_the_rest_of_its_provider(world, odd):
    one = with_rules(world, {"match": "moon", "do": {"rest": "1h"}})
    one.campaign({"a.example": 20})
    refuse_first(one, 1, odd)
    one.start()
    one.run(10.0)
    (lane,) = one.feeder.lanes.values()
    tried = len(one.attempts())
    SiteSteering(one.feeder, one.limiters, one.facts, one.clocks).forget(lane.site.name, ("big",))
    one.run(600.0)
    assert len(one.attempts()) == tried


def test_a_rest_outlives_the_process(world, odd):
    one = with_rules(world, {"match": "moon", "do": {"rest": "20m"}})
    one.campaign({"a.example": 5})
    refuse_first(one, 1, odd)
    one.start()
    one.until(one.attempts, 60)
    again = with_rules(world, facts=one.facts)
    shared = again.limiters.of_site("x", "big", 0.0)
    assert shared.limiter.peek(0.0) == pytest.approx(1200.0, abs=1.0)
    assert shared.limiter.may_open(0.0) == pytest.approx(1200.0, abs=1.0)
    again.clock.advance(1200.0)
    assert again.limiters.of_site("y", "", 0.0).limiter.peek(0.0) == 0.0


def test_a_rate_and_connections_are_capped_for_their_time(world, odd):
    one = with_rules(world, {"match": "moon", "do": {"rate": "/4", "connections": 2}, "for": "10m"})
    one.campaign({"a.example": 3000})
    refuse_first(one, 1, odd)
    one.start()
    one.until(one.attempts, 60)
    assert (limiter_of(one).pace, limiter_of(one).connections) == (0.25, 2)
    began, sent = one.clock.seconds(), len(one.farm.sent)
    one.run(20.0)
    assert len(one.farm.sent) - sent < 26 * (one.clock.seconds() - began)
    one.clock.advance(600.0)
    one.campaign({"a.example": 300}, "second")
    one.run(5.0)
    assert (limiter_of(one).pace, limiter_of(one).connections) == (1.0, 10)


def test_a_cap_outlives_the_process_for_its_time(world, odd):
    one = with_rules(world, {"match": "moon", "do": {"rate": "/4", "connections": 2}, "for": "10m"})
    one.campaign({"a.example": 5})
    refuse_first(one, 1, odd)
    one.start()
    one.until(one.attempts, 60)
    again = with_rules(world, facts=one.facts)
    limiter = again.limiters.of_site("x", "big", 0.0).limiter
    assert (limiter.pace, limiter.connections, limiter.capped) == (0.25, 2, True)
    again.limiters.reset_forgotten(0.0)
    assert limiter.capped, "it is remembered"
    for kind in (FactKind.PACE, FactKind.CONNECTIONS):
        again.facts.forget("provider big", kind)
    again.limiters.reset_forgotten(0.0)
    assert (limiter.pace, limiter.connections, limiter.capped) == (1.0, 10, False)
    later = with_rules(world, facts=one.facts)
    later.clock.advance(600.0)
    assert not later.limiters.of_site("x", "big", 0.0).limiter.capped


def test_of_two_caps_the_lower_holds_until_both_are_over(world, odd):
    one = with_rules(
        world,
        {"match": "moon", "times": 1, "do": {"rate": "/8"}, "for": "10m"},
        {"match": "moon", "times": 2, "do": {"rate": "50/s"}, "for": "1h"},
    )
    one.campaign({"a.example": 5})
    refuse_first(one, 2, odd)
    one.start()
    one.until(lambda: len(one.attempts()) >= 2, 60)
    fact = one.facts.known("provider big", FactKind.PACE, one.wall())
    assert fact.value == pytest.approx(0.125)
    assert fact.until - one.wall() > 3000


def test_an_absolute_rate(world, odd):
    one = with_rules(world, {"match": "moon", "do": {"rate": "30/m", "connections": "/5"}})
    one.campaign({"a.example": 50})
    refuse_first(one, 1, odd)
    one.start()
    one.until(one.attempts, 60)
    assert limiter_of(one).pace == pytest.approx(0.005)
    assert limiter_of(one).connections == 2


def test_fewer_messages_and_no_chunking_are_facts_of_the_site(world, odd):
    one = with_rules(world, {"match": "moon", "do": {"messages_per_connection": 3, "chunking": "off"}})
    run = one.campaign({"a.example": 40})
    refuse_first(one, 1, odd)
    one.start()
    one.until(one.attempts, 60)
    kinds = {kind for _, kind in one.facts.take_changes()}
    assert {FactKind.MESSAGES, FactKind.CHUNKING} <= kinds
    (lane,) = one.feeder.lanes.values()
    assert (lane.quirks.most, lane.quirks.chunks) == (3, False)
    one.until(lambda: run.complete, 4000)


def test_a_campaign_is_stopped_where_the_rule_says(world, odd):
    stopped = []
    one = with_rules(world, {"provider": "yahoo", "match": "moon", "times": 2, "do": {"stop": "campaign"}})
    one.ruling.on_stop(lambda *what: stopped.append(what))
    one.routes = {"a.example": one.site("a.example", provider="yahoo")}
    run = one.campaign({"a.example": 10})
    refuse_first(one, 3, odd)
    one.start()
    one.until(lambda: len(one.attempts()) >= 3, 60)
    assert stopped == [(run, "yahoo", "yahoo said moon 2 times (shaping.rules[0])")]


def test_one_refusal_of_a_connection_and_its_end_are_one_word(world, kit):
    one = with_rules(world, {"match": "moon", "times": 2, "do": {"rest": "1h"}})
    one.campaign({"a.example": 10})
    answer = kit.reply(421, "4.0.0 the moon is in the way")
    left = [1]

    def complain(connection):
        if left[0]:
            left[0] = 0
            one.clock.callLater(one.farm.rtt, end, connection)
        else:
            one.clock.callLater(one.farm.rtt, connection.answer, 250)

    def end(connection):
        connection.settle(Fate.REFUSED, Stage.DOT, answer)
        connection.free()
        connection.close(Stage.DOT, answer, "421")

    one.farm.answers = complain
    one.start()
    one.until(lambda: len(one.attempts()) >= 10, 60)
    assert one.clock.seconds() < 60, "it was heard once, so nothing rests"


def test_the_same_line_to_one_message_after_the_other_is_said_each_time(world, odd):
    """Equal lines may be one object: `smtp.replies` keeps the last ones."""
    one = with_rules(world, {"match": "moon", "times": 3, "do": {"rest": "1h"}})
    one.campaign({"a.example": 10})
    said = []

    def refuse(connection):
        said.append(odd)
        connection.settle(Fate.REFUSED, Stage.RCPT, odd)
        connection.again()

    one.farm.answers = lambda connection: one.clock.callLater(one.farm.rtt, refuse, connection)
    one.start()
    one.run(5.0)
    assert 3 <= len(said) < 10
    assert limiter_of(one).may_open(one.clock.seconds()) > 3000


def test_a_greeting_that_refuses_us_is_heard(world, kit):
    one = with_rules(world, {"match": "moon", "do": {"rest": "1h"}})
    one.campaign({"a.example": 2})
    connect, answer = one.farm.connect, kit.reply(421, "4.0.0 the moon is in the way")
    one.farm.connects = False

    def refuses(*args, **kwargs):
        connection = connect(*args, **kwargs)
        one.clock.callLater(0.01, connection.close, Stage.GREETING, answer, "refused: 421")
        return connection

    one.farm.connect = refuses
    one.start()
    one.run(5.0)
    assert limiter_of(one).may_open(one.clock.seconds()) > 3000


def test_other_rules_are_used_from_then_on(world, odd):
    one = with_rules(world, {"match": "moon", "times": 2, "do": {"rest": "1h"}})
    first = one.campaign({"a.example": 10})
    refuse_first(one, 1, odd)
    one.start()
    one.until(lambda: one.statuses(first).get("delivered") == 9, 60)
    rules = [{"match": "moon", "do": {"rest": "1h"}}]
    judgements = [{"match": "moon", "category": "virus", "permanent": True}]
    one.apply(Settings.model_validate({"shaping": {"rules": rules}, "classification": judgements}))
    refuse_first(one, 1, Reply(550, odd.lines))
    one.until(lambda: one.statuses(first).get("blocked"), 3000)
    assert limiter_of(one).peek(one.clock.seconds()) > one.clock.seconds() + 3000


SLOW_DOWN = (421, "4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred")


def complain_at_once(one, kit, count):
    """The first ``count`` messages that are under way together are refused in one moment, each on its connection."""
    waiting, reply = [], kit.reply(*SLOW_DOWN)

    def refuse(connection):
        connection.settle(Fate.REFUSED, Stage.RCPT, reply)
        connection.again()

    def answer(connection):
        if len(waiting) == count:
            one.clock.callLater(one.farm.rtt, connection.answer, 250)
            return
        waiting.append(connection)
        if len(waiting) == count:
            for late in waiting:
                one.clock.callLater(one.farm.rtt, refuse, late)

    one.farm.answers = answer
    return waiting


def test_connections_that_complain_in_one_moment_are_one_complaint(world, kit):
    one = with_rules(world, {"match": "TSS04", "times": 3, "do": {"rest": "1h"}})
    one.campaign({"a.example": 300})
    waiting = complain_at_once(one, kit, 4)
    one.start()
    one.until(lambda: len(waiting) == 4, 60)
    one.run(1.0)
    assert len(one.attempts()) >= 4
    assert limiter_of(one).may_open(one.clock.seconds()) < one.clock.seconds() + 60, "one word, so nothing rests"


def test_a_rule_that_acts_on_the_rate_does_so_instead_of_the_throttle(world, kit):
    one = with_rules(world, {"match": "TSS04", "do": {"rate": "/4"}, "for": "10m"})
    one.campaign({"a.example": 300})
    refuse_first(one, 1, kit.reply(*SLOW_DOWN))
    one.start()
    one.until(one.attempts, 60)
    assert limiter_of(one).pace == 0.25
    assert limiter_of(one).factors[0] == 1.0, "one complaint, one change"


def test_greetings_that_complain_in_one_moment_are_one_complaint(world, kit):
    one = with_rules(world, {"match": "TSS04", "times": 3, "do": {"rest": "1h"}})
    one.campaign({"a.example": 20})
    one.start()
    one.until(one.attempts, 60)
    (lane,) = one.feeder.lanes.values()
    outcome = Outcome(Fate.LOST, Stage.GREETING, kit.reply(*SLOW_DOWN), Peer("mx.example", "192.0.2.1"))
    now = one.clock.seconds()
    for _ in range(5):
        lane._listener.attempt_refused(outcome)
        lane._slots.refused(now, "rate")
    assert limiter_of(one).pace == 0.5
    assert limiter_of(one).may_open(now) < now + 60, "one word, so nothing rests"
