"""From the link in a delivered letter to the suppression that the next campaign finds, and back."""

from __future__ import annotations

import contextlib
import email
import email.policy
import http.client
import re
import signal
import socket
from pathlib import Path
from typing import Any

import pytest

from bulkmail.content import new_pem

pytestmark = [pytest.mark.loopback, pytest.mark.process, pytest.mark.slow]

ONE_CLICK = "List-Unsubscribe=One-Click"
FORM = {"Content-Type": "application/x-www-form-urlencoded", "Connection": "close"}
SENT = [f"user-{n}@d0.test" for n in range(4)]


@pytest.fixture
def port(world: Any) -> int:
    """The port of the page of a service that watches ``campaigns/`` and signs."""
    with socket.create_server(("127.0.0.1", 0)) as one:
        found: int = one.getsockname()[1]
    (world.folder / "campaigns").mkdir()
    (world.folder / "k.pem").write_bytes(new_pem("rsa"))
    (world.folder / "k.pem").chmod(0o600)
    world.start_mail(["127.0.1.1"])
    world.settings(
        dkim=[{"domain": "example.com", "selector": "s1", "key": "k.pem"}],
        public={"url": "https://mail.example.com", "listen": f"127.0.0.1:{found}", "name": "Example Shop"},
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
    until(lambda: status.exists() and status.read_text().startswith("finished"), f"{name} to be finished", 90.0)
    return campaign


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
    lines = [line for line in spring.attempts() if "subscribed" in line["result"]]
    until(lambda: len([line for line in spring.attempts() if "subscribed" in line["result"]]) == 4, "the lines")
    lines = [line for line in spring.attempts() if "subscribed" in line["result"]]
    assert [(line["email"], line["result"], line["reply"]) for line in lines] == [
        (SENT[1], "unsubscribed", "one-click"),
        (SENT[2], "unsubscribed", "page"),
        (SENT[3], "unsubscribed", "one-click"),
        (SENT[3], "resubscribed", "page"),
    ]

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
