from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulkmail.mail import AddressError, parse_address
from bulkmail.rehearsal.behaviour import DnsKind
from bulkmail.rehearsal.personas import PERSONAS
from bulkmail.rehearsal.zone import Place, Zone, chance, hosts_table

ZONE = Zone()
WELCOME = Path(__file__).parents[2] / "campaigns" / "welcome" / "recipients.csv"
NEVER_SETTLED = {
    "dead", "servfail", "dns-silent", "lost-mx", "tempfail", "mute", "slam", "reset", "closed", "garbage",
    "garbage-dot", "wrong-class", "two-replies",
}  # fmt: skip


@pytest.mark.parametrize(
    ("domain", "host", "persona"),
    [
        ("gmail.com", "gmail-smtp-in.l.google.com", "google"),
        ("googlemail.com", "gmail-smtp-in.l.google.com", "google"),
        ("yahoo.com", "mta5.am0.yahoodns.net", "yahoo"),
        ("yahoo.co.uk", "mta5.am0.yahoodns.net", "yahoo"),
        ("yahoo.co.jp", "mx1.mail.yahoo.co.jp", "yahoo-jp"),
        ("hotmail.com", "hotmail-com.olc.protection.outlook.com", "outlook"),
        ("outlook.fr", "outlook-fr.olc.protection.outlook.com", "outlook"),
        ("contoso.com", "contoso-com.mail.protection.outlook.com", "office365"),
        ("icloud.com", "mx01.mail.icloud.com", "apple"),
        ("gmx.de", "mx00.emig.gmx.net", "gmx"),
        ("web.de", "mx00.emig.gmx.net", "gmx"),
        ("orange.fr", "smtp-in.orange.fr", "orange"),
        ("qq.com", "mx3.qq.com", "qq"),
        ("163.com", "163mx01.mxmail.netease.com", "netease"),
        ("river-bakery.example", "aspmx.l.google.com", "google-workspace"),
        ("example.org", "mx.example.org", "accept"),
        ("d17.example.net", "mx.d17.example.net", "accept"),
        ("greylist.test", "mx.greylist.test", "greylist"),
        ("shop.greylist.test", "mx.shop.greylist.test", "greylist"),
        ("greylist7.test", "mx.greylist7.test", "greylist"),
        ("nobody-has-heard-of-it.test", "mx.nobody-has-heard-of-it.test", "accept"),
        ("old-mailboxes.example", "mx.old-mailboxes.example", "refuse"),
    ],
)
def test_a_domain_leads_where_its_name_says(domain: str, host: str, persona: str) -> None:
    found = ZONE.domain(domain)
    assert found.persona.name == persona
    assert found.hosts[0][1] == host
    assert ZONE.host(host) == (PERSONAS[persona], Place.OPEN)


@pytest.mark.parametrize(
    "domain", ["yahoo.co.jp", "outlook.evil.com", "yahoo", "liveyoga.com", "gmx.shop", "notgmail.com"]
)
def test_a_name_that_only_looks_like_a_provider_is_none(domain: str) -> None:
    assert ZONE.persona_of(domain) not in ("yahoo", "outlook", "gmx", "google")


@pytest.mark.parametrize(
    ("domain", "kind"),
    [
        ("nxdomain.test", DnsKind.NXDOMAIN),
        ("shop.invalid", DnsKind.NXDOMAIN),
        ("localhost", DnsKind.NXDOMAIN),
        ("servfail.test", DnsKind.SERVFAIL),
        ("dns-silent.test", DnsKind.SILENT),
        ("null-mx.test", DnsKind.NULL),
        ("implicit.test", DnsKind.IMPLICIT),
        ("empty.test", DnsKind.EMPTY),
    ],
)
def test_dns_oddities(domain: str, kind: DnsKind) -> None:
    assert ZONE.domain(domain).kind is kind


def test_hosts_that_are_down_and_lost() -> None:
    assert ZONE.host("mx.dead.test") == (PERSONAS["dead"], Place.DOWN)
    assert ZONE.host("mx1.half-dead.test") == (PERSONAS["half-dead"], Place.DOWN)
    assert ZONE.host("mx2.half-dead.test") == (PERSONAS["half-dead"], Place.OPEN)
    assert ZONE.host("mx.lost-mx.test") is None
    assert ZONE.host("www.example.org") is None


names = st.from_regex(
    r"[a-z][a-z0-9-]{0,8}(\.[a-z0-9]{1,6}){0,2}\.(com|net|fr|test|example|invalid|xn--p1ai)", fullmatch=True
)


@settings(max_examples=2 * settings.default.max_examples)
@given(names, st.integers(0, 3))
def test_each_host_of_a_domain_is_the_domains(name: str, seed: int) -> None:
    zone = Zone(seed)
    domain = zone.domain(name)
    assert zone.domain(name) == Zone(seed).domain(name)
    assert list(domain.hosts) == sorted(domain.hosts)
    for _, host in domain.hosts:
        found = zone.host(host)
        assert (found is None) == (domain.persona.name == "lost-mx")
        assert found is None or found[0] == domain.persona


def test_most_of_the_unknown_take_everything_and_some_have_quirks() -> None:
    drawn = Counter(ZONE.persona_of(f"shop{number}.com") for number in range(4000))
    assert 0.5 < (drawn["accept"]) / 4000 < 0.6
    assert 0.85 < (drawn["accept"] + drawn["hosting"] + drawn["two-mx"]) / 4000 < 0.95
    assert drawn["greylist"] > 60
    other = Zone(seed=1)
    assert any(other.persona_of(f"shop{n}.com") != ZONE.persona_of(f"shop{n}.com") for n in range(100))


def test_one_persona_everywhere() -> None:
    zone = Zone(everywhere="accept")
    assert zone.domain("gmail.com").hosts == ((10, "mx.gmail.com"),)
    assert zone.domain("x.invalid").persona.name == "accept"
    assert zone.host("gmail-smtp-in.l.google.com") is None
    google = Zone(everywhere="google")
    assert google.domain("example.org").hosts[0] == (5, "gmail-smtp-in.l.google.com")
    tenants = Zone(everywhere="office365")
    assert tenants.host(tenants.domain("x-y.example").hosts[0][1]) == (PERSONAS["office365"], Place.OPEN)
    with pytest.raises(ValueError, match="no persona 'goggle'"):
        Zone(everywhere="goggle")


def test_chance_is_even_and_the_same_again() -> None:
    drawn = [chance(7, "x", number) for number in range(2000)]
    assert drawn == [chance(7, "x", number) for number in range(2000)]
    assert all(0 <= number < 1 for number in drawn)
    assert 0.45 < sum(drawn) / 2000 < 0.55
    assert chance("a", "b") != chance("ab")


def test_the_table_names_every_persona() -> None:
    table = hosts_table()
    for name, persona in PERSONAS.items():
        assert f"{name}.test" in table
        assert persona.about in table
    assert "gmail.com" in table
    assert "*.invalid" in table


def test_the_example_campaign_comes_to_an_end() -> None:
    drawn: Counter[str] = Counter()
    with WELCOME.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            try:
                drawn[ZONE.persona_of(parse_address(row["email"]).domain)] += 1
            except AddressError:
                drawn["not an address"] += 1
    assert not NEVER_SETTLED & set(drawn), "such a domain would hold the run until its recipients expire"
    assert drawn.total() == 2000
    assert drawn["google"] > 400
    assert drawn["not an address"] == 4
    assert len(drawn) > 30
