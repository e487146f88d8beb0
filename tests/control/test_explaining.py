from __future__ import annotations

import pytest
from pydantic import TypeAdapter

from bulkmail.control.explaining import (
    Destination,
    Known,
    destination_of,
    domain_of,
    explain,
    known_destination,
    lost_relay,
    no_route,
)
from bulkmail.control.site_models import ExplanationAnswer
from bulkmail.delivery import LiveSite
from bulkmail.mail import AddressError
from bulkmail.routing import LostRelay, MxHost, RouteFailure, Site, Unfetched
from bulkmail.settings import Settings, load_settings
from bulkmail.shaping import WarmupDay, provider_table
from bulkmail.spool import SiteFact

NOW = 1796133900.0  # 2026-12-01T14:05:00Z
TABLE = provider_table()
GOOGLE = Destination("gmail.com", "smtp.google.com~1", "smtp.google.com", "google", ["smtp.google.com"])
OTHER = Destination("a.example", "mx.a.example~1", "mx.a.example", "", ["mx.a.example"])


def live(binds, **more):
    made = LiveSite("s", "k", "", "ready", "", None, None, 5, 3, 3, binds)
    return made._replace(**more)


def told(destination=OTHER, settings=None, known=None):
    found = explain(destination, settings or Settings(), TABLE, known or Known(), NOW)
    TypeAdapter(ExplanationAnswer).validate_python(found)
    return found


def sources(found):
    return {one["limit"]: (one["value"], one["from"]) for one in found["limits"]}


def test_the_limits_of_a_site_without_a_provider_are_the_defaults():
    found = told()
    assert sources(found)["connections"] == ("10", "the default of `shaping.default`")
    assert sources(found)["rate"] == ("100/s,burst=10", "the default of `shaping.default`")
    assert found["ceiling"] == 360_000
    assert found["sentence"] == (
        "No service was asked, so what happens now is not known; mx.a.example gets at most 360,000 messages an hour "
        "(100/s messages; the default of `shaping.default`)."
    )


@pytest.mark.parametrize(
    ("policy", "mode", "asked"),
    [
        ("", "opportunistic", "opportunistic"),
        ("", "required", "required"),
        ("sts-testing", "opportunistic", "sts-testing"),
        ("sts-testing", "verify", "verify"),
        ("sts-enforce", "off", "sts-enforce"),
    ],
)
def test_how_much_tls_is_asked_for_and_by_whose_word(policy, mode, asked):
    settings = Settings.model_validate({"tls": {"mode": mode}})
    assert told(OTHER._replace(policy=policy), settings)["tls_policy"] == asked


def test_a_site_is_known_to_be_under_a_policy_by_its_key():
    site = live("rate")._replace(key="mx.a.example~1 under sts-enforce by strict")
    assert known_destination("s", TABLE, [site], ()).policy == "sts-enforce"
    assert known_destination("s", TABLE, [live("rate")], ()).policy == ""


def test_a_providers_limits_are_shipped_or_stand_in_a_line_of_the_settings(tmp_path):
    (tmp_path / "bulkmail.yaml").write_text(
        "shaping:\n  default: {idle: 30s}\n  providers:\n    google: {rate: 600/h, connections: 7}\n"
    )
    settings = load_settings(None, str(tmp_path))
    found = explain(GOOGLE, settings, provider_table(settings.shaping.overrides), Known(), NOW)
    where = tmp_path / "bulkmail.yaml"
    assert sources(found)["rate"] == ("600/h,burst=1", f"{where}:4:20")
    assert sources(found)["connections"] == ("7", f"{where}:4:40")
    assert sources(found)["messages_per_connection"] == ("50", "shipped for google")
    assert sources(found)["idle"] == ("30", f"{where}:2:19")
    assert sources(found)["tls"] == ("required", "shipped for google")
    assert found["ceiling"] == 600


def test_what_was_learnt_lowers_the_ceiling_and_is_told():
    facts = [
        SiteFact("provider google", "rate", 0.25, NOW - 60, NOW + 60),
        SiteFact("smtp.google.com~1", "messages", 2.0, NOW - 60, NOW + 60),
        SiteFact("mx.b.example~1", "tls", 0.0, NOW - 60, NOW + 60),
    ]
    found = told(GOOGLE, known=Known(facts, asked_service=True))
    assert found["learnt"] == [
        "complained: 25.0% of the rate is used; since 14:04 UTC",
        "takes 2 messages on a connection; since 14:04 UTC",
    ]
    assert found["ceiling"] == 12_000, "100 connections a minute of 2 messages"
    assert found["binds"] == "idle"
    assert "It has complained, so 25.0% of that rate is used." in found["sentence"]
    site = live("rate", complaint=(NOW - 60, "421 4.7.0 [TSS04] deferred"))
    assert told(GOOGLE, known=Known(facts, site))["sentence"].endswith(
        'It has complained, so 25.0% of that rate is used; at 14:04 UTC it said "421 4.7.0 [TSS04] deferred".'
    )


@pytest.mark.parametrize(
    ("known", "words"),
    [
        (Known(live=live("rate")), "Our own limit of the rate binds: at most 360,000 messages an hour"),
        (Known(live=live("connections")), "All 10 connections that are allowed are in use (the default of"),
        (Known(live=live("connection-rate")), "New connections are limited to 100/m new connections"),
        (Known(live=live("total")), "shaping.total.connections"),
        (Known(live=live("receiver")), "No limit of ours binds: 3 connections wait for the receiver's replies"),
        (
            Known(live=live("idle")),
            "none waits, or all that do are held, put off or behind first messages. It would get at most",
        ),
        (
            Known(live=live("suspended", why="421 go away", since=NOW - 60, until=NOW + 600)),
            "Nothing is sent to mx.a.example until 14:15 UTC: 421 go away.",
        ),
        (Known(live=live("fault"), fault="the disk is full"), "a fault of our own: the disk is full"),
        (
            Known([SiteFact("mx.a.example~1", "outage", 3.0, NOW - 60, NOW + 600 + 6 * 86400)]),
            "Nothing is sent to mx.a.example until 14:15 UTC: it could not be used.",
        ),
    ],
)
def test_the_sentence_says_what_binds(known, words):
    found = told(known=known)
    assert words in found["sentence"]
    assert found["sentence"].endswith(".")


def test_with_a_relay_its_limits_are_everybodys(tmp_path):
    (tmp_path / "bulkmail.yaml").write_text("relay: {host: 127.0.0.1, connections: 3}\n")
    found = told(GOOGLE, load_settings(None, str(tmp_path)))
    assert sources(found)["connections"] == ("3", f"{tmp_path / 'bulkmail.yaml'}:1:39")
    assert sources(found)["rate"] == ("100/s,burst=10", "the default of `relay`")


def test_what_is_meant_is_a_provider_a_site_or_a_domain():
    assert known_destination("Google", TABLE, [], []) == Destination(
        "Google", "", "provider google", "google", (".google.com", ".googlemail.com")
    )
    site = live("idle")._replace(site="(mx1|mx2).a.example", key="mx1.a.example~12ab", provider="gmx")
    assert known_destination("MX1.a.example", TABLE, [site], []) == Destination(
        "MX1.a.example", "mx1.a.example~12ab", "(mx1|mx2).a.example", "gmx"
    )
    fact = SiteFact("smtp.google.com~1", "tls", 0.0, NOW, NOW + 1)
    assert known_destination("smtp.google.com", TABLE, [], [fact]).provider == "google"
    assert known_destination("a.example", TABLE, [], [fact]) is None
    assert (domain_of("ann@Müller.example"), domain_of("a.example")) == ("xn--mller-kva.example", "a.example")
    with pytest.raises(AddressError, match="neither a domain nor an address"):
        domain_of("gogle")


def test_a_route_and_what_has_none():
    site = Site("k", (MxHost(10, "mx.a.example", ()),), "gmx", "mx.a.example")
    found = destination_of("a.example", site)
    assert found[:5] == ("a.example", "k", "mx.a.example", "gmx", ["mx.a.example"])
    assert found.addresses == {"mx.a.example": site.hosts[0].addresses}
    told = explain(found, Settings(), TABLE, Known(ip="IPv4 only"), NOW)
    assert (told["addresses"], told["ip"]) == ({"mx.a.example": list(site.hosts[0].addresses)}, "IPv4 only")
    failure = RouteFailure(True, "bad-domain", "the domain a.example does not exist (NXDOMAIN)")
    assert destination_of("a.example", failure) is failure
    found = no_route("a.example", failure)
    TypeAdapter(ExplanationAnswer).validate_python(found)
    assert found["sentence"] == (
        "There is nowhere to send its mail to: the domain a.example does not exist (NXDOMAIN). Its recipients bounce."
    )


def test_with_sources_limits_are_each_sources_and_what_was_learnt_names_it():
    settings = Settings.model_validate(
        {"sources": [{"name": name, "address": f"192.0.2.{n}"} for n, name in enumerate("ab", 1)]}
    )
    facts = [
        SiteFact("provider google from a", "rate", 0.5, NOW - 60, NOW + 60),
        SiteFact("smtp.google.com~1 from b", "messages", 20.0, NOW - 60, NOW + 60),
        SiteFact("provider yahoo from a", "rate", 0.1, NOW - 60, NOW + 60),
    ]
    found = told(GOOGLE, settings, Known(facts))
    assert [words.rpartition("; ")[2] for words in found["learnt"]] == ["from source a", "from source b"]
    assert "messages an hour from each of the 2 sources (" in found["sentence"]
    by_host = known_destination("smtp.google.com", TABLE, [], facts)
    assert by_host is not None
    assert (by_host.key, by_host.provider) == ("smtp.google.com~1", "google")


def test_where_todays_messages_of_a_new_source_are_sent_that_is_why():
    start = {"start": "2026-11-30", "plan": [10, 20]}
    settings = Settings.model_validate({"sources": [{"name": "new", "address": "192.0.2.10", "warmup": start}]})
    today = int(NOW // 86400)
    some = told(GOOGLE, settings, Known((), warm={("new", "google"): WarmupDay(today, 0, 4)}))
    assert (some["binds"], some["warmup"][0]["left"]) == ("connection-rate", 6)
    spent = told(GOOGLE, settings, Known((), live("idle"), warm={("new", "google"): WarmupDay(today, 0, 10)}))
    assert (spent["binds"], spent["until"]) == ("warm-up", "2026-12-02T00:00:00.000Z")
    assert spent["sentence"].endswith(": its source warms up, and today's messages are sent.")
    held = told(GOOGLE, settings, Known((), live("suspended"), warm={("new", "google"): WarmupDay(today, 0, 10)}))
    assert held["binds"] == "suspended"


def test_a_policy_that_could_not_be_had_is_told():
    lacking = Unfetched("a.example", "", "HTTP status 404", 1.0, in_force=True)
    found = told(known=Known(unfetched=[lacking]))
    assert found["policy_problem"].endswith("(HTTP status 404): the one of before stays in force")


def with_routes(*routes, **more):
    new = {"warmup": {"start": "2026-11-30", "plan": [10, 20]}}
    given = [{"name": "old", "address": "192.0.2.1"}, {"name": "new", "address": "192.0.2.2", **new}]
    return Settings.model_validate(
        {"sources": given, "pools": {"fresh": ["new"]}, "routing": {"routes": list(routes)}, **more}
    )


def test_only_the_sources_of_the_route_are_counted():
    today = int(NOW // 86400)
    spent = Known((), live("idle"), warm={("new", "google"): WarmupDay(today, 0, 10)})
    everywhere = told(GOOGLE, with_routes(), spent)
    assert everywhere["binds"] == "idle", "the old one may send"
    assert "from each of the 2 sources (" in everywhere["sentence"]
    routed = told(GOOGLE, with_routes({"domains": ["gmail.com"], "sources": "fresh"}), spent)
    assert (routed["binds"], routed["until"]) == ("warm-up", "2026-12-02T00:00:00.000Z")
    assert routed["sentence"].endswith(": its source warms up, and today's messages are sent.")
    assert "fresh" in sources(routed)["sources"][0]
    relayed = with_routes({"domains": ["gmail.com"], "relay": {"host": "relay.example", "tls": "off"}, "name": "out"})
    through = told(Destination("gmail.com", "", "relay relay.example", "out"), relayed, spent)
    assert (through["warmup"], through["binds"]) == ([], "idle"), "a relay is sent to as without sources"


@pytest.mark.parametrize("live_one", [None, live("rate")])
def test_of_a_relay_that_cannot_be_found_every_value_has_its_origin(live_one):
    relay = {"host": "relay.example", "port": 2525, "tls": "off", "connections": 3}
    settings = Settings.model_validate(
        {"routing": {"routes": [{"domains": ["a.example"], "relay": relay, "name": "out"}]}}
    )
    fault = LostRelay(
        "the relay (of the route out, relay.host) cannot be found: NXDOMAIN", name="out", host="relay.example"
    )
    found = told(lost_relay("a.example", fault), settings, Known(live=live_one, lost=str(fault)))
    assert found["binds"] == "fault"
    assert found["sentence"] == f"Nothing is sent to relay relay.example, because of a fault of our own: {fault}."
    assert sources(found)["connections"] == ("3", "the default of `relay`")
    assert sources(found)["relay"] == ("relay.example:2525", "relay")
