from __future__ import annotations

import pytest

from bulkmail.preflight.sender.domains import domain_findings


@pytest.mark.parametrize(
    ("zone", "words"),
    [
        ({"shop.test": {"A": ["192.0.2.1"]}}, ""),
        ({"shop.test": {"AAAA": ["2001:db8::1"]}}, ""),
        ({"shop.test": {"MX": ["5 gone.test.", "10 mx.test."]}, "mx.test": {"AAAA": ["2001:db8::1"]}}, ""),
        ({}, "does not exist (NXDOMAIN)"),
        ({"shop.test": {"TXT": ["x"]}}, "has neither MX nor address records"),
        ({"shop.test": {"MX": ["0 ."]}}, "takes no mail (its MX is `0 .`, RFC 7505)"),
        ({"shop.test": {"MX": ["5 gone.test."]}}, "has MX hosts without an address (gone.test)"),
    ],
)
def test_the_domain_of_from(names, sender, zone, words):
    names.zone.update(zone)
    findings, exists = names.ask(domain_findings, sender())
    assert exists is bool(zone)
    assert [finding.code for finding in findings] == (["from-domain-takes-no-mail"] if words else [])
    assert words in str(findings)


def test_the_domain_of_the_envelope(good, sender):
    findings, _ = good.ask(domain_findings, sender(envelope="b@Bounces.shop.test"))
    assert [finding.code for finding in findings] == ["envelope-domain-takes-no-mail"]
    assert findings[0].where == "bounces.shop.test"
    assert "bounces cannot come back" in findings[0].message
    good.zone["bounces.shop.test"] = {"MX": ["10 mx.shop.test."]}
    assert good.ask(domain_findings, sender(envelope="b@bounces.shop.test"))[0] == []


def test_an_mx_host_of_which_nothing_is_known(names, sender):
    names.zone.update({"shop.test": {"MX": ["5 mx.test."]}, "mx.test": {}})
    names.moods["mx.test"] = "servfail"
    findings, exists = names.ask(domain_findings, sender())
    assert exists
    assert [(finding.code, str(finding.severity)) for finding in findings] == [("from-domain-unknown", "warning")]
