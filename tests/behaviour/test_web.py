"""The operator's page of a running service, by what a browser without scripts sends."""

from __future__ import annotations

import http.client
import re
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest

from bulkmail.web import Role, User, hash_password, write_users
from tests.ports import free_port

pytestmark = pytest.mark.loopback


class Browser:
    """Keeps the cookie, as a browser does."""

    def __init__(self, port: int) -> None:
        self.port, self.cookie = port, ""

    def ask(self, path: str, **form: str) -> tuple[int, str, str]:
        """The status, where it sends us on, and the page."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Cookie": self.cookie}
        connection.request("POST" if form else "GET", path, urlencode(form) if form else None, headers)
        answer = connection.getresponse()
        text = answer.read().decode("utf-8")
        self.cookie = (answer.getheader("Set-Cookie") or self.cookie).partition(";")[0]
        connection.close()
        return answer.status, answer.getheader("Location") or "", text


def test_a_campaign_is_looked_at_and_steered_by_the_page(world: Any, until: Any) -> None:
    port = free_port()
    world.settings(web={"listen": f"127.0.0.1:{port}"})
    kept = hash_password("correct horse", b"s" * 16)
    write_users(str(world.folder / "web-users"), {"ann": User("ann", Role.STEER, kept)})
    later = (datetime.now(UTC) + timedelta(days=2)).isoformat(timespec="seconds")
    schedule = f"schedule: {{not_before: {later}}}\n"
    campaign = world.campaign("spring", ["user-1@d1.test", "user-2@d2.test"], more=schedule)
    running = world.start("-c", "spring")
    browser = Browser(port)

    def served() -> bool:
        assert running.process.poll() is None, running.said()
        try:
            return bool(browser.ask("/login")[0] == 200)
        except ConnectionRefusedError:
            return False

    until(served, "the page", every=0.1)
    assert browser.ask("/")[:2] == (303, "/login")
    assert browser.ask("/login", name="ann", password="correct horse")[:2] == (303, "/")

    def read() -> bool:
        page = browser.ask("/campaigns/spring")[2]
        return ">scheduled<" in page and ">2 rows" in page

    until(read, "the campaign", every=0.1)
    assert ">spring</bdi>" in browser.ask("/")[2]
    assert "pending" in browser.ask("/recipients?email=user-1@d1.test")[2]
    token = re.search(r'name="token" value="(\w+)"', browser.ask("/campaigns/spring/cancel")[2])
    assert token is not None
    assert browser.ask("/campaigns/spring/cancel", token="0" * 64)[0] == 403
    done = browser.ask("/campaigns/spring/cancel", token=token[1], reason="wrong price")
    assert done[:2] == (303, "/campaigns/spring?done=cancelled")
    ended = running.wait()
    assert ended.status == 3, ended.said
    assert "web: ann from 127.0.0.1: cancel 'spring': wrong price" in ended.said
    assert campaign.summary()["by_status"]["cancelled"] == 2
