from __future__ import annotations

from typing import Any

import pytest

from bulkmail.mail import Rate, Refused
from bulkmail.settings import Settings, route_name


def routes(text: str, more: str = "") -> str:
    return f"{more}routing:\n  routes:\n" + "".join(f"    - {line}\n" for line in text.splitlines())


def refused(read: Any, text: str, more: str = "") -> list[str]:
    with pytest.raises(Refused) as caught:
        read(routes(text, more))
    return [str(problem) for problem in caught.value.problems]


def test_a_route_says_whom_it_is_for_and_what_is_different(read: Any) -> None:
    settings: Settings = read(
        routes(
            "{domains: [Example.ORG, '*.example.org', .bücher.example], relay: {host: 192.0.2.1, port: 25, tls: off}}\n"
            "{mx: [.Example.net], tls: verify, window: 4, name: strict}\n"
            "{provider: google, rate: 5/s, pipelining: off, chunking: off}"
        )
    )
    first, second, third = settings.routing.routes
    assert first.matches == ("example.org", ".example.org", ".xn--bcher-kva.example")
    assert (first.kind, first.relay and first.relay.host, list(first.values)) == ("domains", "192.0.2.1", ["relay"])
    assert (second.kind, second.matches, second.values) == ("mx", (".example.net",), {"tls": "verify", "window": 4})
    assert (third.kind, third.matches) == ("provider", ("google",))
    assert third.values == {"pipelining": "off", "chunking": "off", "rate": Rate(5, 1.0, 1)}
    assert [route_name(*one) for one in enumerate(settings.routing.routes)] == ["route-1", "strict", "route-3"]
    assert settings.warnings == ()
    assert Settings().routing.routes == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{rate: 5/s}", "bulkmail.yaml:3:7: routing.routes[0]: must say whom it is for: add domains, mx or provider"),
        ("{domains: [a.example], mx: [.b.example], rate: 5/s}", "routing.routes[0].mx: a route is for one kind"),
        ("{domains: [a.example]}", "3:7: routing.routes[0]: changes nothing; add relay, tls, pipelining"),
        ("{domains: [], rate: 5/s}", "must name one at least"),
        ("{domains: ['*'], rate: 5/s}", "write a domain, or .example.org for all that is below it"),
        ("{mx: [nonsense], rate: 5/s}", "is not the end of an MX host name"),
        ("{domains: [a.example], pool: b}", "pool"),
        ("{domains: [a.example], rate: 5/s, name: A B}", "is not a route's name"),
        (
            "{domains: [a.example], tls: off, relay: {host: b.example, tls: off}}",
            "write tls under relay",
        ),
        ("{domains: [a.example], rate: 5/s, relay: {host: b.example}}", "a relay has its own: write rate under relay"),
        ("{domains: [a.example], sources: pool-b}", "sources: there is no pool 'pool-b'; `pools` is empty"),
        ("{provider: gogle, rate: 5/s}", "3:18: routing.routes[0].provider: there is no provider 'gogle'; there are "),
        ("{mx: [.a.example], rate: 5/s, name: google}", "the name google is the provider google's already"),
        ("{mx: [.a.example], rate: 5/s, name: relay}", "the name relay is `relay`'s already"),
        ("{mx: [.a.example], rate: 5/s, name: other}", "the name other is the receivers of no provider's already"),
        (
            "{mx: [.a.example], rate: 5/s, name: route-2}\n{mx: [.b.example], rate: 5/s}",
            "4:7: routing.routes[1]: the name route-2 is route 1's already",
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_place(read: Any, text: str, words: str) -> None:
    (problem,) = refused(read, text)
    assert words in problem


def test_a_provider_of_ones_own_may_be_named(read: Any) -> None:
    more = "shaping: {providers: {shop: {mx: [.shop.example]}}}\n"
    assert read(routes("{provider: shop, rate: 5/s}", more)).routing.routes[0].provider == "shop"


def test_a_route_may_name_a_pool(read: Any) -> None:
    more = "sources: [{name: a, address: 192.0.2.1}]\npools: {pool-a: [a]}\n"
    assert read(routes("{provider: google, sources: pool-a}", more)).routing.routes[0].values == {"sources": "pool-a"}
    (problem,) = refused(read, "{provider: google, sources: a}", more)
    assert "there is no pool 'a'; there are pool-a" in problem


@pytest.mark.parametrize(
    ("text", "more", "told"),
    [
        ("{domains: [a.example], rate: 5/s}\n{domains: [a.example], rate: 9/s, tls: off}", "", {}),
        (
            "{domains: [a.example], rate: 5/s, tls: off}\n{domains: [a.example], rate: 9/s}",
            "",
            {4: "this route is never used: route 1 before it is for the same and sets the same keys"},
        ),
        ("{domains: [a.example], rate: 5/s}\n{domains: [a.example, b.example], rate: 9/s}", "", {}),
        (
            "{mx: [.a.example], rate: 5/s}\n{mx: [.b.example], rate: 5/s}\n{mx: [b.example, .a.example], rate: 9/s}",
            "",
            {5: "this route is never used: route 1 and 2 before it"},
        ),
        ("{domains: [.example.org], rate: 5/s}\n{domains: [a.example.org], rate: 9/s}", "", {}),
        ("{mx: [.a.example], rate: 5/s}", "relay: {host: b.example}\n", {4: "`relay` takes all mail, so no MX hosts"}),
        ("{domains: [a.example], rate: 5/s}", "relay: {host: b.example}\n", {4: "and has its own settings; give"}),
        ("{domains: [a.example], relay: {host: c.example}}", "relay: {host: b.example}\n", {}),
    ],
)
def test_a_route_that_can_never_apply_is_warned_of(read: Any, text: str, more: str, told: dict[int, str]) -> None:
    warnings = read(routes(text, more)).warnings
    assert {problem.line for problem in warnings} == set(told)
    for problem in warnings:
        assert told[problem.line] in str(problem)


def test_a_secret_of_a_routes_relay_that_all_can_read_is_warned_of(read: Any, site: Any) -> None:
    (site / "relay.secret").write_text("geheim\n")
    (site / "relay.secret").chmod(0o644)
    settings = read(
        routes("{domains: [a.example], relay: {host: b.example, username: anna, password_file: relay.secret}}")
    )
    assert settings.routing.routes[0].relay.secret == "geheim"
    (warning,) = settings.warnings
    assert "bulkmail.yaml:3:" in str(warning)
    assert "every user of this machine can read the secret in" in str(warning)
