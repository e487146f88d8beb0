from __future__ import annotations

import socket

import pytest

from bulkmail.net import own_address, source_address
from bulkmail.net.own import source_to


def addresses():
    """The addresses that this machine would send from."""
    found = {"127.0.0.1"}
    for family, there in ((socket.AF_INET, "198.51.100.1"), (socket.AF_INET6, "2001:db8::1")):
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect((there, 9))
                found.add(probe.getsockname()[0])
        except OSError:
            pass
    return sorted(found)


@pytest.mark.parametrize("ip", addresses())
def test_an_address_of_this_machine(ip):
    assert own_address(ip)


@pytest.mark.parametrize("ip", ["198.51.100.1", "93.184.215.14", "2001:db8::1", "255.255.255.255", "no address"])
def test_an_address_that_is_not_ours(ip):
    assert not own_address(ip)


def test_the_address_of_the_default_route():
    assert source_address() in ["", *addresses()]
    assert source_address(6) in ["", *addresses()]


def test_the_address_that_another_is_sent_to_from():
    assert source_to("127.0.0.9") == "127.0.0.1"
    assert source_to("no address") == ""
