from __future__ import annotations

import asyncio

import pytest

from bulkmail.net import Proxy, UnreachableError, greeting
from bulkmail.net.proxying import header


def asked(behave, **options):
    """The greeting of a server on loopback that does ``behave(reader, writer)``, and what it heard."""
    heard = []

    async def run():
        ended = asyncio.Event()

        async def serve(reader, writer):
            try:
                await behave(reader, writer)
                heard.append(await reader.read())
                writer.close()
            finally:
                ended.set()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        protocol = options.pop("through", "")
        to = ("192.0.2.25", 25) if protocol else ("127.0.0.1", port)
        if protocol:
            options["proxy"] = Proxy(protocol, "127.0.0.1", port)
        try:
            return await greeting(*to, options.pop("within", 5.0), **options)
        finally:
            await asyncio.wait_for(ended.wait(), 30)
            server.close()

    found = asyncio.run(run())
    return found, heard


def saying(text):
    async def behave(_reader, writer):
        writer.write(text)
        await writer.drain()

    return behave


def test_a_server_greets_and_is_left():
    assert asked(saying(b"220 mx.test ESMTP\r\n")) == ("220 mx.test ESMTP", [b"QUIT\r\n"])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"554 5.7.1 go away\r\n", "it greets with '554 5.7.1 go away'"),
        (b"x" * 5000 + b"\n", "it does not greet with one line"),
    ],
)
def test_what_is_no_greeting(text, words):
    with pytest.raises(UnreachableError, match=words):
        asked(saying(text))


def test_a_server_that_is_silent():
    with pytest.raises(UnreachableError, match=r"no answer within 0\.1 s"):
        asked(saying(b""), within=0.1)
    assert asked(saying(b""), silent=True)[0] == ""


def test_nobody_listens():
    with pytest.raises(UnreachableError, match="connection refused"):
        asyncio.run(greeting("127.0.0.1", 1, 5.0))


def socks(answer, then=b""):
    """A SOCKS proxy that gives this answer, and says this behind it in the same write."""

    async def behave(reader, writer):
        assert await reader.readexactly(3) == b"\x05\x01\x00"
        writer.write(b"\x05\x00")
        assert await reader.readexactly(10) == b"\x05\x01\x00\x01\xc0\x00\x02\x19\x00\x19"
        writer.write(answer + then)
        await writer.drain()

    return behave


CONNECTED = b"\x05\x00\x00\x01" + bytes(6)


def test_a_socks_proxy_is_asked_to_connect():
    said = (b"220 mx.test ESMTP\r\n", b"220 mx")
    assert asked(socks(CONNECTED, said[0]), through="socks5") == ("220 mx.test ESMTP", [b"QUIT\r\n"])

    async def slowly(reader, writer):
        await socks(CONNECTED, said[1])(reader, writer)
        writer.write(b".test\r\n")
        await writer.drain()

    assert asked(slowly, through="socks5")[0] == "220 mx.test"


def test_a_proxy_of_haproxy_is_told_the_source():
    async def behave(reader, writer):
        assert await reader.readexactly(28) == header("192.0.2.10", "192.0.2.25", 25)
        await saying(b"220 mx.test\r\n")(reader, writer)

    assert asked(behave, through="haproxy", source_ip="192.0.2.10")[0] == "220 mx.test"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"\x05\x05\x00\x01" + bytes(6), r"connection refused \(told by the proxy socks5://127"),
        (b"\x05\x02\x00\x01" + bytes(6), r"the proxy socks5://127.0.0.1:\d+: SOCKS 5 answer 2"),
    ],
)
def test_what_a_proxy_tells_is_told(answer, words):
    with pytest.raises(UnreachableError, match=words):
        asked(socks(answer), through="socks5")
