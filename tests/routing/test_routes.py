from __future__ import annotations

import pytest

from bulkmail.mail import Rate
from bulkmail.routing import PLAIN, Manner, provider_names, providers_of, site_of
from bulkmail.routing.routes import Chosen, Routes
from bulkmail.settings import Settings
from bulkmail.shaping import limits_for, provider_table

TABLE = provider_table()


def settings(*routes, **more):
    return Settings.model_validate({"routing": {"routes": list(routes)}, **more})


def made(*routes):
    return Routes(settings(*routes).routing.routes)


def site(*hosts):
    return site_of([(10, host, ["192.0.2.1"]) for host in hosts or ["mx.shop.example"]], TABLE)


GOOGLE = site("aspmx.l.google.com")


@pytest.mark.parametrize(
    ("domain", "number"),
    [
        ("example.org", 1),
        ("a.example.org", 0),
        ("b.a.example.org", 3),
        ("x.b.a.example.org", 2),
        ("example.com", None),
        ("notexample.org", None),
        ("org", None),
    ],
)
def test_the_longest_name_wins_and_the_domain_itself_before_what_is_below(domain, number):
    below = {"domains": [".example.org"], "window": 1}
    routes = made(
        below,
        {"domains": ["example.org"], "window": 2},
        {"domains": [".a.example.org"], "window": 3},
        {"domains": ["b.a.example.org"], "window": 4},
    )
    assert routes.of_domain(domain) == Chosen(() if number is None else (("window", number),))


def test_each_key_is_of_the_nearest_route_that_has_it():
    routes = made(
        {"provider": "google", "rate": "1/s", "connections": 1, "tls": "verify", "idle": "1s"},
        {"mx": [".google.com"], "rate": "2/s", "connections": 2, "tls": "off"},
        {"mx": [".l.google.com"], "connections": 3},
        {"domains": ["a.example"], "rate": "4/s"},
    )
    assert dict(routes.of_site("a.example", GOOGLE).keys) == {"rate": 3, "connections": 2, "tls": 1, "idle": 0}
    assert dict(routes.of_site("b.example", GOOGLE).keys) == {"rate": 1, "connections": 2, "tls": 1, "idle": 0}
    assert routes.of_site("b.example", site()) == Chosen()


def test_of_equals_the_first():
    routes = made({"mx": [".google.com"], "window": 1}, {"mx": ["google.com"], "window": 2, "tls": "off"})
    assert dict(routes.of_site("a.example", GOOGLE).keys) == {"window": 0, "tls": 1}


def test_a_route_for_mx_hosts_is_for_sites_all_of_whose_hosts_match():
    routes = made({"mx": [".shop.example"], "window": 1})
    assert routes.of_site("a.example", site("mx1.shop.example", "shop.example")).keys
    assert not routes.of_site("a.example", site("mx1.shop.example", "mx.other.example")).keys
    assert not routes.of_site("a.example", site("mx.workshop.example")).keys


def test_how_it_is_spoken_to_leaves_the_destination_as_it_is():
    routes = made({"mx": [".google.com"], "tls": "verify", "pipelining": "off", "chunking": "off", "window": 4})
    applied = routes.apply("a.example", GOOGLE)
    assert (applied.key, applied.provider, applied.hosts) == (GOOGLE.key, "google", GOOGLE.hosts)
    assert applied.manner == Manner("verify", "off", "off", 4)
    assert routes.apply("b.example", GOOGLE) is applied, "one lane for both"
    other = site()
    assert routes.apply("a.example", other) is other
    assert other.manner is PLAIN


def test_a_domain_that_is_different_is_a_destination_of_its_own():
    routes = made({"domains": ["a.example", "b.example"], "tls": "verify", "name": "strict"})
    applied = routes.apply("a.example", GOOGLE)
    assert (applied.key, applied.provider) == (f"{GOOGLE.key} by strict", "google")
    assert routes.apply("b.example", GOOGLE) is applied
    assert routes.apply("c.example", GOOGLE) is GOOGLE


def test_limits_make_a_group_that_is_counted_together():
    routes = made(
        {"domains": ["a.example"], "rate": "5/s", "name": "slow"},
        {"mx": [".google.com", ".shop.example"], "connections": 2, "rate": "9/s", "name": "few"},
    )
    assert routes.apply("a.example", GOOGLE).provider == "slow+few at google"
    assert routes.apply("b.example", GOOGLE).provider == "few at google"
    assert routes.apply("b.example", GOOGLE).key == GOOGLE.key
    assert routes.apply("b.example", site()).provider == "few"
    assert routes.apply("a.example", site("mx.else.example")).provider == "slow"


def test_the_limits_of_a_group():
    given = settings(
        {"domains": ["a.example"], "rate": "5/s", "name": "slow"},
        {"mx": [".google.com"], "connections": 2, "rate": "9/s", "idle": "7s", "name": "few"},
    )
    table = providers_of(given)
    both = limits_for("slow+few at google", table)
    assert (both.rate, both.connections, both.idle) == (Rate(5, 1.0, 1), 2, 7.0)
    assert (both.messages_per_connection, both.tls, both.shares) == (50, "required", 0), "the provider's"
    few = limits_for("few", table)
    assert (few.rate, few.connections, few.messages_per_connection) == (Rate(9, 1.0, 1), 2, 100)
    assert limits_for("google", table) == limits_for("google", provider_table())
    assert {"slow", "few", "google"} <= set(table)
    assert "slow+few at google" in table
    assert "else at google" not in table
    assert "slow+else" not in table
    assert len(table) == len(provider_table()) + 2
    routes = Routes(given.routing.routes)
    assert [routes.source("slow+few at google", key) for key in ("rate", "idle", "connection_rate")] == [0, 1, None]


def test_without_routes_the_table_is_as_it_was():
    assert providers_of(Settings()) == provider_table()
    assert not Routes(())
    assert Routes(()).apply("a.example", GOOGLE) is GOOGLE


def test_what_a_campaign_can_be_paused_for():
    names = provider_names(settings({"mx": [".google.com"], "rate": "9/s", "name": "few"}))
    assert all(name in names for name in ("google", "few", "few at google", "other"))
    assert "nobody" not in names
    assert (len(names), list(names)[-2:]) == (len(provider_table()) + 2, ["few", "other"])
