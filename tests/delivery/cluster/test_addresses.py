from __future__ import annotations

from bulkmail.delivery.cluster.addresses import Addresses
from bulkmail.routing import MxHost, Site


def site(*addresses, provider="", name="s.example"):
    hosts = tuple(MxHost(10 * n, f"mx{n}.{name}", found) for n, found in enumerate(addresses, 1))
    return Site(name, hosts, provider, name)


def test_a_site_needs_all_addresses_of_its_hosts_and_the_smallest_says_whose_it_is():
    addresses = Addresses()
    addresses.note("s", site(("192.0.2.7", "192.0.2.5"), ("192.0.2.3",), ()))
    assert addresses.needed("s") == ("address 192.0.2.3", "address 192.0.2.5", "address 192.0.2.7")
    assert addresses.ranked_by("s") == "address 192.0.2.3"


def test_a_provider_and_a_domain_that_leads_nowhere_need_none():
    addresses = Addresses()
    addresses.note("provider p", site(("192.0.2.7",), provider="p"))
    addresses.note("domain d", site())
    addresses.note("unusable", site(()))
    for key in ("provider p", "domain d", "unusable", "never seen"):
        addresses.use(key)
        assert addresses.needed(key) == ()
        assert addresses.ranked_by(key) == key


def test_an_address_is_used_until_its_last_site_is_left():
    addresses = Addresses()
    for key in ("s", "t"):
        addresses.note(key, site(("192.0.2.1",)))
        addresses.use(key)
    addresses.leave("s")
    assert addresses.is_used("address 192.0.2.1")
    assert addresses.take_unused() == set()
    addresses.forget("t")
    assert not addresses.is_used("address 192.0.2.1")
    assert addresses.take_unused() == {"address 192.0.2.1"}
    assert addresses.take_unused() == set()
    assert addresses.needed("s") == ("address 192.0.2.1",), "left, and not forgotten"
    assert addresses.needed("t") == ()


def test_what_is_used_again_is_not_told():
    addresses = Addresses()
    addresses.note("s", site(("192.0.2.1",)))
    addresses.use("s")
    addresses.leave("s")
    addresses.use("s")
    assert addresses.take_unused() == set()


def test_what_the_dns_has_taken_away_is_used_until_the_site_is_left():
    addresses = Addresses()
    addresses.note("s", site(("192.0.2.1",)))
    addresses.use("s")
    addresses.note("s", site(("192.0.2.2",)))
    addresses.use("s")
    assert addresses.needed("s") == ("address 192.0.2.2",)
    assert addresses.is_used("address 192.0.2.1")
    addresses.leave("s")
    assert addresses.take_unused() == {"address 192.0.2.1", "address 192.0.2.2"}


def test_a_site_is_ranked_by_an_ipv4_address_which_every_machine_uses():
    addresses = Addresses()
    addresses.note("s", site(("203.0.113.1", "2001:7fd::1")))
    assert addresses.needed("s") == ("address 203.0.113.1", "address 2001:7fd::1")
    assert addresses.ranked_by("s") == "address 203.0.113.1"
