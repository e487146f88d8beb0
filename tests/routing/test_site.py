from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.routing import MxHost, site_of
from bulkmail.routing.site import site_name
from bulkmail.shaping import provider_table

TABLE = provider_table()
GMAIL = [
    (5, "gmail-smtp-in.l.google.com", ["192.0.2.1"]),
    (10, "alt1.gmail-smtp-in.l.google.com", ["192.0.2.2"]),
    (20, "alt2.gmail-smtp-in.l.google.com", []),
]


def test_a_site_knows_its_hosts_its_provider_and_a_name_for_people():
    site = site_of(GMAIL[::-1], TABLE)
    assert site.hosts[0] == MxHost(5, "gmail-smtp-in.l.google.com", ("192.0.2.1",))
    assert [host.preference for host in site.hosts] == [5, 10, 20]
    assert site.provider == "google"
    assert str(site) == site.name == "gmail-smtp-in.l.google.com"
    assert site.key.startswith("gmail-smtp-in.l.google.com~")
    assert site_of([(0, "mx.example.net", [])], TABLE).provider == ""


def test_the_key_is_the_same_tomorrow():
    assert site_of([(10, "a.example", []), (20, "b.example", [])], TABLE).key == "a.example~9415a283d499"


@given(st.permutations(GMAIL), st.integers(0, 1000), st.lists(st.just("192.0.2.9"), max_size=2))
def test_order_numbers_and_addresses_do_not_change_the_key(hosts, shift, addresses):
    again = [(preference + shift, host, addresses) for preference, host, _ in hosts]
    assert site_of(again, TABLE).key == site_of(GMAIL, TABLE).key


@pytest.mark.parametrize(
    "other",
    [
        [(10, "a.example", []), (10, "b.example", [])],
        [(20, "a.example", []), (10, "b.example", [])],
        [(10, "a.example", [])],
        [(10, "a.example", []), (20, "b.example", []), (30, "c.example", [])],
    ],
)
def test_another_set_or_order_is_another_site(other):
    assert site_of(other, TABLE).key != site_of([(10, "a.example", []), (20, "b.example", [])], TABLE).key


@pytest.mark.parametrize(
    ("hosts", "name"),
    [
        (["mx.example.net"], "mx.example.net"),
        (["mx1.example.net", "mx2.example.net"], "(mx1|mx2).example.net"),
        (["a.example.net", "b.example.org"], "(a.example.net|b.example.org)"),
        ([f"mx{n}.example.net" for n in range(9)], "(mx0|mx1|mx2|mx3|5 more).example.net"),
        (["example.net", "mx.example.net"], "example.net"),
    ],
)
def test_a_name_says_once_what_is_common(hosts, name):
    expected = name.strip("()") if "example.org" in name else name
    assert site_name(hosts) == expected
