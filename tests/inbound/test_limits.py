"""Counting connections and memory, by client and in all."""

from __future__ import annotations

import pytest

from bulkmail.inbound.limits import Gate, Limits, Room, network_of


@pytest.mark.parametrize(
    ("ip", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
    ],
)
def test_who_is_one_client(ip, network):
    assert network_of(ip) == network


def test_connections_by_client_and_in_all():
    gate = Gate(Limits(connections=3, connections_an_address=2))
    assert gate.enter("a") is None
    assert gate.enter("a") is None
    assert "your address" in str(gate.enter("a"))
    assert gate.enter("b") is None
    assert gate.enter("c").code == 421
    gate.leave("a")
    assert gate.enter("c") is None
    assert gate.connections == 3


def test_one_client_has_a_quarter_of_the_memory_at_most():
    room = Room(400)
    first, second, other = room.share("a"), room.share("a"), room.share("b")
    assert first.take(60)
    assert not second.take(60)
    assert second.take(40)
    assert other.take(100)
    assert not other.take(1)
    first.give_back()
    first.give_back()
    assert second.take(60)
    for share in (second, other):
        share.give_back()
    assert room.free == 400


def test_memory_in_all():
    room = Room(400)
    assert all(room.share(f"c{n}").take(100) for n in range(4))
    assert not room.share("d").take(1)
