from __future__ import annotations

import ipaddress
import re

import pytest

from bulkmail.preflight.sender.spf_record import SpfSyntaxError, is_spf, parse_spf


def test_terms_in_their_order():
    record = parse_spf(
        "v=spf1 +a mx:m.test/24//64 -ip4:192.0.2.0/24 ~include:i.test ?exists:%{i}.e.test exp=x.test -all"
    )
    shown = [(one.result, one.name, one.domain) for one in record.mechanisms]
    assert shown == [
        ("pass", "a", ""),
        ("pass", "mx", "m.test"),
        ("fail", "ip4", ""),
        ("softfail", "include", "i.test"),
        ("neutral", "exists", "%{i}.e.test"),
        ("fail", "all", ""),
    ]
    assert record.mechanisms[1].sizes == (24, 64)
    assert record.mechanisms[2].network == ipaddress.ip_network("192.0.2.0/24")
    assert (record.redirect, record.redirect_last) == ("", True)


def test_where_a_redirect_stands():
    assert parse_spf("v=spf1 a redirect=r.test").redirect_last
    assert parse_spf("v=spf1 a redirect=r.test exp=x.test").redirect_last
    assert not parse_spf("v=spf1 redirect=r.test a").redirect_last


def test_what_an_spf_record_is():
    assert is_spf("v=spf1 -all")
    assert is_spf("V=spf1")
    assert not is_spf("v=spf1x")
    assert not is_spf(" v=spf1 -all")


@pytest.mark.parametrize(
    ("terms", "words"),
    [
        ("all:x.test", "nothing may follow `all`"),
        ("include", "names no domain; write include:DOMAIN"),
        ("include:", "nothing is no domain name"),
        ("ip4:192.0.2.1//32", "is no prefix length from 0 to 32"),
        ("ip4:192.0.2.1/08", "/08 is no prefix length"),
        ("ip4:2001:db8::1", "is no IPv4 address or network"),
        ("ip6:192.0.2.1", "is no IPv6 address or network"),
        ("a:x.test/" + "9" * 5000, "is no prefix length"),
        ("a:x", "x is no domain name"),
        ("exists:%{z}.test", "there is no macro %{z}"),
        ("exists:%{c}.test", "may stand in an explanation only"),
        ("exists:%{d0}.test", "keeps no number of labels"),
        ("exists:%(d).test", "a % begins no macro"),
        ("redirect=a.test redirect=b.test", "`redirect=` stands there twice"),
        ("ipv4:192.0.2.1", "is no mechanism of SPF"),
        ("a=b%", "a % begins no macro"),
        ("a:\u00fc.test", "is not ASCII"),
        (".", "`.` is no term of SPF"),
    ],
)
def test_a_wrong_term_is_named(terms, words):
    with pytest.raises(SpfSyntaxError, match=re.escape(words)):
        parse_spf(f"v=spf1 {terms} -all")
