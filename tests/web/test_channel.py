"""What the page reads of a request, on a transport without a socket."""

from __future__ import annotations

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from bulkmail.public import Answer, Proxies
from bulkmail.web.channel import WebFactory


class Transport(StringTransport):
    def abortConnection(self):
        self.disconnecting = True


class Noted:
    def __init__(self):
        self.calls = []

    async def answer(self, call):
        self.calls.append(call)
        return Answer(200, {}, b"fine")

    def later(self, call, status, seconds):
        return Answer(status, {}, b"")


@pytest.fixture
def asked():
    def ask(*lines, peer="127.0.0.1", body=b"", tls=False):
        noted = Noted()
        factory = WebFactory(noted, Proxies(["127.0.0.0/8"]), Clock(), b"X-Remote-User", tls=tls)
        protocol = factory.buildProtocol(None)
        transport = Transport(peerAddress=IPv4Address("TCP", peer, 4711))
        protocol.makeConnection(transport)
        fields = ["Host: 127.0.0.1:8025", *lines[1:], f"Content-Length: {len(body)}"]
        protocol.dataReceived("\r\n".join([f"{lines[0]} HTTP/1.1", *fields, "", ""]).encode() + body)
        assert b" 200 OK\r\n" in transport.value()
        return noted.calls[0]

    return ask


def test_a_request_is_read(asked):
    call = asked(
        "POST /campaigns/a%2Fb/pause?x=1",
        "Cookie: bulkmail-session=secret",
        "Content-Type: application/x-www-form-urlencoded",
        "Sec-Fetch-Site: same-origin",
        body=b"reason=a+b&token=t",
        peer="192.0.2.1",
    )
    assert call.path == ("campaigns", "a/b", "pause")
    assert (call.method, call.query, call.form) == ("POST", {"x": "1"}, {"reason": "a b", "token": "t"})
    assert (call.session, call.client, call.same_site, call.secure) == ("secret", "192.0.2.1", True, False)
    assert not call.too_long


def test_only_a_proxy_that_is_trusted_says_who_asks_and_how(asked):
    fields = ("GET /", "X-Remote-User: ann", "X-Forwarded-Proto: https", "X-Forwarded-For: 198.51.100.7")
    told = asked(*fields)
    assert (told.user, told.secure, told.client) == ("ann", True, "198.51.100.7")
    lied = asked(*fields, peer="192.0.2.1")
    assert (lied.user, lied.secure, lied.client) == ("", False, "192.0.2.1")
    assert asked("GET /", peer="192.0.2.1", tls=True).secure


def test_what_is_too_long_is_not_read(asked):
    call = asked("POST /", "Content-Type: application/x-www-form-urlencoded", body=b"a=" + b"x" * 20_000)
    assert (call.too_long, call.form) == (True, {})


def test_another_sites_form_is_seen(asked):
    assert not asked("POST /", "Origin: https://evil.example").same_site
