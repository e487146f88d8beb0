"""Against a real name server, and servers on loopback that speak what ours speak."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import threading

import pytest

from bulkmail.commands import inbound_checks as module
from bulkmail.commands.inbound_checks import inbound_checks, ways_back_findings
from bulkmail.commands.sender import with_lookup
from bulkmail.settings import load_settings
from tests.net.authority import Authority

HOST, DOMAIN, PAGE = "in.shop.test", "bounces.shop.test", "u.shop.test"
BUTTON = '<form method="post"><button name="action" value="leave">Unsubscribe</button></form>'


class Servers:
    """A mail and a web server, in an event loop of their own. ``relays``, ``refuses``, ``pages``: how they err."""

    def __init__(self):
        self.context = None  # of the mail server, None without TLS
        self.relays = self.refuses = False
        self.pages = {"GET": (200, BUTTON), "POST": (200, BUTTON)}
        self.heard = []
        self._servers = []
        ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._live(ready)))
        self._thread.start()
        ready.wait()

    async def _live(self, ready):
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        ready.set()
        await self._end.wait()
        for server in self._servers:
            server.close()

    def start(self, serve, ssl=None):
        """The port at which ``serve`` is called for each connection."""
        started = asyncio.run_coroutine_threadsafe(self._start(serve, ssl), self._loop)
        return started.result(30)

    async def _start(self, serve, ssl):
        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=ssl)
        self._servers.append(server)
        return server.sockets[0].getsockname()[1]

    def close(self):
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()

    async def mail(self, reader, writer):
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            writer.write(b"220 in.shop.test ESMTP\r\n")
            while line := await reader.readline():
                self.heard.append(line.decode().strip())
                verb = line[:4].upper()
                if verb == b"EHLO":
                    writer.write(
                        b"250-in.shop.test\r\n" + (b"250-STARTTLS\r\n" if self.context else b"") + b"250 SIZE\r\n"
                    )
                elif verb == b"STAR":
                    writer.write(b"220 2.0.0 Ready\r\n")
                    await writer.drain()
                    await writer.start_tls(self.context)
                elif verb == b"RCPT":
                    own = DOMAIN.encode() in line
                    good = not self.refuses if own else self.relays
                    writer.write(b"250 2.1.5 Ok\r\n" if good else b"550 5.7.1 Relaying denied\r\n")
                else:
                    writer.write(b"250 2.0.0 Ok\r\n")
        writer.close()

    async def web(self, reader, writer):
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            method = (await reader.readuntil(b"\r\n\r\n")).decode().split(" ")[0]
            status, text = self.pages[method]
            writer.write(f"HTTP/1.1 {status} X\r\nContent-Type: text/html\r\n\r\n{text}".encode())
            await writer.drain()
        writer.close()


@pytest.fixture
def servers():
    made = Servers()
    yield made
    made.close()


@pytest.fixture
def authority(tmp_path, monkeypatch):
    made = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(made.file))
    return made


@pytest.fixture
def examined(place, name_server, servers, monkeypatch):
    """``examined(settings)``: the lines, as ``result name: message``; the mail server is at the MX port at first."""
    server = name_server()
    server.zone.update({DOMAIN: {"MX": [f"10 {HOST}."]}, HOST: {"A": ["127.0.0.1"]}, PAGE: {"A": ["127.0.0.1"]}})
    port = servers.start(servers.mail)
    monkeypatch.setattr(module, "MX_PORT", port)

    def run(more=f"inbound: {{domains: [{DOMAIN}], hostname: {HOST}, listen: ['0.0.0.0:{port}']}}\n", *, connect=True):
        dns = f"dns: {{nameservers: ['{server.address}'], timeout: {server.patience}s, must_exist: []}}\n"
        (place / "bulkmail.yaml").write_text(dns + more)
        settings = load_settings(None, str(place))
        made = with_lookup(settings, lambda lookup: inbound_checks(settings, "mta1.shop.test", lookup, connect=connect))
        return [f"{check.result} {check.name}: {check.message}" for check in made]

    run.zone, run.place, run.port = server.zone, place, port
    return run


def test_all_is_well(examined, servers, authority):
    servers.context = authority.server(HOST)
    assert examined() == [
        f"ok inbound: {DOMAIN}: its mail comes to {HOST}",
        f"ok inbound: {HOST} (127.0.0.1 port {examined.port}) takes reports, and relays nothing",
        f"ok inbound: the certificate of {HOST} (127.0.0.1 port {examined.port}) is valid for 20 days",
    ]
    assert f"RCPT TO:<bounces+test-{'a' * 26}@{DOMAIN}>" in servers.heard
    assert "DATA" not in servers.heard


def test_nothing_is_looked_at_that_is_not_set(examined):
    assert examined("log: {level: info}\n") == []


def test_nothing_is_connected_to_where_that_is_not_wanted(examined, servers):
    assert examined(connect=False) == [f"ok inbound: {DOMAIN}: its mail comes to {HOST}"]
    assert servers.heard == []


def test_another_server_that_listens_there(examined, servers):
    servers.refuses = servers.relays = True
    first, refuses, relays, clear = examined()
    assert first.startswith("ok")
    assert refuses.startswith("error inbound: ")
    assert refuses.endswith(f"does not take mail to bounces+test-{'a' * 26}@{DOMAIN}: 550 5.7.1 Relaying denied")
    assert relays.endswith("takes mail to relay-test@example.com too, so it is an open relay")
    assert clear.startswith("warning inbound: ")
    assert clear.endswith("offers no TLS, and reports come in clear")


@pytest.mark.parametrize(
    ("host", "days", "expected"),
    [
        (HOST, 5, ("warning", "expires in 5 days")),
        (HOST, -3, ("error", "has expired 3 days ago")),
        ("other.test", 20, ("warning", "is not valid for its name")),
    ],
)
def test_its_certificate(examined, servers, authority, host, days, expected):
    servers.context = authority.server(host, dt.timedelta(days=days, hours=1 if days > 0 else 0))
    *_, last = examined()
    result, words = expected
    assert last.startswith(f"{result} inbound: the certificate of {HOST}")
    assert words in last


def test_who_cannot_be_reached_as_others_do_is_asked_from_within(examined, monkeypatch, servers):
    monkeypatch.setattr(module, "MX_PORT", 1)
    *_, last = examined()
    assert last == (
        "warning inbound: it answers here alone; others cannot reach it, or this machine not as they do: "
        f"{HOST} (127.0.0.1 port 1): connection refused"
    )
    assert servers.heard


def test_nobody_there(examined, monkeypatch):
    monkeypatch.setattr(module, "MX_PORT", 1)
    listen = f"inbound: {{domains: [{DOMAIN}], hostname: {HOST}, listen: ['127.0.0.1:1', '[::1]:1']}}\n"
    assert examined(listen)[-1].startswith("unknown inbound: nothing answers, and the service does not run: ")
    monkeypatch.setattr(module, "in_use", lambda _: "123")
    assert examined(listen)[-1].startswith(f"error inbound: nothing answers: {HOST} (127.0.0.1 port 1): connection ref")
    (_, last) = examined(f"inbound: {{domains: [{DOMAIN}], hostname: {HOST}}}\n")
    assert last == f"error inbound: nothing answers: {HOST} (127.0.0.1 port 1): connection refused"
    (_, last) = examined(f"inbound: {{domains: [{DOMAIN}], hostname: gone.test}}\n")
    assert last == "error inbound: nothing answers: gone.test has no address"


def test_the_page(examined, servers, authority):
    port = servers.start(servers.web, authority.server(PAGE))
    settings = f"public: {{url: 'https://{PAGE}:{port}'}}\n"
    assert examined(settings) == [f"ok public: https://{PAGE}:{port} shows the page, and takes one click"]
    servers.pages["POST"] = 405, "no"
    assert examined(settings) == [
        f"error public: https://{PAGE}:{port} (127.0.0.1) does not answer one click as the service does: status 405"
    ]
    servers.pages["GET"] = 200, "Welcome to nginx"
    assert examined(settings) == [
        f"error public: https://{PAGE}:{port} (127.0.0.1) does not answer the page as the service does: status 200"
    ]


def test_a_campaign_is_told_of_a_page_that_does_not_answer_while_the_service_runs(
    examined, servers, authority, monkeypatch
):
    port = servers.start(servers.web, authority.server(PAGE))
    examined(f"public: {{url: 'https://{PAGE}:{port}'}}\n", connect=False)
    settings = load_settings(None, str(examined.place))
    content = {"unsubscribe": {"url": f"https://{PAGE}:{port}/u/{{{{ token }}}}", "mailto": None}}
    servers.pages["POST"] = 404, "no"
    assert ways_back_findings(content, settings) == [], "nobody serves it yet"
    monkeypatch.setattr(module, "in_use", lambda _: "123")
    (finding,) = ways_back_findings(content, settings)
    assert (finding.code, str(finding.severity)) == ("unsubscribe-page-no-answer", "warning")
    assert "does not answer one click as the service does: status 404" in finding.message
    for other in (None, {"url": "https://own.test/u/{{ token }}", "mailto": None}, {"url": None, "mailto": "a@b.test"}):
        assert ways_back_findings({"unsubscribe": other}, settings) == []
    servers.pages["POST"] = 200, BUTTON
    assert ways_back_findings(content, settings) == []


def test_a_campaign_is_told_of_an_inbound_server_that_does_not_take_reports_while_the_service_runs(
    examined, servers, authority, monkeypatch
):
    servers.context, servers.refuses = authority.server(HOST, dt.timedelta(days=5)), True
    examined(connect=False)
    settings = load_settings(None, str(examined.place))
    content = {"unsubscribe": None, "inbound": DOMAIN}
    assert ways_back_findings(content, settings) == []
    monkeypatch.setattr(module, "in_use", lambda _: "123")
    (finding,) = ways_back_findings(content, settings)
    assert (finding.code, str(finding.severity), finding.where) == ("inbound-server-wrong", "warning", DOMAIN)
    assert finding.message.endswith("550 5.7.1 Relaying denied")
    assert ways_back_findings({"unsubscribe": None}, settings) == [], "nothing of it comes back here"
    servers.refuses = False
    assert ways_back_findings(content, settings) == [], "that it expires soon is for doctor to say"


def test_a_page_that_is_not_there(examined, servers, authority):
    port = servers.start(servers.web, authority.server("other.test"))
    (line,) = examined(f"public: {{url: 'https://{PAGE}:{port}'}}\n")
    assert "does not answer: its certificate is not valid for u.shop.test" in line
    (line,) = examined(f"public: {{url: 'https://{PAGE}:1'}}\n")
    assert line == f"error public: https://{PAGE}:1 (127.0.0.1) does not answer: connection refused"
    (line,) = examined("public: {url: 'https://gone.test'}\n")
    assert line == "error public: gone.test has no address, so nobody can unsubscribe"
