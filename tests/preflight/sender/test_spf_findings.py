from __future__ import annotations

import pytest

from bulkmail.preflight.sender.spf_findings import spf_findings, with_address


def told(findings):
    return [(str(finding.severity), finding.code) for finding in findings]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("v=spf1 ip4:192.0.2.10 -all", []),
        ("v=spf1 -all", [("error", "spf-fail")]),
        ("v=spf1 ~all", [("warning", "spf-softfail")]),
        ("v=spf1 ?all", [("warning", "spf-neutral")]),
        ("v=spf1 ipv4:192.0.2.10 -all", [("error", "spf-broken")]),
        ("other", [("warning", "spf-missing")]),
        ("v=spf1 +all", [("warning", "spf-open")]),
        ("v=spf1 redirect=r.test ip4:192.0.2.10", [("warning", "spf-redirect")]),
        ("v=spf1 ip4:192.0.2.10 -all redirect=r.test", [("warning", "spf-redirect")]),
        ("v=spf1 ip4:192.0.2.10 ptr -all", [("warning", "spf-ptr")]),
    ],
)
def test_what_is_told_of_a_record(names, sender, text, expected):
    names.text("shop.test", text)
    findings, passes = names.ask(spf_findings, sender())
    assert told(findings) == expected
    assert passes is (not expected or expected[0][1] in ("spf-open", "spf-redirect", "spf-ptr"))


def test_each_address_is_evaluated(names, sender):
    names.text("shop.test", "v=spf1 ip4:192.0.2.10 -all")
    findings, passes = names.ask(spf_findings, sender(addresses=("192.0.2.10", "192.0.2.11", "2001:db8::1")))
    assert not passes
    assert [finding.remedy for finding in findings] == [
        'publish shop.test. IN TXT "v=spf1 ip4:192.0.2.11 ip4:192.0.2.10 -all"',
        'publish shop.test. IN TXT "v=spf1 ip6:2001:db8::1 ip4:192.0.2.10 -all"',
    ]


def test_an_address_of_the_second_ip_version_blocks_no_start(names, sender):
    names.text("shop.test", "v=spf1 ip4:192.0.2.10 -all")
    both = ("192.0.2.10", "2001:db8::1")
    (finding,), passes = names.ask(spf_findings, sender(addresses=both, second=both[1:]))
    assert passes, "of the addresses that most of it is sent from"
    assert told([finding]) == [("warning", "spf-fail")]
    assert finding.remedy == (
        'publish shop.test. IN TXT "v=spf1 ip6:2001:db8::1 ip4:192.0.2.10 -all"; '
        "or write `routing: {ip: v4}`, not to send from it"
    )
    names.text("shop.test", "v=spf1 ip6:2001:db8::1 -all")
    found, passes = names.ask(spf_findings, sender(addresses=both, second=both[1:]))
    assert (told(found), passes) == ([("error", "spf-fail")], False)


def test_the_envelopes_domain_counts_not_that_of_from(names, sender):
    names.text("bounces.shop.test", "v=spf1 ip4:192.0.2.10 -all")
    assert names.ask(spf_findings, sender(envelope="b@bounces.shop.test")) == ([], True)


def test_a_record_of_the_ehlo_name_counts_too(names, sender):
    names.text("shop.test", "v=spf1 ip4:192.0.2.10 -all")
    names.text("mta1.shop.test", "v=spf1 -all")
    (finding,) = names.ask(spf_findings, sender())[0]
    assert (finding.code, finding.where) == ("spf-ehlo", "mta1.shop.test")


def test_a_wrong_macro_lookup_is_not_known(names, sender):
    names.text("shop.test", "v=spf1 include:silent.test -all")
    names.zone["silent.test"] = {}
    names.moods["silent.test"] = "servfail"
    (finding,) = names.ask(spf_findings, sender())[0]
    assert told([finding]) == [("warning", "spf-unknown")]


def test_a_record_with_one_more_address():
    assert with_address("", "192.0.2.1") == "v=spf1 mx ip4:192.0.2.1 ~all"
    assert with_address("v=spf1 -all", "192.0.2.1") == "v=spf1 ip4:192.0.2.1 -all"
    assert with_address("v=spf1", "192.0.2.1") == "v=spf1 ip4:192.0.2.1"
