from __future__ import annotations

import pytest
from twisted.logger import capturedLogs, formatEvent

from bulkmail.delivery.lifecycle.site_steering import SiteSteering
from bulkmail.mail import UnknownName, WrongState, parse_rate
from bulkmail.shaping import Fact, FactKind

PROVIDERS = ("big", "small")


@pytest.fixture
def one(world):
    made = world(providers={"big": {"mx": [".big.example"]}})
    made.farm.obliging()
    made.routes = {"a.example": made.site("a.example", provider="big")}
    made.steering = SiteSteering(made.feeder, made.limiters, made.facts, made.clocks)
    return made


def sent_in(one, seconds):
    before = len(one.attempts())
    one.run(seconds)
    return len(one.attempts()) - before


def test_a_provider_is_sent_to_no_faster_for_a_time_and_then_as_before(one):
    one.campaign({"a.example": 5000})
    one.start()
    one.run(3)
    assert sent_in(one, 10) > 100
    one.steering.pace("big", parse_rate("2/s"), 60.0, PROVIDERS, "ann")
    one.run(1)
    assert 15 <= sent_in(one, 10) <= 25
    one.steering.pace("big", parse_rate("4/s"), 30.0, PROVIDERS)  # it replaces the first
    one.run(1)
    assert 35 <= sent_in(one, 10) <= 45
    one.run(25)
    assert sent_in(one, 10) > 100


def test_a_pace_is_a_fact_that_can_be_forgotten(one):
    one.campaign({"a.example": 5000})
    one.start()
    one.run(3)
    one.steering.pace("big", parse_rate("1/s"), 3600.0, PROVIDERS)
    assert one.facts.known("provider big", FactKind.PACE, one.wall()).until == one.wall() + 3600
    one.facts.learn("a.example", Fact(FactKind.TLS, 0.0, one.wall(), one.wall() + 60))
    with capturedLogs() as told:
        assert one.steering.forget("big", PROVIDERS, "ann", "a mistake") == 2
    assert "2 facts of big are forgotten, asked for by ann: a mistake" in map(formatEvent, told)
    assert one.facts.sites() == []
    one.run(2)
    assert sent_in(one, 10) > 100
    one.facts.learn("a.example", Fact(FactKind.TLS, 0.0, one.wall(), one.wall() + 60))
    with capturedLogs() as told:
        one.steering.forget("big", PROVIDERS)
    assert "1 fact of big is forgotten" in map(formatEvent, told)


def test_a_site_without_a_provider_is_paced_by_its_own_name(one):
    one.campaign({"b.example": 5000})
    one.start()
    one.run(3)
    (site,) = {lane.site.name for lane in one.feeder.lanes.values()}
    one.steering.pace(site, parse_rate("2/s"), 60.0, PROVIDERS)
    one.run(1)
    assert 15 <= sent_in(one, 10) <= 25


def test_what_is_not_known_and_what_would_be_faster_is_refused(one):
    with pytest.raises(UnknownName, match=r"nowhere\.example"):
        one.steering.forget("nowhere.example", PROVIDERS)
    with pytest.raises(UnknownName):
        one.steering.pace("nowhere.example", parse_rate("1/s"), 1.0, PROVIDERS)
    with pytest.raises(WrongState, match="at most already"):
        one.steering.pace("big", parse_rate("100000/s"), 60.0, PROVIDERS)
