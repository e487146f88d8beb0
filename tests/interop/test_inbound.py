"""What comes back, with other programs on the other side: Postfix as the client, rspamd and clamd behind."""

from __future__ import annotations

import contextlib
import os
import signal
import smtplib
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.interop import scanners, servers
from tests.ports import free_port

LETTER = b"From: a@b.example\r\nTo: anna@in.example.com\r\nSubject: x\r\n"


@pytest.fixture
def start(world: Any, until: Callable[..., Any]) -> Callable[..., int]:
    """Start a service that takes mail in, with these settings; its port."""

    def start(**inbound: Any) -> int:
        port = free_port()
        given = {"listen": [f"127.0.0.1:{port}"], "domains": ["in.example.com"], **inbound}
        world.settings(port=25, inbound=given, dns={"must_exist": []})
        running = world.start("--settings", "bulkmail.yaml")

        def greets() -> bool:
            assert running.process.poll() is None, running.said()
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 10) as one:
                return one.recv(3) == b"220"
            return False

        until(greets, "a greeting")
        return port

    return start


@pytest.fixture
def scanner(missing: Callable[[str], None], until: Callable[..., Any]) -> Iterator[Callable[[Any], scanners.Scanner]]:
    """``scanner(scanners.rspamd)``: one that runs, or a skip."""
    with contextlib.ExitStack() as ending:

        def start(which: Any) -> scanners.Scanner:
            found = scanners.Scanner(0, Path(), 0)
            try:
                found = ending.enter_context(which())
            except servers.Missing as reason:
                missing(str(reason))
            name = which.__name__
            until(lambda: scanners.answers(found.port, scanners.PINGS[name]), f"{name} to be ready")
            return found

        yield start


def sent(port: int, text: bytes, to: str = "anna@in.example.com") -> tuple[int, bytes]:
    """The reply to a message."""
    with smtplib.SMTP("127.0.0.1", port, timeout=120) as client:
        client.ehlo("client.example")
        client.mail("a@b.example")
        assert client.rcpt(to)[0] == 250
        return client.data(text)


def test_rspamd_says_what_becomes_of_mail_for_people(start: Any, scanner: Any, world: Any) -> None:
    scanning, log, _ = scanner(scanners.rspamd)
    port = start(forward={"maildir": "./inbox"}, filter={"rspamd": f"http://127.0.0.1:{scanning}"})
    inbox = world.folder / "inbox" / "new"
    assert sent(port, LETTER + b"\r\nhello\r\n")[0] == 250
    (clean,) = inbox.iterdir()
    assert b"X-Spam" not in clean.read_bytes()
    clean.unlink()
    assert sent(port, LETTER + b"X-Points: 7.5\r\n\r\nhello\r\n")[0] == 250
    (marked,) = inbox.iterdir()
    assert b"\r\nX-Spam: Yes\r\nX-Spam-Score: 7.50\r\nFrom: a@b.example\r\n" in marked.read_bytes()
    assert sent(port, LETTER + b"X-Points: 4.5\r\n\r\nhello\r\n")[0] == 250  # greylist: it is left to others
    assert len([path for path in inbox.iterdir() if b"X-Spam" not in path.read_bytes()]) == 1
    big = LETTER + b"X-Points: 7.5\r\n\r\n" + (b"x" * 998 + b"\r\n") * 20_000
    assert sent(port, big)[0] == 250
    assert max(path.stat().st_size for path in inbox.iterdir()) > 20_000_000
    assert sent(port, LETTER + b"X-Points: 20\r\n\r\nhello\r\n") == (550, b"5.7.1 The message looks like spam")
    assert sent(port, LETTER + b"X-Soft: yes\r\n\r\nhello\r\n")[0] == 451
    assert sent(port, b"") == (554, b"5.6.0 The message is empty")
    assert len(list(inbox.iterdir())) == 3
    told = "POINTS(20.00){127.0.0.1;a@b.example;anna@in.example.com;client.example;}"
    assert told in log.read_text("utf-8")
    report = LETTER + b"X-Points: 20\r\n\r\na letter of ours that looks like spam\r\n"
    assert sent(port, report, "bounces+token@in.example.com")[0] == 250


def test_clamd_says_what_becomes_of_mail_for_people(start: Any, scanner: Any, world: Any) -> None:
    scanning, *_ = scanner(scanners.clamd)
    port = start(forward={"maildir": "./inbox"}, filter={"clamd": f"127.0.0.1:{scanning}"})
    assert sent(port, LETTER + b"\r\n" + b"hello\r\n" * 50_000)[0] == 250
    assert sent(port, LETTER + b"\r\n" + scanners.VIRUS + b"\r\n") == (550, b"5.7.1 The message holds a virus")
    too_large = LETTER + b"\r\n" + b"hello\r\n" * 1_000_000
    assert sent(port, too_large) == (552, b"5.3.4 The message is too large to be looked at")
    assert len(list((world.folder / "inbox" / "new").iterdir())) == 1
    assert sent(port, LETTER + b"\r\n" + scanners.VIRUS + b"\r\n", "bounces+token@in.example.com")[0] == 250


def test_a_filter_that_is_down_is_a_451(start: Any, world: Any) -> None:
    port = start(forward={"maildir": "./inbox"}, filter={"rspamd": "http://127.0.0.1:9", "clamd": "127.0.0.1:9"})
    assert sent(port, LETTER + b"\r\nhello\r\n")[:1] == (451,)
    assert list((world.folder / "inbox" / "new").iterdir()) == []


@pytest.mark.parametrize("name", ["rspamd", "clamd"])
def test_a_filter_that_hangs_is_a_451_and_is_asked_again_when_it_goes_on(
    start: Any, scanner: Any, world: Any, until: Callable[..., Any], name: str
) -> None:
    """The processes of the real one are stopped: it accepts, and says nothing."""
    found = scanner(getattr(scanners, name))
    address = {"rspamd": f"http://127.0.0.1:{found.port}", "clamd": f"127.0.0.1:{found.port}"}[name]
    port = start(forward={"maildir": "./inbox"}, filter={name: address}, timeouts={"store": "2s"})
    os.killpg(found.group, signal.SIGSTOP)
    try:
        assert sent(port, LETTER + b"\r\nhello\r\n")[:1] == (451,)
        assert list((world.folder / "inbox" / "new").iterdir()) == []
    finally:
        os.killpg(found.group, signal.SIGCONT)
    until(lambda: sent(port, LETTER + b"\r\nhello\r\n")[0] == 250, "a verdict in time")
    assert len(list((world.folder / "inbox" / "new").iterdir())) == 1


@pytest.mark.parametrize("name", ["rspamd", "clamd"])
def test_a_filter_that_ends_while_mail_comes_is_a_451(start: Any, scanner: Any, world: Any, name: str) -> None:
    """rspamd has been asked on the same connection before."""
    found = scanner(getattr(scanners, name))
    address = {"rspamd": f"http://127.0.0.1:{found.port}", "clamd": f"127.0.0.1:{found.port}"}[name]
    port = start(forward={"maildir": "./inbox"}, filter={name: address})
    assert sent(port, LETTER + b"\r\nhello\r\n")[0] == 250
    os.killpg(found.group, signal.SIGKILL)
    assert sent(port, LETTER + b"\r\nhello\r\n")[:1] == (451,)
    assert len(list((world.folder / "inbox" / "new").iterdir())) == 1


def test_postfix_brings_its_bounces_and_all_recipients_of_one_message(
    start: Any, world: Any, until: Callable[..., Any], missing: Callable[[str], None], tmp_path: Path
) -> None:
    """It pipelines, asks for TLS, and sends again what got a 452 because its purpose was another one."""
    servers.write_certificate(tmp_path)
    tls = {"certificate": str(tmp_path / "cert.pem"), "key": str(tmp_path / "key.pem")}
    port = start(forward={"maildir": "./inbox"}, tls=tls)
    more = (
        f"transport_maps = static:smtp:[127.0.0.1]:{port}\nsmtp_tls_security_level = encrypt\n"
        "minimal_backoff_time = 1s\nmaximal_backoff_time = 2s\nqueue_run_delay = 1s\n"
        "smtp_connection_cache_on_demand = no\n"
    )
    unread = world.folder / "spool" / "inbound" / "unread"
    inbox = world.folder / "inbox" / "new"
    try:
        with servers.postfix(connections=10, messages=0, more=more, services="smtp unix - - n - - smtp\n") as postfix:
            with smtplib.SMTP("127.0.0.1", postfix.port, timeout=120) as client:
                client.sendmail("bounces+letter@in.example.com", ["anna@gone.example"], LETTER + b"\r\nhello\r\n")
                to = ["unsubscribe+one@in.example.com", "unsubscribe+two@in.example.com", "anna@in.example.com"]
                client.sendmail("x@y.example", to, LETTER + b"\r\nhello\r\n")
            until(lambda: len(list(unread.iterdir())) >= 2 and len(list(inbox.iterdir())) == 1, "the three messages")
            log = postfix.log()
    except servers.Missing as reason:
        missing(str(reason))
    kept = [path.read_bytes() for path in unread.iterdir()]
    (bounce,) = [text for text in kept if b"Delivered-To: bounces+letter@in.example.com\r\n" in text]
    assert bounce.startswith(b"Return-Path: <>\r\n")
    assert b"with ESMTPS id" in bounce
    assert b"Status: 5.7.1" in bounce  # what we said to it: that domain is not ours
    assert any(b"unsubscribe+one@" in text and b"unsubscribe+two@" in text for text in kept)
    assert "status=sent (250 2.0.0 Ok: taken as" in log
