from __future__ import annotations

import asyncio
import contextlib

import pytest

from bulkmail.net import UnreachableError, web_page
from tests.net.authority import Authority

OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<p>\xc3\xa4</p>"


@pytest.fixture
def authority(tmp_path, monkeypatch):
    made = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(made.file))
    return made


def asked(context, answer=OK, *, form=None, within=20.0):
    """The answer of an https server on loopback, and what it heard."""
    heard = []

    async def serve(reader, writer):
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = next((int(line[15:]) for line in head.split("\r\n") if line.startswith("Content-Length:")), 0)
            heard.append(head + (await reader.readexactly(length)).decode())
            if answer is not None:
                writer.write(answer)
                await writer.drain()
                writer.close()

    async def run():
        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
        port = server.sockets[0].getsockname()[1]
        try:
            return await web_page("127.0.0.1", port, "u.example", "/u/t", within, form)
        finally:
            server.close()

    return asyncio.run(run()), heard


def test_a_page_is_asked_for(authority):
    found, (heard,) = asked(authority.server("u.example"))
    assert found.status == 200
    assert found.text.endswith("<p>ä</p>")
    assert heard.startswith("GET /u/t HTTP/1.1\r\nHost: u.example:")


def test_a_form_is_posted(authority):
    found, (heard,) = asked(
        authority.server("u.example"), b"HTTP/1.1 405 No\r\n\r\n", form="List-Unsubscribe=One-Click"
    )
    assert found.status == 405
    assert heard.startswith("POST /u/t HTTP/1.1\r\n")
    assert heard.endswith("Content-Length: 26\r\n\r\nList-Unsubscribe=One-Click")


def test_a_certificate_of_another_host_is_no_answer(authority):
    with pytest.raises(UnreachableError, match=r"its certificate is not valid for u\.example \(.*mismatch"):
        asked(authority.server("other.example"))


@pytest.mark.parametrize(
    ("answer", "words"), [(b"SSH-2.0-x\r\n", "something else than HTTP"), (b"", "something else than HTTP")]
)
def test_what_is_no_web_server(authority, answer, words):
    with pytest.raises(UnreachableError, match=words):
        asked(authority.server("u.example"), answer)


def test_one_that_says_nothing(authority):
    with pytest.raises(UnreachableError, match=r"no answer within 0\.5 s"):
        asked(authority.server("u.example"), None, within=0.5)


def test_an_answer_is_read_up_to_a_bound(authority):
    found, _ = asked(authority.server("u.example"), b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 3_000_000)
    assert 256_000 <= len(found.text) < 400_000
