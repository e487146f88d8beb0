from __future__ import annotations

import pytest

from bulkmail.delivery.sources import Sources
from bulkmail.routing import MxHost, Site
from bulkmail.shaping import ANY_SOURCE, Source

A, B, SIX = Source("a", "192.0.2.10"), Source("b", "192.0.2.11"), Source("six", "2001:db8::1")
BOTH = Site("both", (MxHost(10, "mx.example", ("192.0.2.1", "2001:db8::2")),), "", "mx.example")
V6_ONLY = Site("v6", (MxHost(10, "mx.example", ("2001:db8::2",)),), "", "mx.example")
NOWHERE = Site("domain x.example", (), "", "x.example")


@pytest.fixture
def one(world):
    return world()


def made(one, *given, pools=None, relays=()):
    return Sources(given, pools or {}, clocks=one.clocks, pause=one.pause, relays=relays)


def test_without_sources_the_system_chooses(one):
    sources = made(one)
    assert (sources.all, sources.several, sources.of("")) == ((ANY_SOURCE,), False, (ANY_SOURCE,))
    assert sources.reaching("", V6_ONLY) == (ANY_SOURCE,)
    assert sources.usable(ANY_SOURCE, BOTH)


def test_a_pool_has_some_of_them_and_each_reaches_its_family(one):
    sources = made(one, A, B, SIX, pools={"pool": ["b", "six"]})
    assert (sources.of(""), sources.of("pool"), sources.of("other")) == ((A, B, SIX), (B, SIX), ())
    assert sources.reaching("pool", BOTH) == (B, SIX)
    assert sources.reaching("pool", V6_ONLY) == (SIX,)
    assert sources.reaching("pool", NOWHERE) == (B, SIX), "what it comes to is found out by an attempt"


def test_one_rests_after_a_fault_of_its_own_and_the_others_go_on(one):
    sources, told = made(one, A, B), []
    sources.on_rest(lambda source, until, why: told.append((source, until, why)))
    sources.rest(A, "it is gone")
    sources.rest(A, "it is gone")
    assert told == [(A, 5.0, "it is gone")]
    assert (sources.usable(A, BOTH), sources.usable(B, BOTH), one.pause.paused) == (False, True, False)
    one.run(5.0)
    assert sources.usable(A, BOTH)
    assert sources.resting_until(A) == 0.0


def test_where_all_of_them_rest_everything_pauses(one):
    sources = made(one, A, B)
    sources.rest(A, "it is gone")
    one.run(2.0)
    sources.rest(B, "it is gone too")
    assert one.pause.paused
    assert one.pause.fault == "source b (192.0.2.11): it is gone too"


def test_a_fault_is_told_once_until_the_source_has_worked(one):
    sources = made(one, A, B)
    for _ in range(3):
        sources.rest(A, "it is gone")
        one.run(6.0)
    assert sources._told == {"a": "it is gone"}
    sources.worked(A)
    assert sources._told == {}
    assert sources.usable(A, BOTH)


def test_what_else_keeps_a_source_from_a_site_is_asked(one):
    sources = made(one, A, B)
    sources.also(lambda source, site: source is B or site.key == "both")
    assert [sources.usable(source, site) for source in (A, B) for site in (BOTH, V6_ONLY)] == [True, False, True, True]


def test_turns_are_counted_for_each_provider(one):
    sources = made(one, A, B)
    big = Site("mx.big.example~1", BOTH.hosts, "big", "mx.big.example")
    assert sources.choice(BOTH) is sources.choice(V6_ONLY) is not sources.choice(big)


def test_a_relay_of_a_route_is_sent_to_without_a_source(one):
    sources = made(one, A, B, relays={"partner"})
    assert sources.reaching("", Site("relay", BOTH.hosts, "partner", "relay")) == (ANY_SOURCE,)
