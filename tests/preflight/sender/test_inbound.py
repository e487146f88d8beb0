from __future__ import annotations

import pytest

from bulkmail.preflight.sender import check_sender, inbound_findings

DOMAIN, HOST = "bounces.shop.test", "in.shop.test"


@pytest.mark.parametrize(
    ("zone", "code", "words"),
    [
        ({DOMAIN: {"MX": ["10 In.Shop.test."]}, HOST: {"A": ["192.0.2.1"]}}, "", ""),
        ({DOMAIN: {"MX": ["10 mx.test."]}, "mx.test": {"A": ["192.0.2.1"]}, HOST: {"A": ["192.0.2.1"]}}, "", ""),
        (
            {DOMAIN: {"MX": ["10 mx.test."]}, "mx.test": {"A": ["192.0.2.2"]}, HOST: {"A": ["192.0.2.1"]}},
            "inbound-mx-elsewhere",
            "its mail goes to mx.test, which is not the inbound server, in.shop.test; publish bounces.shop.test. IN MX",
        ),
        ({DOMAIN: {"A": ["192.0.2.1"]}, HOST: {"A": ["192.0.2.1"]}}, "", ""),
        ({}, "inbound-domain-takes-no-mail", "does not exist (NXDOMAIN), so nothing comes back"),
        ({DOMAIN: {"TXT": ["x"]}}, "inbound-domain-takes-no-mail", "has neither MX nor address records"),
        ({DOMAIN: {"MX": ["10 in.shop.test."]}}, "inbound-domain-takes-no-mail", "has MX hosts without an address"),
    ],
)
def test_where_its_mail_goes(names, zone, code, words):
    names.zone.update(zone)
    findings = names.ask(lambda lookup: inbound_findings(DOMAIN, HOST, lookup))
    assert [finding.code for finding in findings] == ([code] if code else [])
    assert words in "".join(map(str, findings))


def test_what_is_not_known_is_no_error(names):
    names.zone[DOMAIN] = {}
    names.moods[DOMAIN] = "servfail"
    (finding,) = names.ask(lambda lookup: inbound_findings(DOMAIN, HOST, lookup))
    assert (finding.code, str(finding.severity)) == ("inbound-domain-unknown", "warning")


def test_it_is_told_once_where_it_is_the_domain_of_the_envelope_too(good, sender):
    asked = sender(envelope=f"bounces+token@{DOMAIN}", inbound=DOMAIN, inbound_hostname=HOST, complaints=True)
    codes = [finding.code for finding in good.ask(check_sender, asked)]
    assert "inbound-domain-takes-no-mail" in codes
    assert "envelope-domain-takes-no-mail" not in codes
