from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.mail import parse_rate
from bulkmail.public import clients
from bulkmail.public.clients import WRONG_COSTS, Proxies, Rates

PROXIES = Proxies(["127.0.0.0/8", "::1/128", "10.0.0.0/8"])


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("192.0.2.1", b"", "192.0.2.1"),
        ("192.0.2.1", b"198.51.100.1", "192.0.2.1"),  # whoever comes without a proxy is not believed
        ("127.0.0.1", b"198.51.100.1", "198.51.100.1"),
        ("127.0.0.1", b"203.0.113.9, 198.51.100.1", "198.51.100.1"),  # the first one wrote the client itself
        ("127.0.0.1", b"203.0.113.9, 198.51.100.1, 10.1.2.3", "198.51.100.1"),
        ("::1", b"2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.1", b"", "192.0.2.1"),
        ("2001:db8::1", b"", "2001:db8::/64"),
        ("fe80::1%eth0", b"", "fe80::/64"),
        ("", b"198.51.100.1", "198.51.100.1"),  # a Unix socket
        ("", b"", ""),
        ("127.0.0.1", b"", "127.0.0.1"),
        ("127.0.0.1", b"unknown", "127.0.0.1"),
        ("127.0.0.1", b"198.51.100.1, nonsense", "127.0.0.1"),
        ("127.0.0.1", b"\xff\x00, 198.51.100.1", "198.51.100.1"),
        ("127.0.0.1", b"10.0.0.1", "10.0.0.1"),
        ("127.0.0.1", b"1.1.1.1," * 10_000 + b"198.51.100.1", "198.51.100.1"),
    ],
)
def test_who_the_client_is(peer, forwarded, client):
    assert PROXIES.client(peer, forwarded) == client


@given(st.text(max_size=40), st.binary(max_size=200))
def test_no_header_is_an_error(peer, forwarded):
    PROXIES.client(peer, forwarded)
    PROXIES.client("127.0.0.1", forwarded)


def rates(each="2/s,burst=20", wrong="100/s,burst=1000", right="100/s,burst=1000"):
    return Rates(parse_rate(each), parse_rate(wrong), parse_rate(right), 0.0)


def test_a_client_has_its_burst_and_then_its_pace():
    one = rates()
    assert [one.ask("a", 0.0) for _ in range(20)] == [0] * 20
    assert one.ask("a", 0.0) == 1
    assert one.ask("b", 0.0) == 0
    assert one.ask("a", 0.5) == 0
    assert one.ask("a", 0.5) == 1


def test_a_wrong_token_counts_for_several():
    one = rates()
    asked = 0
    while not one.ask("a", 0.0):
        asked += 1
        one.wrong("a", 0.0)
    assert asked == 20 // WRONG_COSTS
    assert one.ask("a", 60.0) == 0


def test_wrong_tokens_in_all_keep_no_right_one_from_its_answer():
    one = rates(each="1000/s,burst=1000", wrong="1/s,burst=3", right="1/s,burst=3")
    waits = []
    for number in range(10):
        client = f"c{number}"
        assert one.ask(client, 0.0) == 0
        waits.append(one.wrong(client, 0.0))
    assert waits[:3] == [0, 0, 0]
    assert all(waits[3:])
    assert [one.right(0.0) for _ in range(4)] == [0, 0, 0, 1]


def test_the_clients_that_are_remembered_are_bounded(monkeypatch):
    monkeypatch.setattr(clients, "_MOST_CLIENTS", 100)
    one = rates()
    for _ in range(30):
        one.ask("busy", 0.0)
    for number in range(1000):
        one.ask(str(number), 0.0)
        assert one.ask("busy", 0.0) == 1  # who asks all the time is not the one that is forgotten
    assert len(one) == 100
