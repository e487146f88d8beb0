from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.preflight.sender.spf import evaluate_spf
from bulkmail.preflight.sender.spf_record import SpfSyntaxError, parse_spf

ME = "192.0.2.1"


@pytest.fixture
def spf(names):
    """``spf(record, ...)``: the result for our address, where these are the TXT records of shop.test."""

    def run(*texts, ip=ME, sender="news@shop.test", helo="mta1.shop.test", **zone):
        names.zone.update(zone)
        names.text("shop.test", *texts)
        return names.ask(evaluate_spf, ip, sender, helo)

    return run


@pytest.mark.parametrize(
    ("text", "result"),
    [
        (f"v=spf1 ip4:{ME} -all", "pass"),
        (f"V=SPF1 IP4:{ME} -ALL", "pass"),
        ("v=spf1 ip4:192.0.2.0/24 -all", "pass"),
        ("v=spf1 -ip4:192.0.2.0/24 +all", "fail"),
        ("v=spf1 ip4:198.51.100.0/24 ~all", "softfail"),
        ("v=spf1 ip4:198.51.100.0/24 ?all", "neutral"),
        ("v=spf1 ip4:198.51.100.0/24", "neutral"),
        ("v=spf1", "neutral"),
        ("v=spf1  ", "neutral"),
        ("v=spf1 ip6:2001:db8::/32 -all", "fail"),
        ("v=spf1\t-all", "none"),
        ("v=spf10 -all", "none"),
        ("spf2.0/pra -all", "none"),
        (f"v=spf1 ip4:{ME}/33 -all", "permerror"),
        (f"v=spf1 ip4:{ME} ip4:192.0.2.999", "permerror"),
        (f"v=spf1 ip4:{ME} foo -all", "permerror"),
        (f"v=spf1 ip4:{ME} moo=cow -all", "pass"),
        (["v=spf1 ip4:192.0.2.1", "-all"], "permerror"),  # two strings, no blank where they meet
        (["v=spf1 ip4:192.", "0.2.1 -all"], "pass"),
        (f"v=spf1 redirect=deny.test ip4:{ME}", "pass"),
    ],
)
def test_results_without_another_lookup(spf, text, result):
    assert spf(text).result == result


def test_two_records_are_one_too_many(spf):
    found = spf("v=spf1 -all", "something else", f"v=spf1 ip4:{ME} -all")
    assert (found.result, found.why) == ("permerror", "shop.test has 2 SPF records; one is allowed")


def test_no_record_and_no_domain(spf, names):
    assert spf("only=text").result == "none"
    assert names.ask(evaluate_spf, ME, "news@gone.test", "mta1.shop.test").result == "none"
    assert names.ask(evaluate_spf, ME, "news@test", "mta1.shop.test").result == "none"


ADDRESSES = {"mx.shop.test": {"A": [ME]}, "a.test": {"A": ["198.51.100.7", ME], "AAAA": ["2001:db8::7"]}}


@pytest.mark.parametrize(
    ("text", "ip", "result"),
    [
        ("v=spf1 a:a.test -all", ME, "pass"),
        ("v=spf1 a:a.test/24 -all", "198.51.100.200", "pass"),
        ("v=spf1 a:a.test/24//64 -all", "2001:db8::9", "pass"),
        ("v=spf1 a:a.test//64 -all", ME, "pass"),
        ("v=spf1 a -all", ME, "fail"),
        ("v=spf1 mx:m.test -all", ME, "pass"),
        ("v=spf1 exists:%{i}.list.test -all", ME, "pass"),
        ("v=spf1 exists:%{ir}.%{v}.%{d2}.list.test -all", ME, "pass"),
        ("v=spf1 exists:%{l}.%{o}.list.test -all", ME, "pass"),
        ("v=spf1 ptr -all", ME, "pass"),
        ("v=spf1 exists:%{p}.named.test -all", ME, "pass"),
        ("v=spf1 include:good.test -all", ME, "pass"),
        ("v=spf1 include:bad.test ?all", ME, "neutral"),
        ("v=spf1 include:gone.test -all", ME, "permerror"),
        (f"v=spf1 ip4:{ME} include:gone.test -all", ME, "pass"),
        ("v=spf1 include:silent.test -all", ME, "temperror"),
        ("v=spf1 redirect=good.test", ME, "pass"),
        ("v=spf1 redirect=gone.test", ME, "permerror"),
        ("v=spf1 ip4:198.51.100.1 redirect=bad.test", ME, "fail"),
        ("v=spf1 include:loop.test -all", ME, "permerror"),
    ],
)
def test_results_with_lookups(spf, names, text, ip, result):
    names.text("good.test", f"v=spf1 ip4:{ME} -all")
    names.text("bad.test", "v=spf1 -all")
    names.text("loop.test", "v=spf1 include:loop.test -all")
    names.zone.update(
        {
            **ADDRESSES,
            "m.test": {"MX": ["10 mx.shop.test."]},
            "192.0.2.1.list.test": {"A": ["127.0.0.2"]},
            "1.2.0.192.in-addr.shop.test.list.test": {"A": ["127.0.0.2"]},
            "news.shop.test.list.test": {"A": ["127.0.0.2"]},
            "1.2.0.192.in-addr.arpa": {"PTR": ["lying.test.", "mx.shop.test."]},
            "lying.test": {"A": ["198.51.100.9"]},
            "mx.shop.test.named.test": {"A": ["127.0.0.2"]},
            "silent.test": {},
        }
    )
    names.moods["silent.test"] = "servfail"
    assert spf(text, ip=ip).result == result


def test_an_alias_leads_to_the_record(spf, names):
    names.zone["there.test"] = {"CNAME": ["good.test."]}
    names.text("good.test", f"v=spf1 ip4:{ME} -all")
    assert spf("v=spf1 include:there.test -all").result == "pass"


@pytest.mark.parametrize(("count", "result"), [(10, "fail"), (11, "permerror")])
def test_ten_terms_may_ask_the_dns(spf, names, count, result):
    for n in range(count):
        names.zone[f"h{n}.test"] = {"A": ["198.51.100.1"]}
    found = spf("v=spf1 " + " ".join(f"a:h{n}.test" for n in range(count)) + " -all")
    assert (found.result, found.terms) == (result, count)


@pytest.mark.parametrize(("count", "result"), [(2, "fail"), (3, "permerror")])
def test_two_lookups_may_find_nothing(spf, count, result):
    found = spf("v=spf1 " + " ".join(f"a:gone{n}.test" for n in range(count)) + " -all")
    assert found.result == result
    assert result == "fail" or "more than 2 lookups find nothing" in found.why


@pytest.mark.parametrize(("count", "result"), [(10, "pass"), (11, "permerror")])
def test_ten_hosts_may_an_mx_have(spf, names, count, result):
    names.zone["m.test"] = {"MX": [f"{n} h{n}.test." for n in range(count)]}
    names.zone.update({f"h{n}.test": {"A": [ME if n == count - 1 else "198.51.100.1"]} for n in range(count)})
    assert spf("v=spf1 mx:m.test -all").result == result


def test_the_reason_names_the_term_and_its_record(spf, names):
    names.text("good.test", "v=spf1 -ip4:192.0.2.0/28 -all")
    found = spf("v=spf1 redirect=good.test")
    assert found.why == "`-ip4:192.0.2.0/28` in the record of good.test says so"
    assert found.record.redirect == "good.test"


def test_an_ipv4_address_in_ipv6_is_ipv4(spf):
    assert spf(f"v=spf1 ip4:{ME} -all", ip=f"::ffff:{ME}").result == "pass"


@given(st.text(st.sampled_from("aimx:/=%{}.-~?+ 0123456789dlips_ptrcludexs"), max_size=80))
def test_any_record_is_read_or_refused(text):
    with contextlib.suppress(SpfSyntaxError):
        parse_spf("v=spf1 " + text)
