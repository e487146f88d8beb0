"""The examples of RFC 7208 7.4, and what stands around them."""

from __future__ import annotations

import ipaddress

import pytest

from bulkmail.preflight.sender.spf_macros import MacroValues, check_macros, ends_in_macro, expand, uses_validated

VALUES = MacroValues(
    ipaddress.ip_address("192.0.2.3"), "strong-bad", "email.example.com", "email.example.com", "mx.example.org"
)


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("%{s}", "strong-bad@email.example.com"),
        ("%{o}", "email.example.com"),
        ("%{d}", "email.example.com"),
        ("%{d4}", "email.example.com"),
        ("%{d2}", "example.com"),
        ("%{d1}", "com"),
        ("%{dr}", "com.example.email"),
        ("%{d2r}", "example.email"),
        ("%{l}", "strong-bad"),
        ("%{l-}", "strong.bad"),
        ("%{lr}", "strong-bad"),
        ("%{lr-}", "bad.strong"),
        ("%{l1r-}", "strong"),
        ("%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com"),
        ("%{lr-}.lp._spf.%{d2}", "bad.strong.lp._spf.example.com"),
        ("%{lr-}.lp.%{ir}.%{v}._spf.%{d2}", "bad.strong.lp.3.2.0.192.in-addr._spf.example.com"),
        ("%{d2}.trusted-domains.example.net", "example.com.trusted-domains.example.net"),
        ("%{h}.%{p}", "mx.example.org.unknown"),
        ("%{S}.%%%_%-x", "strong-bad%40email.example.com.% %20x"),
    ],
)
def test_expansion(text, expanded):
    assert check_macros(text) == ""
    assert expand(text, VALUES) == expanded


def test_an_ipv6_address_is_written_digit_by_digit():
    six = MacroValues(ipaddress.ip_address("2001:db8::cb01"), "l", "d.test", "d.test", "h.test")
    assert expand("%{ir}.%{v}._spf.d.test", six) == (
        "1.0.b.c.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6._spf.d.test"
    )


def test_a_long_name_loses_labels_at_its_left():
    name = expand("%{l}.%{d}", MacroValues(VALUES.ip, "x" * 60, "d.test", ".".join(["y" * 60] * 4), "h.test"))
    assert name == ".".join(["y" * 60] * 4)


def test_what_a_domain_ends_in():
    assert ends_in_macro("a.%{d}")
    assert not ends_in_macro("%{d}.a")
    assert not ends_in_macro("a")
    assert uses_validated("%{P2}.x")
    assert not uses_validated("%{d}.p")
