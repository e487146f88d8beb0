"""From the link in a delivered letter to the suppression that the next campaign finds, and back."""

from __future__ import annotations

import contextlib
import email
import email.policy
import http.client
import re
import signal
import smtplib
import socket
from pathlib import Path
from typing import Any

import pytest

from bulkmail.content import new_pem
from tests.ports import free_port

pytestmark = [pytest.mark.loopback, pytest.mark.process, pytest.mark.slow]

ONE_CLICK = "List-Unsubscribe=One-Click"
FORM = {"Content-Type": "application/x-www-form-urlencoded", "Connection": "close"}
DOMAIN = "bounces.example.com"
SENT = [f"user-{n}@d0.test" for n in range(4)]


@pytest.fixture
def port(world: Any, request: pytest.FixtureRequest) -> int:
    """The port of the page of a service that watches ``campaigns/`` and signs; its spool is a folder or PostgreSQL."""
    more: dict[str, Any] = {}
    if getattr(request, "param", "folder") == "postgres":
        more["spool"] = request.getfixturevalue("pg_server").fresh()
        more["machine"] = {"name": "one", "folder": "./one", "lease": "3s"}
    found: int = free_port()
    (world.folder / "campaigns").mkdir()
    (world.folder / "k.pem").write_bytes(new_pem("rsa"))
    (world.folder / "k.pem").chmod(0o600)
    world.start_mail(["127.0.1.1"])
    world.settings(
        dkim=[{"domain": "example.com", "selector": "s1", "key": "k.pem"}],
        public={"url": "https://mail.example.com", "listen": f"127.0.0.1:{found}", "name": "Example Shop"},
        **more,
    )
    return found


def links(kept: Path) -> dict[str, str]:
    """Recipient -> the path of the link in the header of what was delivered to it last."""
    found = {}
    for path in sorted(kept.iterdir(), key=lambda one: one.stat().st_mtime_ns):
        letter = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
        assert letter["List-Unsubscribe-Post"] == ONE_CLICK
        link = re.search(r"<https://mail\.example\.com(/u/[a-z2-7]{26})>", letter["List-Unsubscribe"])
        assert link is not None
        found[str(letter["To"])] = link[1]
    return found


def ask(port: int, method: str, path: str, body: str = "") -> tuple[int, str]:
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        connection.request(method, path, body or None, FORM)
        with connection.getresponse() as response:
            return response.status, response.read().decode()


def sent_to_end(world: Any, until: Any, name: str, more: str = "") -> Any:
    """A campaign of the list ``readers`` that was dropped and is finished."""
    aside = world.campaign(
        name, SENT, parent=world.folder / "aside", more="list: readers\nunsubscribe: built-in\n" + more
    )
    aside.folder.rename(world.folder / "campaigns" / name)
    campaign = type(aside)(world.folder / "campaigns" / name, SENT)
    status = campaign.folder / "STATUS.txt"
    until(lambda: status.exists() and status.read_text().startswith("finished"), f"{name} to be finished")
    return campaign


def told(campaign: Any) -> list[tuple[str, str, str]]:
    """What attempts.csv tells of what has come back: the address, the result, and how it came."""
    lines = [line for line in campaign.attempts() if line["result"] in ("unsubscribed", "resubscribed")]
    return [(line["email"], line["result"], line["reply"]) for line in lines]


@pytest.mark.parametrize("port", ["folder", "postgres"], indirect=True)
def test_a_click_takes_off_the_list_at_once_and_for_good_until_it_is_taken_back(
    world: Any, until: Any, port: int
) -> None:
    running = world.start("--watch", "campaigns")
    spring = sent_to_end(world, until, "spring")
    assert spring.statuses() == {"delivered": 4}
    link = links(world.server.kept)

    for method in ("GET", "HEAD", "GET"):  # whoever looks at links before people do
        assert ask(port, method, link[SENT[0]])[0] == 200
    page = ask(port, "GET", link[SENT[0]])[1]
    assert "Unsubscribe from “<bdi>readers</bdi>”?" in page
    assert "u…0@d0.test" in page
    assert "Example Shop" in page

    assert ask(port, "POST", link[SENT[1]], ONE_CLICK)[0] == 200
    assert ask(port, "POST", link[SENT[1]], ONE_CLICK)[0] == 200
    assert ask(port, "POST", link[SENT[2]], "action=leave")[0] == 200
    assert ask(port, "POST", link[SENT[3]], ONE_CLICK)[0] == 200
    assert "again" in ask(port, "POST", link[SENT[3]], "action=return")[1]
    assert "This link does not work" in ask(port, "POST", "/u/" + "a" * 26, ONE_CLICK)[1]

    running.process.send_signal(signal.SIGKILL)  # what was answered is on the disk
    running.process.wait()
    running = world.start("--watch", "campaigns")
    summer = sent_to_end(world, until, "summer")
    assert {row["email"]: (row["status"], row["category"]) for row in summer.rows()} == {
        SENT[0]: ("delivered", ""),
        SENT[1]: ("suppressed", "unsubscribed"),
        SENT[2]: ("suppressed", "unsubscribed"),
        SENT[3]: ("delivered", ""),
    }
    until(lambda: len(told(spring)) == 4, "the lines")
    assert told(spring) == [
        (SENT[1], "unsubscribed", "one-click"),
        (SENT[2], "unsubscribed", "page"),
        (SENT[3], "unsubscribed", "one-click"),
        (SENT[3], "resubscribed", "page"),
    ]
    until(lambda: sum(row["unsubscribed_at"] != "" for row in spring.rows()) == 2, "the report")
    assert [row["email"] for row in spring.rows() if row["unsubscribed_at"]] == SENT[1:3]
    assert spring.statuses() == {"delivered": 4}  # who has unsubscribed has read it

    removed = world.bulkmail("remove", "spring")
    assert removed.status == 0, removed.said
    page = ask(port, "GET", link[SENT[0]])[1]  # the campaign has left the spool, its links are as good as before
    assert "Unsubscribe from “<bdi>readers</bdi>”?" in page
    assert "d0.test" not in page
    assert "You are unsubscribed" in ask(port, "POST", link[SENT[0]], ONE_CLICK)[1]
    autumn = sent_to_end(world, until, "autumn")
    assert autumn.statuses() == {"suppressed": 3, "delivered": 1}
    running.process.terminate()
    assert running.wait().status == 3


def test_nobody_is_told_that_it_is_done_while_the_database_is_gone(
    world: Any, until: Any, own_pg_server: Any, port: int
) -> None:
    world.settings(
        dkim=[{"domain": "example.com", "selector": "s1", "key": "k.pem"}],
        public={"url": "https://mail.example.com", "listen": f"127.0.0.1:{port}"},
        spool=own_pg_server.fresh(),
        machine={"name": "one", "folder": "./one", "lease": "3s"},
    )
    running = world.start("--watch", "campaigns")
    spring = sent_to_end(world, until, "spring")
    link = links(world.server.kept)
    own_pg_server.stop()
    for method, body in (("GET", ""), ("POST", ONE_CLICK), ("POST", "action=leave")):
        assert ask(port, method, link[SENT[0]], body)[0] == 503
    own_pg_server.start()
    until(lambda: ask(port, "POST", link[SENT[0]], ONE_CLICK)[0] == 200, "the database to be used again")
    until(lambda: told(spring) == [(SENT[0], "unsubscribed", "one-click")], "the line")
    running.process.terminate()
    assert running.wait().status == 3


def test_a_mail_takes_off_the_list_too(world: Any, until: Any, port: int) -> None:
    inbound = free_port()
    world.settings(
        dkim=[{"domain": "example.com", "selector": "s1", "key": "k.pem"}],
        inbound={"domains": [DOMAIN], "listen": [f"127.0.0.1:{inbound}"], "hostname": DOMAIN},
    )
    running = world.start("--watch", "campaigns")
    spring = sent_to_end(world, until, "spring")
    tokens = {row["email"]: row["token"] for row in spring.rows()}
    letters = [
        (f"unsubscribe+{tokens[SENT[0]]}@{DOMAIN}", "Subject: anything\n\nhello\n"),
        (f"unsubscribe@{DOMAIN}", f"Subject: unsubscribe-{tokens[SENT[1]]}\n\n"),
        (f"unsubscribe+{tokens[SENT[2]]}@{DOMAIN}", "Auto-Submitted: auto-replied\nSubject: away\n\nI am away.\n"),
        (f"unsubscribe+{'a' * 26}@{DOMAIN}", "Subject: x\n\n"),
    ]
    with smtplib.SMTP("127.0.0.1", inbound, timeout=60) as client:
        for to, text in letters:
            client.sendmail("ann@example.org", [to], text)  # raises if it is not taken

    running.process.send_signal(signal.SIGKILL)  # what got its 250 is on the disk
    running.process.wait()
    world.start("--watch", "campaigns")
    summer = sent_to_end(world, until, "summer")
    assert {row["email"]: row["status"] for row in summer.rows()} == {
        SENT[0]: "suppressed",
        SENT[1]: "suppressed",
        SENT[2]: "delivered",
        SENT[3]: "delivered",
    }
    until(lambda: len([one for one in told(spring) if one[1] == "unsubscribed"]) == 2, "the lines")
    lines = [(email, how) for email, result, how in told(spring) if result == "unsubscribed"]
    assert lines == [(SENT[0], "mail"), (SENT[1], "mail")]
    (unread,) = (world.folder / "spool" / "inbound" / "unread").iterdir()
    assert b"a" * 26 in unread.read_bytes()


def test_a_test_messages_link_is_plainly_a_test(world: Any, port: int) -> None:
    world.start("--watch", "campaigns")
    world.campaign("spring", SENT, more="unsubscribe: built-in\n")
    ended = world.bulkmail("test", "spring", "--to", "user-me@d0.test")
    assert ended.status == 0, ended.said
    (kept,) = world.server.kept.iterdir()
    link = re.search(rb"<https://mail\.example\.com(/u/test-[a-z2-7]{26})>", kept.read_bytes())
    assert link is not None
    status, page = ask(port, "POST", link[1].decode(), ONE_CLICK)
    assert (status, "This link is from a test message: nothing is changed." in page) == (200, True)


def test_a_place_that_is_taken_is_refused_at_the_start(world: Any, port: int) -> None:
    with socket.create_server(("127.0.0.1", port)):
        ended = world.run("--watch", "campaigns")
    assert ended.status == 1
    assert f"public.listen: cannot listen on 127.0.0.1:{port}" in ended.said
