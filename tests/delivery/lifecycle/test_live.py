from __future__ import annotations

import pytest

from bulkmail.delivery.lifecycle.live import BINDS, Live
from bulkmail.delivery.lifecycle.progress import Progress
from bulkmail.mail import Peer
from bulkmail.shaping import ANY_SOURCE


@pytest.fixture
def one(world):
    made = world()
    progress = Progress(made.pause, made.feeder, made.clocks)
    made.progress = progress
    made.live = Live(made.clocks, made.pause, made.feeder, made.limiters, progress)
    return made


def test_a_campaign_that_is_sent_is_told_with_its_rate(one):
    one.farm.obliging()
    run = one.campaign({"a.example": 500})
    one.start()
    for _ in range(3):
        one.progress.line(run, one.clocks.now())
        one.run(1)
    ((name, known),) = one.live.campaigns().items()
    assert name == run.name
    assert known.situation.word == "sending"
    assert known.rate > 0


def test_the_sites_are_told_the_busiest_first_with_what_binds_them(one):
    one.farm.obliging()
    one.campaign({"a.example": 500, "b.example": 5})
    one.start()
    one.run(2)
    sites = one.live.sites()
    assert [site.claimed for site in sites] == sorted((site.claimed for site in sites), reverse=True)
    assert sites[0].state == "ready"
    assert {site.binds for site in sites} <= set(BINDS)
    assert sites[0].binds in ("rate", "connection-rate"), "100 messages a second, 100 connections a minute"
    assert one.live.sites(1) == sites[:1]
    assert one.live.waiting(5) == []
    one.pause.own_fault("the disk is full")
    assert {site.binds for site in one.live.sites()} == {"fault"}
    assert one.live.fault == "the disk is full"
    assert one.live.fault_since == one.clocks.wall()


def test_the_limiter_of_a_site_is_found_by_its_key_and_not_made(one):
    assert one.live.limiters("provider google") == []
    one.farm.obliging()
    one.campaign({"a.example": 5})
    one.start()
    one.run(1)
    (site,) = one.live.sites()
    (limiter,) = one.live.limiters(site.key)
    assert limiter.factors == (1.0, 1.0)


def test_a_site_is_found_by_its_name_its_key_or_its_host(one):
    one.farm.obliging()
    one.campaign({"a.example": 500, "b.example": 5})
    one.start()
    one.run(2)
    for site in one.live.sites():
        for name in (site.site, site.key, site.key.partition("~")[0]):
            assert one.live.named(name)[0].key == site.key
        assert one.live.of_key(site.key) == [site]
    assert one.live.named("nowhere") == one.live.of_key("nowhere") == []
    assert one.live.sites(provider="google") == []
    assert one.live.sites(provider="") == one.live.sites()


def test_the_hosts_that_were_met_are_told(one):
    assert one.live.hosts("google", 5) == []
    live = Live(one.clocks, one.pause, one.feeder, one.limiters, one.progress, connector=one.connector)
    assert live.traces is one.connector.traces
    where = one.site("google.example", "192.0.2.1", provider="google")
    one.connector.met.ready(where, ANY_SOURCE, Peer("mx.google.com", "192.0.2.1"))
    assert [host.host for host in live.hosts("google", 5)] == ["mx.google.com"]


def test_what_is_in_flight_is_told_by_provider(one):
    one.farm.obliging()
    run = one.campaign({"a.example": 500})
    one.start()
    one.until(lambda: one.feeder.open_queues.in_flight, 10)
    known = one.live.campaigns()[run.name]
    assert known.in_flight == {"": one.feeder.open_queues.in_flight}
