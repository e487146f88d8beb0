from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.routing import forbidden_address, networks


@pytest.mark.parametrize(
    ("ip", "reason"),
    [
        ("0.0.0.0", "unspecified"),
        ("0.1.2.3", "unspecified"),
        ("10.0.0.1", "private"),
        ("172.16.0.1", "private"),
        ("172.31.255.255", "private"),
        ("192.168.1.1", "private"),
        ("100.64.0.1", "carrier"),
        ("127.0.0.1", "loopback"),
        ("127.255.255.254", "loopback"),
        ("169.254.169.254", "link-local"),
        ("192.0.0.8", "inner protocol"),
        ("192.88.99.1", "reserved"),
        ("198.18.0.1", "benchmarks"),
        ("198.19.255.255", "benchmarks"),
        ("::ffff:0:7f00:1", "IPv6 clothes"),
        ("64:ff9b:1::1", "local translator"),
        ("100::1", "discard"),
        ("2001::1", "Teredo"),
        ("2001:2::1", "inner protocol"),
        ("2001:20::1", "inner protocol"),
        ("2001:4:112::1", "inner protocol"),
        ("2620:4f:8000::1", "inner protocol"),
        ("5f00::1", "inner protocol"),
        ("100:0:0:1::1", "dummy"),
        ("2001:db8::1", "documentation"),
        ("3fff::1", "documentation"),
        ("2002:5db8:d70e::1", "6to4"),
        ("64:ff9b:2::1", "reserved"),
        ("4000::1", "reserved"),
        ("8000::1", "reserved"),
        ("::2:0:0:1", "reserved"),
        ("224.0.0.1", "multicast"),
        ("255.255.255.255", "reserved"),
        ("::", "unspecified"),
        ("::1", "loopback"),
        ("::127.0.0.1", "IPv6 clothes"),
        ("::ffff:127.0.0.1", "loopback"),
        ("::ffff:10.0.0.1", "private"),
        ("::ffff:192.0.2.1", "IPv6 clothes"),
        ("64:ff9b::7f00:1", "loopback"),
        ("2002:7f00:1::", "loopback"),
        ("fc00::1", "private"),
        ("fd12::1", "private"),
        ("fe80::1", "link-local"),
        ("fe80::1%eth0", "link-local"),
        ("fec0::1", "private"),
        ("ff02::1", "multicast"),
        ("localhost", "not an IP"),
        ("127.1", "not an IP"),
        ("", "not an IP"),
    ],
)
def test_where_nobody_is_led(ip, reason):
    assert reason in forbidden_address(ip)


@pytest.mark.parametrize(
    "ip",
    [
        "192.0.2.1",
        "8.8.8.8",
        "172.32.0.1",
        "100.128.0.1",
        "198.17.255.255",
        "198.20.0.1",
        "192.0.1.1",
        "2001:200::1",
        "2a00:1450::1b",
        "64:ff9b::808:808",
    ],
)
def test_the_rest_of_the_world_is_open(ip):
    assert forbidden_address(ip) is None


def test_what_the_operator_allows():
    assert forbidden_address("127.0.0.1", ["127.0.0.0/8"]) is None
    assert forbidden_address("127.0.0.1", networks(["127.0.0.0/8", "::1/128"])) is None
    assert forbidden_address("::ffff:127.0.0.1", ["127.0.0.0/8"]) is None
    assert forbidden_address("10.0.0.1", ["127.0.0.0/8"]) is not None
    assert forbidden_address("10.0.0.1", ["10.0.0.1"]) is None
    with pytest.raises(ValueError, match="nonsense"):
        networks(["nonsense"])


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_is_no_more_open_in_other_clothes(address):
    if forbidden_address(str(address)) is not None:
        assert forbidden_address(f"::ffff:{address}") is not None
        assert forbidden_address(str(ip_address("64:ff9b::") + int(address))) is not None


@given(st.ip_addresses())
def test_what_python_calls_loopback_or_local_is_closed(address):
    local = address.is_loopback or address.is_link_local or address.is_multicast or address.is_unspecified
    if local:
        assert forbidden_address(str(address)) is not None


def test_what_is_remembered_of_an_address_is_neither_the_settings_nor_whose_it_is():
    ip, own = "93.184.215.77", set()
    assert forbidden_address(ip, (), own.__contains__) is None
    own.add(ip)
    assert forbidden_address(ip, (), own.__contains__) == "an address of this machine"
    assert forbidden_address(ip, ["93.184.215.0/24"], own.__contains__) is None
    assert forbidden_address("10.0.0.7") == forbidden_address("10.0.0.7") == "a private address"
    assert forbidden_address("10.0.0.7", ["10.0.0.0/8"]) is None


def test_this_machines_own_addresses():
    own = {"93.184.215.14", "2a00:1450::1b"}.__contains__
    assert forbidden_address("93.184.215.14", (), own) == "an address of this machine"
    assert forbidden_address("2a00:1450::1b", (), own) == "an address of this machine"
    assert forbidden_address("64:ff9b::5db8:d70e", (), own) == "an address of this machine"
    assert forbidden_address("93.184.215.15", (), own) is None
    assert forbidden_address("93.184.215.14", ["93.184.215.0/24"], own) is None
    assert "private" in forbidden_address("10.0.0.1", (), own)
