"""What the page reads of a request, on a transport without a socket."""

from __future__ import annotations

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from bulkmail.public import Answer, Proxies
from bulkmail.web.channel import WebFactory
from bulkmail.web.renewing import Renewing, Stream, View


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


class Streamed(Noted):
    def __init__(self, clock):
        super().__init__()
        self.html, self.good = b"one", True
        self.renewing = Renewing(self.make, clock)

    async def make(self, view):
        return self.html

    async def answer(self, call):
        return Stream(200, {b"Content-Type": b"text/event-stream"}, VIEW, self.renewing, lambda: self.good)


VIEW = View((), (), 1)


class Open:
    def __init__(self, line="GET /live HTTP/1.1"):
        self.clock = Clock()
        self.answers = Streamed(self.clock)
        factory = WebFactory(self.answers, Proxies(["127.0.0.0/8"]), self.clock, b"", tls=False)
        self.protocol = factory.buildProtocol(None)
        self.transport = Transport(peerAddress=IPv4Address("TCP", "192.0.2.1", 4711))
        self.protocol.makeConnection(self.transport)
        self.protocol.dataReceived(f"{line}\r\nHost: x\r\n\r\n".encode())

    def tick(self, html):
        self.answers.html = html
        self.clock.advance(1.0)
        return self.transport.value()


def test_a_stream_goes_on_until_its_session_ends():
    opened = Open()
    assert b"Content-Length" not in opened.transport.value()
    assert b"data: two\n\n" in opened.tick(b"two")
    opened.clock.advance(400.0)  # longer than any answer may take
    assert b"data: three\n\n" in opened.tick(b"three")
    opened.answers.good = False
    assert opened.tick(b"four").endswith(b"0\r\n\r\n")
    assert b"four" not in opened.transport.value()
    assert len(opened.answers.renewing) == 0


def test_who_does_not_read_is_cut_and_nothing_is_kept_for_them():
    opened = Open()
    opened.transport.producer.pauseProducing()
    assert b"two" not in opened.tick(b"two")
    assert opened.transport.disconnecting
    reads = Open()
    reads.transport.producer.pauseProducing()
    reads.transport.producer.resumeProducing()
    assert b"two" in reads.tick(b"two")
    assert not reads.transport.disconnecting


def test_who_goes_is_renewed_no_more_and_a_head_gets_no_events():
    opened = Open()
    opened.protocol.connectionLost(Failure(ConnectionDone()))
    assert len(opened.answers.renewing) == 0
    head = Open("HEAD /live HTTP/1.1")
    assert b"data:" not in head.transport.value()
    assert len(head.answers.renewing) == 0
