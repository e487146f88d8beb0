from __future__ import annotations

import pytest

from bulkmail.content import new_pem, record
from bulkmail.preflight.sender import SenderKey
from bulkmail.preflight.sender.dkim import dkim_findings, key_findings

RSA, OTHER, ED = new_pem("rsa"), new_pem("rsa"), new_pem("ed25519")
NAME = "s1._domainkey.shop.test"


def key(pem=RSA, selector="s1", domain="shop.test"):
    return SenderKey(domain, selector, pem)


@pytest.mark.parametrize(
    ("texts", "code", "verifies"),
    [
        ([record(RSA)], "", True),
        ([], "dkim-record-missing", False),
        ([record(OTHER)], "dkim-record-wrong", False),
        (["v=DKIM1; p="], "dkim-record-wrong", False),
        ([record(RSA), "v=spf1 -all"], "dkim-record-odd", True),
        ([record(OTHER), "v=spf1 -all"], "dkim-record-wrong", False),
        ([record(RSA).replace("v=DKIM1;", "v=DKIM1; t=s:y;")], "dkim-testing", True),
        ([record(RSA).replace("v=DKIM1;", "v=DKIM1; t=s; n=my;")], "", True),
        ([record(RSA).replace("v=DKIM1;", "v=DKIM1; h=sha1;")], "dkim-record-wrong", False),
        ([f'"{record(RSA)}"'], "dkim-record-wrong", False),
    ],
    ids=range(10),
)
def test_a_key_and_what_is_published(names, texts, code, verifies):
    if texts:
        names.text(NAME, *([text[:200], text[200:]] for text in texts))
    findings, found = names.ask(key_findings, key())
    assert ([finding.code for finding in findings], found) == ([code] if code else [], verifies)
    assert all(finding.where == NAME for finding in findings)


def test_the_remedy_is_the_line_to_publish(names):
    (finding,), _ = names.ask(key_findings, key())
    text = record(RSA)
    assert finding.remedy == f'publish {NAME}. IN TXT "{text[:255]}" "{text[255:]}"'


def test_quotes_that_a_form_has_kept_are_named(names):
    names.text(NAME, f'"{record(RSA)}"')
    (finding,), _ = names.ask(key_findings, key())
    assert '" must not stand in the record itself' in finding.message


def test_where_the_dns_does_not_answer_the_record_may_be_right(names):
    names.zone[NAME] = {}
    names.moods[NAME] = "servfail"
    (finding,), verifies = names.ask(key_findings, key())
    assert (finding.code, verifies) == ("dkim-unknown", True)


def test_one_signature_that_verifies_is_enough(names, sender):
    names.text(NAME, record(RSA))
    findings, good = names.ask(dkim_findings, sender(keys=(key(), key(ED, "e1"))))
    assert [(finding.code, str(finding.severity)) for finding in findings] == [("dkim-record-missing", "warning")]
    assert good == ("shop.test",)


def test_a_key_that_few_receivers_know(names, sender):
    names.text(NAME, record(ED))
    findings, good = names.ask(dkim_findings, sender(keys=(key(ED),)))
    assert [finding.code for finding in findings] == ["dkim-no-rsa"]
    assert good == ("shop.test",)
