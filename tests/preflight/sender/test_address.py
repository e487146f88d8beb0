from __future__ import annotations

import pytest

from bulkmail.preflight.sender.address import address_findings, hostname_findings, is_qualified, looks_generated

IP, POINTER = "192.0.2.10", "10.2.0.192.in-addr.arpa"
SIX, POINTER_SIX = "2001:db8::a", ".".join(reversed("20010db800000000000000000000000a")) + ".ip6.arpa"


def told(findings):
    return [(str(finding.severity), finding.code) for finding in findings]


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        ({POINTER: {"PTR": ["mta1.shop.test."]}, "mta1.shop.test": {"A": [IP]}}, []),
        ({POINTER: {"PTR": ["x.test.", "mta1.shop.test."]}, "mta1.shop.test": {"A": ["192.0.2.9", IP]}}, []),
        ({}, [("error", "ptr-missing")]),
        ({POINTER: {"PTR": ["mta1.shop.test."]}}, [("error", "ptr-not-confirmed")]),
        (
            {POINTER: {"PTR": ["mta1.shop.test."]}, "mta1.shop.test": {"A": ["192.0.2.9"]}},
            [("error", "ptr-not-confirmed")],
        ),
        ({POINTER: {"PTR": ["mta2.shop.test."]}, "mta2.shop.test": {"A": [IP]}}, [("warning", "ptr-not-ehlo")]),
        (
            {POINTER: {"PTR": ["ip-192-0-2-10.isp.test."]}, "ip-192-0-2-10.isp.test": {"A": [IP]}},
            [("warning", "ptr-not-ehlo"), ("warning", "ptr-generic")],
        ),
    ],
)
def test_the_names_of_an_address(names, zone, expected):
    names.zone.update(zone)
    assert told(names.ask(address_findings, IP, "mta1.shop.test")) == expected


def test_an_ipv6_address(names):
    names.zone.update({POINTER_SIX: {"PTR": ["mta1.shop.test."]}, "mta1.shop.test": {"AAAA": [SIX]}})
    assert names.ask(address_findings, SIX, "mta1.shop.test") == []
    assert names.ask(hostname_findings, "mta1.shop.test", (SIX,)) == []


@pytest.mark.parametrize(
    ("name", "generated"),
    [
        ("ip-192-0-2-10.isp.test", True),
        ("10.2.0.192.isp.test", True),
        ("host192-000-002-010.isp.test", True),
        ("x.dynamic.isp.test", True),
        ("pool10.isp.test", True),
        ("mta10.shop.test", False),
        ("mail-2.shop.test", False),
        ("customers.shop.test", False),
    ],
)
def test_names_that_a_provider_has_made(name, generated):
    assert looks_generated(name, IP) is generated


def test_ipv6_names_that_a_provider_has_made():
    assert looks_generated("2001-db8-0-0-0-0-0000-000a.isp.test", SIX)
    assert not looks_generated("mta1.shop.test", SIX)


@pytest.mark.parametrize(
    ("hostname", "zone", "expected"),
    [
        ("mta1.shop.test", {"mta1.shop.test": {"A": [IP]}}, []),
        ("mta1.shop.test", {}, ["hostname-missing"]),
        ("mta1.shop.test", {"mta1.shop.test": {"A": ["192.0.2.9"]}}, ["hostname-elsewhere"]),
        ("box.localdomain", {}, []),
    ],
)
def test_the_ehlo_name(names, hostname, zone, expected):
    names.zone.update(zone)
    assert [finding.code for finding in names.ask(hostname_findings, hostname, (IP,))] == expected


def test_full_names():
    assert is_qualified("mta1.example.com")
    assert not is_qualified("mta1")
    assert not is_qualified("mta1.local")
