"""The resolver with a real name server and a real policy host: what a domain announces, and its policy."""

from __future__ import annotations

import time

import pytest

from bulkmail.routing import announcing, policy_fetch
from tests.net.authority import Authority
from tests.policyhost import WHOLE, PolicyHost, answer

pytestmark = pytest.mark.loopback


@pytest.fixture
def zone(server):
    server.zone |= {
        "shop.test": {"MX": ["10 mx.shop.test."]},
        "mx.shop.test": {"A": ["192.0.2.1"]},
        "_mta-sts.shop.test": {"TXT": ['"v=STSv1; id=one"']},
        "mta-sts.shop.test": {"A": ["127.0.0.1"]},
    }
    return server


@pytest.fixture
def host(tmp_path, monkeypatch):
    authority = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    policy_fetch._context.cache_clear()
    made = PolicyHost(authority.server("mta-sts.shop.test"), answer())
    yield made
    made.close()
    policy_fetch._context.cache_clear()


ROUTE = ("route", "shop.test", (), True)


def test_the_id_comes_with_the_route_and_only_where_it_is_asked_for(zone, handle):
    told, plain = handle(ROUTE, ("route", "shop.test"))
    assert told[2:] == ([(10, "mx.shop.test", ["192.0.2.1"])], "one")
    assert len(plain) == 3
    assert zone.count("_mta-sts.shop.test", "TXT") == 2  # whether there may be one, and then properly


@pytest.mark.parametrize("record", [None, ["v=STSv1; id=one", "v=STSv1; id=two"], ["v=spf1 -all"]])
def test_no_record_or_no_good_one_is_none(zone, handle, record):
    del zone.zone["_mta-sts.shop.test"]
    if record:
        zone.zone["_mta-sts.shop.test"] = {"TXT": [f'"{text}"' for text in record]}
    assert handle(ROUTE)[0][3] == ""


def test_a_record_behind_aliases(zone, handle):
    zone.zone["_mta-sts.shop.test"] = {"CNAME": ["_mta-sts.hoster.test."]}
    zone.zone["_mta-sts.hoster.test"] = {"TXT": ['"v=STSv1; " "id=two"']}
    zone.moods["_mta-sts.shop.test"] = "one-hop"
    assert handle(ROUTE)[0][3] == "two"


def test_a_domain_without_a_record_costs_one_question_more_and_no_proof(zone, handle):
    zone.zone["sure.test"] = {"NS": ["ns.test."]}
    del zone.zone["_mta-sts.shop.test"]
    assert handle(ROUTE, must_exist=["sure.test"])[0][3] == ""
    assert sorted(asked[:2] for asked in zone.asked) == [
        ("_mta-sts.shop.test", "TXT"), ("mx.shop.test", "A"), ("shop.test", "MX")
    ]  # fmt: skip


@pytest.mark.parametrize("mood", ["servfail", "silence", "garbage"])
def test_a_record_that_cannot_be_had_in_time_is_none_and_the_route_does_not_wait(zone, handle, monkeypatch, mood):
    monkeypatch.setattr(announcing, "_LAG", 0.1)
    zone.moods["_mta-sts.shop.test"] = mood
    began = time.monotonic()
    (found,) = handle(ROUTE, timeout=30.0)
    assert found[2:] == ([(10, "mx.shop.test", ["192.0.2.1"])], "")
    assert time.monotonic() - began < 10


def test_a_domain_that_cannot_be_routed_answers_as_ever(zone, handle):
    assert handle(("route", "absent.test", (), True))[0][:3] == ("failed", True, "bad-domain")
    assert handle(("route", "a..b", (), True))[0][:3] == ("failed", True, "bad-domain")


def policy(handle, host, **options):
    return handle(("policy", "shop.test", ()), policy_port=host.port, **options)[0]


def test_a_policy(zone, host, handle):
    assert policy(handle, host, allow_networks=["127.0.0.0/8"]) == ("policy", WHOLE)


def test_a_policy_host_in_a_forbidden_network_is_not_connected_to(zone, host, handle):
    assert policy(handle, host) == ("no-policy", "mta-sts.shop.test is at 127.0.0.1 (a loopback address)")
    assert host.handshakes == 0


def test_why_there_is_no_policy(zone, host, handle):
    host.says = answer(status="500 Oops")
    assert policy(handle, host, allow_networks=["127.0.0.0/8"]) == ("no-policy", "mta-sts.shop.test: HTTP status 500")
    del zone.zone["mta-sts.shop.test"]
    assert policy(handle, host) == ("no-policy", "mta-sts.shop.test: it has no address")


def test_a_policy_host_that_never_answers_is_left_after_a_time(zone, host, handle, monkeypatch):
    monkeypatch.setattr(announcing, "_WITHIN", 0.5)
    host.says = None
    found = policy(handle, host, allow_networks=["127.0.0.0/8"])
    assert found == ("no-policy", "mta-sts.shop.test: no policy within 0.5 s")
