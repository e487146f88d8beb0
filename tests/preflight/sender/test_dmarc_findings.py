from __future__ import annotations

import pytest

from bulkmail.preflight.sender.dmarc_findings import dmarc_findings


@pytest.fixture
def told(names, sender):
    """``told(from_domain, records, ...)``: (severity, code) of each finding, and the findings' text."""

    def run(domain, records, *, envelope="", spf_passes=False, signed_by=(), **changes):
        for name, tags in records.items():
            names.text(f"_dmarc.{name}", f"v=DMARC1; {tags}")
        facts = sender(from_domain=domain, envelope=f"b@{envelope or domain}", **changes)
        findings = names.ask(dmarc_findings, facts, spf_passes=spf_passes, signed_by=signed_by)
        return [(str(finding.severity), finding.code) for finding in findings], "\n".join(map(str, findings))

    return run


REJECT = {"shop.test": "p=reject"}


@pytest.mark.parametrize(
    ("records", "given", "expected"),
    [
        (REJECT, {"signed_by": ("shop.test",)}, []),
        (REJECT, {"spf_passes": True}, []),
        (REJECT, {}, [("error", "dmarc-not-aligned")]),
        (REJECT, {"spf_passes": True, "envelope": "esp.test"}, [("error", "dmarc-not-aligned")]),
        (REJECT, {"spf_passes": True, "envelope": "esp.test", "signed_by": ("shop.test",)}, []),
        (REJECT, {"spf_passes": True, "envelope": "bounces.shop.test"}, []),
        (
            {"shop.test": "p=reject; aspf=s"},
            {"spf_passes": True, "envelope": "bounces.shop.test"},
            [("error", "dmarc-not-aligned")],
        ),
        ({"shop.test": "p=none"}, {}, [("warning", "dmarc-not-aligned")]),
        (
            {"shop.test": "p=quarantine; t=y"},
            {},
            [("note", "dmarc-testing"), ("warning", "dmarc-not-aligned")],
        ),
        ({}, {"signed_by": ("shop.test",)}, [("warning", "dmarc-missing")]),
        ({"shop.test": "p=none; pct=5"}, {"signed_by": ("shop.test",)}, [("note", "dmarc-odd")]),
    ],
)
def test_mail_from_shop_test(told, records, given, expected):
    assert told("shop.test", records, **given)[0] == expected


def test_a_signature_of_the_domain_above(told):
    assert told("mail.shop.test", REJECT, signed_by=("shop.test",))[0] == []


def test_a_strict_policy_wants_the_very_domain(told):
    codes, words = told("mail.shop.test", {"shop.test": "p=reject; adkim=s"}, signed_by=("shop.test",))
    assert codes == [("error", "dmarc-not-aligned")]
    assert "DKIM is for shop.test" in words


def test_a_record_at_the_domain_of_from_alone_parts_it_from_the_one_above(told):
    codes, words = told("mail.shop.test", {"mail.shop.test": "p=reject"}, signed_by=("shop.test",))
    assert codes == [("warning", "dmarc-walk-differs"), ("error", "dmarc-not-aligned")]
    assert "list of public suffixes" in words


def test_psd_n_parts_as_well(told):
    codes, _ = told(
        "mail.shop.test", {"shop.test": "p=none", "mail.shop.test": "p=none; psd=n"}, signed_by=("shop.test",)
    )
    assert codes == [("warning", "dmarc-walk-differs"), ("warning", "dmarc-not-aligned")]


def test_the_envelope_may_be_parted_too(told):
    codes, words = told("shop.test", {}, envelope="bounces.shop.test", spf_passes=True)
    assert codes == [("warning", "dmarc-missing"), ("warning", "dmarc-walk-differs"), ("warning", "dmarc-not-aligned")]
    assert "SPF of bounces.shop.test" in words


def test_a_lookup_that_fails_is_told_as_that(told, names):
    names.zone["_dmarc.shop.test"] = {}
    names.moods["_dmarc.shop.test"] = "servfail"
    assert told("shop.test", {})[0] == [("warning", "dmarc-unknown")]


def test_what_a_relay_does_is_not_judged(told):
    assert told("shop.test", REJECT, relay="r.test", addresses=(), keys=())[0] == []
    assert told("shop.test", REJECT, relay="r.test", addresses=())[0] == [("error", "dmarc-not-aligned")]
