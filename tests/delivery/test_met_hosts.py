from __future__ import annotations

from dataclasses import replace

import pytest

from bulkmail.delivery.met_hosts import MetHosts
from bulkmail.mail import Peer
from bulkmail.shaping import ANY_SOURCE, FactKind, Source, learn

A = Peer("mx1.google.com", "192.0.2.1", "192.0.2.9", "TLSv1.3", "opportunistic", "TLS_AES_128_GCM_SHA256", "x25519")


@pytest.fixture
def one(world):
    made = world()
    made.met = MetHosts(made.clocks, made.facts, 3)
    made.at_google = made.site("google.example", A.ip, provider="google")
    return made


def test_what_was_agreed_with_a_host_is_told(one):
    one.met.ready(one.at_google, ANY_SOURCE, A)
    (host,) = one.met.of("google", 10)
    assert (host.host, host.ip, host.source) == (A.host, A.ip, "")
    assert (host.tls, host.cipher, host.group, host.policy) == (A.tls, A.cipher, A.group, A.tls_policy)
    assert (host.ready_at, host.failed_at, host.until, host.learnt) == (one.clocks.wall(), None, None, [])
    assert one.met.of("google", 0) == one.met.of("yahoo", 10) == []


def test_a_failure_stays_until_it_works_again(one):
    one.met.failed(one.at_google, ANY_SOURCE, A, "no answer" * 100, one.clocks.now() + 60)
    (host,) = one.met.of("google", 10)
    assert (host.tls, host.cipher, host.group, host.ready_at) == ("", "", "", None), "it was never ready"
    assert host.why.startswith("no answer")
    assert len(host.why) == 300
    assert host.until == pytest.approx(one.clocks.wall() + 60)
    one.run(61)
    assert one.met.of("google", 10)[0].until is None
    one.met.ready(one.at_google, ANY_SOURCE, A)
    assert one.met.of("google", 10)[0].failed_at is None
    one.met.failed(one.at_google, ANY_SOURCE, A, "421 too many", None)
    (host,) = one.met.of("google", 10)
    assert (host.tls, host.why, host.until) == ("TLSv1.3", "421 too many", None), "what was agreed before is kept"


def test_what_is_known_of_the_address_is_told(one):
    one.met.ready(one.at_google, ANY_SOURCE, replace(A, tls=""))
    one.facts.learn(A.ip, learn(FactKind.TLS, one.clocks.wall()))
    assert one.met.of("google", 10)[0].learnt == ["cannot do TLS, though it offers it"]


def test_each_source_has_its_own_and_the_oldest_are_forgotten(one):
    for name in ("b1", "b2", "b3", "b1", "b4"):
        one.met.ready(one.at_google, Source(name), A)
    assert [host.source for host in one.met.of("google", 10)] == ["b4", "b1", "b3"]
    assert len(one.met) == 3


def test_hosts_of_no_provider_are_not_kept(one):
    nowhere = one.site("a.example", A.ip)
    one.met.ready(nowhere, ANY_SOURCE, A)
    one.met.failed(nowhere, ANY_SOURCE, A, "no", None)
    assert repr(one.met) == "<MetHosts of 0 addresses>"
