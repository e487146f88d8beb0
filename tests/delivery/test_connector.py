from __future__ import annotations

from dataclasses import replace

import pytest

from bulkmail.routing import Manner, Stop
from bulkmail.settings import Settings
from bulkmail.smtp import TlsMode

A = "192.0.2.1"


@pytest.fixture
def one(world):
    return world()


def connected(one, *, tls=None, patient=False, ip=A, site=None):
    site = site or one.site("s.example", ip)
    tls = one.connector.tls_mode(site, one.limiters.limits_of(site)) if tls is None else tls
    options = {"groups": True, "chunks": True, "patient": patient, "listener": None, "site": site, "tls_policy": ""}
    one.connector.connect(Stop(10, "mx.example", ip), tls=tls, **options)
    return one.farm.made[-1].options


def test_how_a_connection_is_asked_for(one):
    options = connected(one)
    assert options["port"] == 25
    session = options["session_options"]
    assert (session.hostname, session.tls) == ("me.example", "opportunistic")
    assert (session.pipelining, session.chunking) == (True, True)
    assert options["timeouts"].connect == 5.0
    assert connected(one, patient=True)["timeouts"].connect == 30.0
    assert connected(one, tls=TlsMode.OFF)["session_options"].tls == "off"


def test_forbidden_addresses_are_asked_about_at_the_last_moment(one, world, monkeypatch):
    forbidden = connected(one)["forbidden"]
    assert forbidden("127.0.0.1")
    assert forbidden("93.184.215.14") is None
    monkeypatch.setattr("bulkmail.delivery.connector.own_address", "93.184.215.14".__eq__)
    assert forbidden("93.184.215.14") == "an address of this machine"
    settings = Settings()
    from ipaddress import ip_network

    routing = settings.routing.model_copy(update={"allow_networks": (ip_network("127.0.0.0/8"),)})
    two = world(settings=settings.model_copy(update={"routing": routing}))
    assert connected(two)["forbidden"]("127.0.0.1") is None
    assert connected(two)["forbidden"]("10.0.0.1")


def test_an_address_that_answers_small_hellos_only_is_remembered(one):
    assert not connected(one)["session_options"].small_hello
    one.connector.hello_unanswered(A)
    assert connected(one)["session_options"].small_hello
    assert not connected(one, ip="192.0.2.2")["session_options"].small_hello
    one.clock.advance(7 * 86400.0)
    assert not connected(one)["session_options"].small_hello
    one.connector.hello_unanswered(A)
    one.connector.tls_failed(A)
    assert not connected(one)["session_options"].small_hello


def test_a_broken_tls_is_remembered_for_the_address(one):
    one.connector.tls_broken(A)
    assert connected(one)["session_options"].tls == "off"
    assert connected(one, ip="192.0.2.2")["session_options"].tls == "opportunistic"
    one.clock.advance(3 * 86400.0)
    assert connected(one)["session_options"].tls == "opportunistic"


def test_what_an_earlier_process_was_taught_is_known_to_this_one(world):
    one = world()
    one.connector.tls_broken(A)
    assert connected(world(facts=one.facts))["session_options"].tls == "off"


def test_how_a_session_is_spoken_where_a_route_has_it_otherwise(one):
    site = replace(one.site("s.example", A), manner=Manner("verify", "off", "off"))
    session = connected(one, site=site)["session_options"]
    assert (session.tls, session.pipelining, session.chunking) == ("verify", False, False)
    smtp = one.settings.smtp.model_copy(update={"pipelining": "off", "chunking": "off"})
    one.connector.apply(one.settings.model_copy(update={"smtp": smtp}))
    site = replace(site, manner=Manner(pipelining="auto", chunking="auto"))
    session = connected(one, site=site)["session_options"]
    assert (session.tls, session.pipelining, session.chunking) == ("opportunistic", True, True)


def test_a_connection_tells_from_its_first_line_on_where_its_site_is_looked_at(one):
    site = one.site("s.example", A)
    looked_at = []
    one.farm.told = looked_at.append
    connected(one, site=site)
    assert looked_at == []
    one.connector.traces.look(site.key, "")
    connected(one, site=site)
    assert len(looked_at) == 2
    one.clock.advance(60.0)
    assert looked_at[2:] == [None, None]
