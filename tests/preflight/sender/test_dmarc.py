from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.preflight.sender.dmarc import aligned, parse_dmarc, related, walk

RUA = "rua=mailto:d@shop.test"


@pytest.mark.parametrize(
    ("text", "policy"),
    [
        ("v=DMARC1; p=reject", "reject"),
        ("v=DMARC1;p=none;", "none"),
        ("v = DMARC1 ; p = Quarantine", "quarantine"),
        (f"v=DMARC1; {RUA}; p=reject", "reject"),
        (f"v=DMARC1; {RUA}", "none"),
        (f"v=DMARC1; p=rejct; {RUA}", "none"),
        (f"v=DMARC1; p=reject; sp=x; {RUA}", "none"),
        ("v=DMARC1; p=reject; foo=bar; nonsense", "reject"),
        ("v=DMARC1", None),
        ("v=DMARC1; p=rejct", None),
        ("v=DMARC1; p=reject; np=x", None),
        ("v=DMARC1; p=none; rua=d@shop.test", "none"),
        ("v=dmarc1; p=reject", None),
        (" v=DMARC1; p=reject", None),
        ("p=reject; v=DMARC1", None),
        ("v=DMARC10; p=reject", None),
    ],
)
def test_which_policy_a_record_has(text, policy):
    record = parse_dmarc("shop.test", text)
    assert (None if record is None else record.p) == policy


def test_the_tags_of_a_record():
    record = parse_dmarc("shop.test", f"v=DMARC1; p=reject; sp=none; np=quarantine; adkim=s; aspf=S; t=y; psd=n; {RUA}")
    assert (record.sp, record.np, record.psd) == ("none", "quarantine", "n")
    assert record.strict_dkim
    assert record.strict_spf
    assert record.testing
    assert record.reports
    assert record.problems == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("v=DMARC1; p=none; pct=50; ri=3600", "pct, ri: RFC 9989 knows no such tag any more"),
        ("v=DMARC1; p=none; rua=d@shop.test", "rua=d@shop.test is no mailto: address"),
        (f"v=DMARC1; {RUA}", "it has no p="),
        ("v=DMARC1; p=none; p=reject", "`p` stands there twice"),
        ("v=DMARC1; p=none; reject", "`reject` is no tag"),
    ],
)
def test_what_is_odd_about_a_record(text, words):
    assert words in " ".join(parse_dmarc("shop.test", text).problems)


@given(st.text(max_size=100))
def test_any_text_is_read(text):
    parse_dmarc("shop.test", "v=DMARC1;" + text)


def walked(names, domain):
    return names.ask(walk, domain)


@pytest.mark.parametrize(
    ("records", "domain", "organizational", "policy"),
    [
        ({}, "a.shop.test", "a.shop.test", "none"),
        ({"shop.test": "p=reject"}, "shop.test", "shop.test", "reject"),
        ({"shop.test": "p=reject"}, "a.b.shop.test", "shop.test", "reject"),
        ({"shop.test": "p=reject; sp=quarantine"}, "a.shop.test", "shop.test", "quarantine"),
        ({"shop.test": "p=reject", "a.shop.test": "p=none"}, "a.shop.test", "shop.test", "none"),
        ({"shop.test": "p=reject", "a.shop.test": "p=none; psd=n"}, "a.shop.test", "a.shop.test", "none"),
        ({"shop.test": "p=reject", "a.shop.test": "p=quarantine; psd=n"}, "b.a.shop.test", "a.shop.test", "quarantine"),
        ({"test": "p=reject; psd=y"}, "a.shop.test", "shop.test", "reject"),
        ({"test": "p=reject; psd=y", "shop.test": "p=none"}, "a.shop.test", "shop.test", "none"),
        ({"co.test": "p=none; sp=reject; psd=y"}, "shop.co.test", "shop.co.test", "reject"),
        ({"shop.test": "p=reject; t=y"}, "shop.test", "shop.test", "quarantine"),
        ({"shop.test": "p=none; t=y"}, "shop.test", "shop.test", "none"),
    ],
)
def test_the_walk(names, records, domain, organizational, policy):
    for name, tags in records.items():
        names.text(f"_dmarc.{name}", f"v=DMARC1; {tags}")
    found = walked(names, domain)
    assert (found.organizational, found.policy()) == (organizational, policy)


def test_a_domain_that_does_not_exist_has_a_policy_of_its_own(names):
    names.text("_dmarc.shop.test", "v=DMARC1; p=none; sp=quarantine; np=reject")
    found = walked(names, "gone.shop.test")
    assert (found.policy(), found.policy(exists=False)) == ("quarantine", "reject")


def test_the_walk_takes_eight_lookups_at_most(names):
    walked(names, ".".join("abcdefghij") + ".shop.test")
    asked = [name for name, kind, _ in names.server.asked if kind == "TXT"]
    assert asked == [
        "_dmarc.a.b.c.d.e.f.g.h.i.j.shop.test",
        "_dmarc.f.g.h.i.j.shop.test",
        "_dmarc.g.h.i.j.shop.test",
        "_dmarc.h.i.j.shop.test",
        "_dmarc.i.j.shop.test",
        "_dmarc.j.shop.test",
        "_dmarc.shop.test",
        "_dmarc.test",
    ]


def test_psd_n_ends_the_walk(names):
    names.text("_dmarc.shop.test", "v=DMARC1; p=none; psd=n")
    walked(names, "shop.test")
    assert not names.asked("_dmarc.test")


def test_two_records_are_none(names):
    names.text("_dmarc.shop.test", "v=DMARC1; p=none", "v=DMARC1; p=reject", "other")
    found = walked(names, "shop.test")
    assert found.applied is None
    assert found.wrong == (("shop.test", "there are 2 DMARC records, so none of them counts"),)


def test_a_record_that_receivers_pass_over_is_told(names):
    names.text("_dmarc.shop.test", '"v=DMARC1; p=none"')
    names.text("_dmarc.a.shop.test", "v=DMARC1; p=noone")
    found = walked(names, "a.shop.test")
    assert found.applied is None
    assert [where for where, _ in found.wrong] == ["a.shop.test", "shop.test"]
    assert "no valid p=" in found.wrong[0][1]


def test_where_the_dns_does_not_answer_nothing_is_known(names):
    names.zone["_dmarc.shop.test"] = {}
    names.moods["_dmarc.shop.test"] = "servfail"
    assert "SERVFAIL" in walked(names, "a.shop.test").unknown


@pytest.mark.parametrize(
    ("records", "other", "strict", "expected"),
    [
        ({"shop.test": "p=none"}, "shop.test", True, True),
        ({"shop.test": "p=none"}, "a.shop.test", False, True),
        ({"shop.test": "p=none"}, "a.shop.test", True, False),
        ({}, "a.shop.test", False, False),
        ({"a.shop.test": "p=none"}, "a.shop.test", False, False),
        ({"test": "p=none; psd=y"}, "a.shop.test", False, True),
        ({"test": "p=none; psd=y"}, "other.test", False, False),
    ],
)
def test_alignment_with_shop_test(names, records, other, strict, expected):
    for name, tags in records.items():
        names.text(f"_dmarc.{name}", f"v=DMARC1; {tags}")
    assert aligned(walked(names, "shop.test"), walked(names, other), strict=strict) is expected


def test_related_domains():
    assert related("a.shop.test", "shop.test")
    assert not related("shop.test", "other.test")
