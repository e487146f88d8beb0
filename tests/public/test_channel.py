"""The parser's edges, the deadlines and the bounds, on a transport without a socket and a clock of its own."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address, UNIXAddress
from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from bulkmail.mail import parse_rate
from bulkmail.public import channel
from bulkmail.public.answering import MOST_BODY, Answers
from bulkmail.public.channel import IDLE, MOST_CONNECTIONS, MOST_OF_ONE, WHOLE_ANSWER, WHOLE_REQUEST, PageFactory
from bulkmail.public.clients import Proxies
from bulkmail.public.texts import shipped
from tests.public.known import BROKEN, RIGHT, SLOW, WRONG, Known

HOST = "Host: mail.example.com"


class Transport(StringTransport):
    """What is written, and whether the connection was closed or cut."""

    aborted = False

    def abortConnection(self):
        self.aborted = True
        self.disconnecting = True


class Site:
    """A site with a clock, and its connections."""

    def __init__(self, known=None):
        self.clock, self.known = Clock(), known or Known()
        answers = Answers(self.known, shipped(), "", parse_rate("1000/s,burst=1000"), self.clock.seconds)
        self.factory = PageFactory(answers, Proxies(["127.0.0.0/8"]), self.clock)

    def connect(self, peer="192.0.2.1", address=None):
        protocol = self.factory.buildProtocol(None)
        if protocol is None:
            return None, None
        transport = Transport(peerAddress=address or IPv4Address("TCP", peer, 4711))
        protocol.makeConnection(transport)
        return protocol, transport

    def send(self, *pieces, peer="192.0.2.1"):
        protocol, transport = self.connect(peer)
        for piece in pieces:
            if not transport.disconnecting:
                protocol.dataReceived(piece)
        return transport


@pytest.fixture
def site():
    return Site()


def asked(method, target, *fields, body=b"", version="HTTP/1.1"):
    lines = [f"{method} {target} {version}", HOST, *fields]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


FORM = "Content-Type: application/x-www-form-urlencoded"
ONE_CLICK = b"List-Unsubscribe=One-Click"
POST = asked("POST", f"/u/{RIGHT}", FORM, body=ONE_CLICK)


def statuses(transport):
    return [int(found) for found in re.findall(rb"HTTP/1\.1 (\d{3})", transport.value())]


def test_a_post_is_answered_and_the_connection_closed(site):
    transport = site.send(POST)
    head, _, body = transport.value().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"Connection: close" in head
    assert b"Server:" not in head
    assert re.search(rb"\r\nDate: \w{3}, \d\d ", head)
    assert int(re.search(rb"Content-Length: (\d+)", head)[1]) == len(body)
    assert transport.disconnecting
    assert site.known.written() == [("unsubscribe", RIGHT, "one-click")]


def test_the_query_says_the_language(site):
    transport = site.send(asked("GET", f"/u/{RIGHT}?lang=de", "Accept-Language: fr"))
    assert b"\r\nContent-Language: de\r\n" in transport.value()


def test_head_is_get_without_its_body(site):
    got = site.send(asked("GET", f"/u/{RIGHT}")).value()
    head = site.send(asked("HEAD", f"/u/{RIGHT}")).value()
    assert head.endswith(b"\r\n\r\n")
    assert got.startswith(head)
    assert not site.known.written()


def test_the_request_may_come_in_any_pieces(site):
    whole = site.send(POST).value()
    for size in (1, 2, 7):
        pieces = [POST[at : at + size] for at in range(0, len(POST), size)]
        assert site.send(*pieces).value() == whole


CHUNKED = (
    asked("POST", f"/u/{RIGHT}", FORM, "Transfer-Encoding: chunked")
    + b"5;x=y\r\nList-\r\n15\r\nUnsubscribe=One-Click\r\n0\r\n\r\n"
)


def test_chunks(site):
    assert statuses(site.send(CHUNKED)) == [200]
    assert site.known.written() == [("unsubscribe", RIGHT, "one-click")]


def test_a_client_that_waits_for_100_continue_gets_it(site):
    request = asked("POST", f"/u/{RIGHT}", FORM, "Expect: 100-continue", body=ONE_CLICK)
    protocol, transport = site.connect()
    protocol.dataReceived(request.removesuffix(ONE_CLICK))
    assert statuses(transport) == [100]
    protocol.dataReceived(ONE_CLICK)
    assert statuses(transport) == [100, 200]


SMUGGLED = asked("POST", f"/u/{RIGHT}", FORM, body=ONE_CLICK)


@pytest.mark.parametrize(
    "request_",
    [
        asked("POST", "/u/x", "Transfer-Encoding: chunked", body=b"0\r\n\r\n" + SMUGGLED),
        asked("POST", "/u/x", "Content-Length: 5", body=SMUGGLED),
        asked("POST", "/u/x", "Content-Length: 3") + b"abc" + SMUGGLED,
        asked("POST", "/u/x", "Content-Length: +3") + b"abc" + SMUGGLED,
        asked("POST", "/u/x", "Content-Length: 0x3") + b"abc" + SMUGGLED,
        asked("POST", "/u/x", "Content-Length: 3, 3") + b"abc" + SMUGGLED,
        asked("POST", "/u/x", "Content-Length: -1") + SMUGGLED,
        asked("POST", "/u/x", "Transfer-Encoding: xchunked") + SMUGGLED,
        asked("POST", "/u/x", "Transfer-Encoding: identity, chunked") + SMUGGLED,
        asked("POST", "/u/x", "Transfer-Encoding : chunked") + b"0\r\n\r\n" + SMUGGLED,
        asked("POST", "/u/x", "Transfer-Encoding:\x0bchunked") + b"0\r\n\r\n" + SMUGGLED,
        asked("POST", "/u/x", "Transfer-Encoding: chunked") + b"0x0\r\n\r\n" + SMUGGLED,
        asked("POST", "/u/x", "Transfer-Encoding: chunked") + b"-0\r\n\r\n" + SMUGGLED,
        asked("POST", "/u/x", "Transfer-Encoding: chunked") + b"3\nabc0\n\n" + SMUGGLED,
        asked("POST", "/u/x", "Transfer-Encoding: chunked") + b"3\r\nabcdef\r\n0\r\n\r\n" + SMUGGLED,
        asked("GET", "/u/x", "X: y\nTransfer-Encoding: chunked") + SMUGGLED,
        asked("GET", "/u/x") + SMUGGLED,
        b"GET /u/x HTTP/1.1\n\n" + SMUGGLED,
        b"GET /u/x\r\n\r\n" + SMUGGLED,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + SMUGGLED,
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc" + SMUGGLED,
        b"\r\n\r\n\r\n" + SMUGGLED,
        b"GET  /u/x HTTP/1.1\r\n\r\n" + SMUGGLED,
        asked("GET", "/u/x", "Upgrade: h2c", "Connection: Upgrade, HTTP2-Settings") + SMUGGLED,
        asked("GET", "/u/x", *["A: b"] * 200) + SMUGGLED,
        asked("GET", "/u/" + "x" * 20_000) + SMUGGLED,
        asked("GET", "/u/x", "A: " + "b" * 20_000) + SMUGGLED,
    ],
)
def test_no_second_request_hides_in_a_first_one(site, request_):
    transport = site.send(request_)
    assert not site.known.written()
    assert len(statuses(transport)) <= 1
    assert transport.disconnecting or not transport.value()


def test_a_request_that_is_none_is_400_and_tells_nothing(site):
    transport = site.send(asked("POST", "/u/x", "Content-Length: 3", body=b"abc"))
    assert transport.value() == b"HTTP/1.1 400 Bad Request\r\n\r\n"
    assert transport.disconnecting


@settings(max_examples=300)
@given(st.binary(max_size=400))
def test_no_octets_are_an_error(data):
    one = Site()
    for octets in (data, b"GET " + data, POST[:60] + data, CHUNKED[:120] + data):
        protocol, transport = one.connect()
        protocol.dataReceived(octets)
        if not transport.disconnecting:
            one.clock.advance(WHOLE_REQUEST)
            assert transport.disconnecting


def test_a_body_is_kept_up_to_its_bound_and_cut_off_far_behind_it(site):
    assert statuses(site.send(asked("POST", f"/u/{RIGHT}", FORM, body=ONE_CLICK + b"&" * MOST_BODY))) == [413]
    assert statuses(site.send(asked("POST", f"/u/{RIGHT}", FORM, body=b"&" * 89_000))) == [413]
    protocol, transport = site.connect()
    protocol.dataReceived(asked("POST", f"/u/{RIGHT}", FORM, "Content-Length: 100000000"))
    sent = 0
    while not transport.aborted:
        protocol.dataReceived(b"x" * 8_000)
        sent += 8_000
    assert sent < 100_000
    assert not transport.value()
    assert not site.known.written()


@pytest.mark.parametrize("start", [b"", b"GET /u/", POST.removesuffix(ONE_CLICK), CHUNKED[:-10]])
def test_a_request_that_drips_is_cut_off(site, start):
    protocol, transport = site.connect()
    protocol.dataReceived(start)
    waited = 0.0
    while not transport.aborted:
        protocol.dataReceived(b"a" if b"\r\n\r\n" not in start else b"")
        site.clock.advance(1.0)
        waited += 1.0
        assert waited <= WHOLE_REQUEST
    assert not transport.value()


def test_an_answer_that_takes_too_long_is_503_and_the_connection_goes_on_its_way(site):
    transport = site.send(asked("GET", f"/u/{SLOW}"))
    site.clock.advance(WHOLE_ANSWER - 0.1)
    assert not transport.value()
    site.clock.advance(0.1)
    assert statuses(transport) == [503]
    assert transport.disconnecting


def test_an_error_in_ourselves_is_500_and_logged(site, caplog):
    from twisted.logger import globalLogPublisher

    seen = []
    globalLogPublisher.addObserver(seen.append)
    try:
        transport = site.send(asked("GET", f"/u/{BROKEN}"))
    finally:
        globalLogPublisher.removeObserver(seen.append)
    assert statuses(transport) == [500]
    assert b"ZeroDivisionError" not in transport.value()
    failures = [event["log_failure"].type for event in seen if "log_failure" in event]
    assert failures == [ZeroDivisionError]


def test_a_client_that_goes_away_meanwhile_is_no_error(site):
    protocol, transport = site.connect()
    protocol.dataReceived(asked("GET", f"/u/{SLOW}"))
    protocol.connectionLost(Failure(ConnectionDone()))
    site.clock.advance(WHOLE_ANSWER * 2)
    assert not transport.value()
    assert not site.factory.connections
    assert not [call for call in site.clock.getDelayedCalls() if call.active()]


def test_only_a_proxy_may_send_several_requests_on_a_connection(site):
    assert len(statuses(site.send(POST + POST))) == 1
    protocol, transport = site.connect("127.0.0.1")
    protocol.dataReceived(POST + asked("GET", f"/u/{RIGHT}"))
    protocol.dataReceived(asked("GET", f"/u/{WRONG}"))
    assert statuses(transport) == [200, 200, 200]
    assert not transport.disconnecting
    site.clock.advance(WHOLE_REQUEST * 2)  # idle is no request that drips
    assert not transport.disconnecting
    protocol.dataReceived(b"GET /u")
    site.clock.advance(WHOLE_REQUEST)
    assert transport.aborted


def test_a_proxys_connection_on_which_nothing_comes_is_closed(site):
    protocol, transport = site.connect("127.0.0.1")
    protocol.dataReceived(POST)
    site.clock.advance(IDLE)
    assert transport.disconnecting
    assert not transport.aborted
    site.clock.advance(IDLE)
    assert transport.aborted


def test_a_client_that_does_not_read_its_answer_is_cut_off(site):
    transport = site.send(POST)
    assert transport.disconnecting
    assert not transport.aborted
    site.clock.advance(60.0)
    assert transport.aborted


def test_a_peer_on_a_unix_socket_is_a_proxy(site):
    protocol, transport = site.connect(address=UNIXAddress(None))
    protocol.dataReceived(POST + POST)
    assert statuses(transport) == [200, 200]


def test_connections_are_bounded_in_all_and_by_client(site):
    mine = [site.connect("192.0.2.1") for _ in range(MOST_OF_ONE)]
    assert not [transport for _, transport in mine if transport.disconnecting]
    assert site.connect("192.0.2.1")[1].aborted
    protocol, _ = mine[0]
    protocol.connectionLost(Failure(ConnectionAborted()))
    others = 0
    while site.connect(f"198.51.100.{others}")[0] is not None:
        others += 1
    assert len(site.factory.connections) == MOST_CONNECTIONS
    assert others > MOST_CONNECTIONS - MOST_OF_ONE - 2


def test_a_connection_that_has_ended_counts_no_more(site):
    for _ in range(3 * MOST_CONNECTIONS):
        protocol, transport = site.connect()
        protocol.dataReceived(POST)
        assert statuses(transport) == [200]
        protocol.connectionLost(Failure(ConnectionDone()))
    assert not site.factory.connections
    assert not site.factory._by_client
    assert not [call for call in site.clock.getDelayedCalls() if call.active()]


def test_the_bounds_leave_descriptors_for_the_rest():
    assert channel.MOST_CONNECTIONS <= 128


@pytest.mark.parametrize(
    "target", [f"http://mail.example.com/u/{RIGHT}", f"HTTPS://mail.example.com:443/u/{RIGHT}?x=y"]
)
def test_a_target_in_absolute_form_is_taken(site, target):
    """RFC 9112 3.2.2: a server must."""
    assert site.send(asked("GET", target)).value().startswith(b"HTTP/1.1 200 ")
    assert b"<button" in site.send(asked("GET", target)).value()


@pytest.mark.parametrize("target", ["http://mail.example.com", "http://mail.example.com?x", "*", f"ftp://x/u/{RIGHT}"])
def test_a_target_without_a_path_of_ours_is_not_found(site, target):
    assert site.send(asked("GET", target)).value().startswith(b"HTTP/1.1 404 ")
