"""Against a real HTTPS server on loopback, with certificates of an authority of our own."""

from __future__ import annotations

import asyncio
import datetime as dt
import socket

import pytest

from bulkmail.routing import policy_fetch
from bulkmail.routing.policy_fetch import NoPolicyError, fetch
from tests.net.authority import Authority
from tests.policyhost import WHOLE, PolicyHost, answer

pytestmark = pytest.mark.loopback

HOST = "mta-sts.shop.test"
CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: Text/Plain; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n"

START, REST = WHOLE[:5].encode(), WHOLE[5:].encode()


@pytest.fixture
def authority(tmp_path, monkeypatch):
    made = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(made.file))
    policy_fetch._context.cache_clear()
    yield made
    policy_fetch._context.cache_clear()


@pytest.fixture
def serve(authority):
    running = []

    def start(says=None, host=HOST, **lasts):
        running.append(PolicyHost(authority.server(host, **lasts), says))
        return running[-1]

    yield start
    for one in running:
        one.close()


def fetched(server, *addresses):
    return asyncio.run(fetch(HOST, addresses or ["127.0.0.1"], server.port))


@pytest.mark.parametrize(
    "says",
    [
        answer(),
        answer(media="TEXT/plain; charset=us-ascii"),
        answer() + b"more than it said",
        b"HTTP/1.0 200\r\nContent-type: text/plain\r\n\r\n" + WHOLE.encode(),
        CHUNKED + b"5\r\n%b\r\n%x;a=b\r\n%b\r\n0\r\n\r\n" % (START, len(REST), REST),
    ],
)
def test_a_policy_however_its_end_is_told(serve, says):
    server = serve(says)
    assert fetched(server) == WHOLE
    assert server.asked[0].startswith(f"GET /.well-known/mta-sts.txt HTTP/1.1\r\nHost: {HOST}:{server.port}\r\n")


@pytest.mark.parametrize(
    ("says", "words"),
    [
        (answer(status="404 Not Found"), "HTTP status 404"),
        (answer(status="301 Moved", more="Location: /elsewhere\r\n"), "HTTP status 301"),
        (answer(media="text/html"), "its media type is 'text/html', not text/plain"),
        (answer("x" * 65537), "longer than 65536 bytes"),
        (CHUNKED + b"fffff\r\n", "longer than 65536 bytes"),
        (CHUNKED + b"-1\r\n", "is not HTTP"),
        (CHUNKED + b"zz\r\n", "is not HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n" + b"x" * 70000, "longer than 65536 bytes"),
        (answer()[:-4], "ends too early"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 20000 + b"\r\n\r\n", "is not HTTP"),
        (b"SSH-2.0-hello\r\n\r\n", "is not HTTP"),
        (b"", "ends too early"),
        (CHUNKED.replace(b"chunked", b"gzip") + b"\xff\xfe", "is not HTTP"),
    ],
)
def test_what_is_no_policy(serve, says, words):
    with pytest.raises(NoPolicyError, match=words):
        fetched(serve(says))


@pytest.mark.parametrize(
    ("host", "lasts", "words"),
    [
        ("shop.test", dt.timedelta(days=9), f"not valid for {HOST} .Hostname mismatch"),
        (HOST, dt.timedelta(days=-9), f"not valid for {HOST} .certificate has expired"),
    ],
)
def test_a_host_without_a_valid_certificate_is_not_asked(serve, host, lasts, words):
    server = serve(answer(), host, lasts=lasts)
    with pytest.raises(NoPolicyError, match=words):
        fetched(server)
    assert (server.handshakes, server.asked) == (1, [])


def test_an_authority_that_nobody_trusts(serve, monkeypatch):
    server = serve(answer())
    monkeypatch.setenv("SSL_CERT_FILE", "/dev/null")
    policy_fetch._context.cache_clear()
    with pytest.raises(NoPolicyError, match=r"self-signed certificate|unable to get local issuer"):
        fetched(server)
    assert server.asked == []


def test_an_address_that_refuses_leaves_the_next_one(serve):
    server = serve(answer())
    assert fetched(server, "127.0.0.77", "127.0.0.1") == WHOLE
    with pytest.raises(NoPolicyError, match=r"127\.0\.0\.77: connection refused"):
        fetched(server, "127.0.0.77")


def test_an_address_that_takes_the_connection_and_says_nothing(monkeypatch):
    monkeypatch.setattr(policy_fetch, "_CONNECT", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as mute, pytest.raises(NoPolicyError, match=r"within 0\.2 s"):
        asyncio.run(fetch(HOST, ["127.0.0.1"], mute.getsockname()[1]))


def test_no_address_at_all():
    with pytest.raises(NoPolicyError, match="it has no address"):
        asyncio.run(fetch(HOST, []))
