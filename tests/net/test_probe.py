from __future__ import annotations

import asyncio

import pytest

from bulkmail.net import UnreachableError, greeting


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
        try:
            return await greeting("127.0.0.1", port, options.pop("within", 5.0), **options)
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
