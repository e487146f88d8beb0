from __future__ import annotations

import pytest
from pydantic import ValidationError

from bulkmail.settings import Settings

A = {"name": "a", "address": "192.0.2.10", "hostname": "mta1.example.com", "weight": 3}
START = {"start": "2026-12-01"}
B = {"name": "b", "address": "2001:DB8::0:1"}


def made(**given):
    return Settings.model_validate(given)


def test_sources_and_pools():
    settings = made(sources=[A, B], pools={"pool-a": ["a", "b"], "six": ["b"]})
    assert [(one.name, one.address, one.hostname, one.weight) for one in settings.sources] == [
        ("a", "192.0.2.10", "mta1.example.com", 3),
        ("b", "2001:db8::1", None, 1),
    ]
    assert settings.pools == {"pool-a": ("a", "b"), "six": ("b",)}
    assert (made().sources, made().pools) == ((), {})
    assert [one.name for one in settings.sources_of("six")] == ["b"]
    for everywhere in (None, ""):
        assert [one.name for one in settings.sources_of(everywhere)] == ["a", "b"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"sources": [{**A, "name": "A b"}]}, "'A b' is not a source's name"),
        ({"sources": [{**A, "address": "mta1"}]}, "'mta1' is not an IP address"),
        ({"sources": [{**A, "address": "0.0.0.0"}]}, "no address that mail can be sent from"),
        ({"sources": [{**A, "address": "::ffff:192.0.2.1"}]}, "no address that mail can be sent from"),
        ({"sources": [{**A, "proxy": "http://192.0.2.5:80"}]}, "is not a proxy; write socks5://ADDRESS:PORT"),
        ({"sources": [{**A, "proxy": "socks5://proxy.example:80"}]}, "is not a proxy"),
        ({"sources": [{**A, "proxy": "haproxy://192.0.2.5:99999"}]}, "is not a proxy"),
        ({"sources": [{**A, "weight": 0}]}, "greater than or equal to 1"),
        ({"sources": [A, {**B, "name": "a"}]}, "a is given more than once"),
        ({"sources": [A, {**A, "name": "b"}]}, "192.0.2.10 is given more than once"),
        ({"sources": [{**A, "warmup": {"plan": "default"}}]}, "start"),
        ({"sources": [{**A, "warmup": {"start": "soon"}}]}, "must be a day, such as 2026-12-01"),
        ({"sources": [{**A, "warmup": {"start": "2026-02-30"}}]}, "must be a day, such as 2026-12-01"),
        ({"sources": [{**A, "warmup": {**START, "plan": "fast"}}]}, "must be default, or the messages of each day"),
        ({"sources": [{**A, "warmup": {**START, "plan": []}}]}, "must be default, or the messages of each day"),
        ({"sources": [{**A, "warmup": {**START, "plan": [0]}}]}, "must be default, or the messages of each day"),
        ({"sources": [{**A, "warmup": {**START, "plan": [500, 200]}}]}, "more than the day before it, which has 500"),
        ({"sources": [A], "pools": {"p": ["a", "c"]}}, "there is no source 'c'; there are: a"),
        ({"pools": {"p": ["a"]}}, "`sources` is empty"),
        ({"sources": [A], "pools": {"p": []}}, "has one source at least"),
        ({"sources": [A], "pools": {"p": ["a", "a"]}}, "a is given more than once"),
        ({"sources": [A], "pools": {"P": ["a"]}}, "not a pool's name"),
        ({"sources": [A, B], "routing": {"ip": "v4"}}, "would never be used, for routing.ip is v4"),
        ({"sources": [A], "relay": {"host": "relay.example.com"}}, "does not go with `relay`"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_refused(given, words):
    with pytest.raises(ValidationError, match=words):
        made(**given)


def test_a_source_may_warm_up():
    first, second = made(sources=[{**A, "warmup": {**START, "plan": [200, 500]}}, {**B, "warmup": START}]).sources
    assert (first.warmup.budgets, second.warmup.budgets, second.warmup.plan) == ((200, 500), (), "default")
    assert first.warmup.first_day * 86400 == 1796083200  # 2026-12-01T00:00:00Z


@pytest.mark.parametrize(
    ("written", "taken"),
    [
        ("socks5://192.0.2.5:1080", "socks5://192.0.2.5:1080"),
        ("haproxy://[2001:DB8::0:5]:0025", "haproxy://[2001:db8::5]:25"),
    ],
)
def test_a_proxy_is_an_address_and_a_port(written, taken):
    assert made(sources=[{**A, "proxy": written}]).sources[0].proxy == taken
