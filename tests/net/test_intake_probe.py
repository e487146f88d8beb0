from __future__ import annotations

import asyncio
import contextlib
import datetime as dt

import pytest

from bulkmail.net import UnreachableError, intake
from tests.net.authority import NOW, Authority

OURS, OTHER = "bounces+abc@b.example", "x@elsewhere.example"


@pytest.fixture
def authority(tmp_path, monkeypatch):
    made = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(made.file))
    return made


def asked(context=None, *, greeting=b"220 in.example ESMTP\r\n", offers=b"STARTTLS", within=20.0):
    """The answer of a server on loopback that takes mail to b.example alone, and what it heard."""
    heard = []

    async def serve(reader, writer):
        with contextlib.suppress(OSError):
            await talk(reader, writer)
        writer.close()

    async def talk(reader, writer):
        writer.write(greeting)
        while line := await reader.readline():
            heard.append(line.decode().strip())
            verb = line[:4].upper()
            if verb == b"EHLO":
                writer.write(b"250-in.example\r\n" + (b"250-%b\r\n" % offers if context else b"") + b"250 8BITMIME\r\n")
            elif verb == b"STAR":
                writer.write(b"220 go ahead\r\n")
                await writer.drain()
                await writer.start_tls(context)
            elif verb == b"RCPT":
                writer.write(b"250 2.1.5 Ok\r\n" if b"@b.example>" in line else b"550-5.7.1 No\r\n550 5.7.1 relay\r\n")
            elif verb == b"QUIT":
                return
            else:
                writer.write(b"250 2.0.0 Ok\r\n")

    async def run():
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        try:
            return await intake("127.0.0.1", port, "in.example", [OURS, OTHER], within, hostname="mta.example")
        finally:
            server.close()

    return asyncio.run(run()), heard


def test_what_is_taken_is_asked_behind_tls_and_nothing_is_sent(authority):
    found, heard = asked(authority.server("in.example"))
    assert found.replies == ("250 2.1.5 Ok", "550 5.7.1 relay")
    assert (found.greeting, found.tls, found.certificate) == ("220 in.example ESMTP", True, "")
    assert found.expires == (NOW + dt.timedelta(days=20)).timestamp()
    assert heard == [
        "EHLO mta.example", "STARTTLS", "EHLO mta.example", "MAIL FROM:<>", f"RCPT TO:<{OURS}>", f"RCPT TO:<{OTHER}>",
        "QUIT",
    ]  # fmt: skip


def test_a_server_without_tls():
    found, _ = asked()
    assert (found.replies[0], found.tls, found.expires) == ("250 2.1.5 Ok", False, 0.0)


@pytest.mark.parametrize(
    ("host", "lasts", "words"),
    [("other.example", 20, "mismatch"), ("in.example", -1, "expired")],
)
def test_a_certificate_that_is_not_valid_is_told_with_all_the_rest(authority, host, lasts, words):
    found, _ = asked(authority.server(host, dt.timedelta(days=lasts)))
    assert words in found.certificate
    assert found.replies[0] == "250 2.1.5 Ok"
    assert found.expires == (NOW + dt.timedelta(days=lasts)).timestamp()


def test_one_that_nobody_known_has_signed(tmp_path):
    found, _ = asked(Authority(tmp_path).server("in.example"))
    assert found.certificate
    assert found.tls


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"greeting": b"554 go away\r\n"}, "it greets with '554 go away'"),
        ({"greeting": b"220-" + b"x" * 5000 + b"\r\n"}, "something else than SMTP"),
        ({"greeting": b"220-a\r\n" * 200}, "something else than SMTP"),
        ({"greeting": b"", "within": 0.3}, "no answer within 0.3 s"),
    ],
)
def test_who_is_no_mail_server(options, words):
    with pytest.raises(UnreachableError, match=words):
        asked(**options)


def test_nobody_there():
    async def run():
        server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        server.close()
        await server.wait_closed()
        await intake("127.0.0.1", port, "in.example", [OURS], 20.0)

    with pytest.raises(UnreachableError, match="connection refused"):
        asyncio.run(run())
