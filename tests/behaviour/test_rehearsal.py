"""A rehearsal goes to the simulated world and nowhere else, and leaves the campaign as it was."""

from __future__ import annotations

import csv
import io
import json
import stat
from typing import Any

import pytest

from tests import traps

pytestmark = [pytest.mark.loopback, pytest.mark.slow]


def test_a_rehearsal_touches_nothing_real(world: Any) -> None:
    addresses = [f"user-{n}@d{n % 20}.test" for n in range(300)]
    campaign = world.campaign("spring", addresses)

    rehearsed = world.run("-c", "spring", "--rehearse")

    assert rehearsed.status == 0, rehearsed.said
    assert world.server.count() == 0, "the real receivers hear nothing of it"
    assert not campaign.report.exists()
    assert not (world.folder / "spool").exists()
    place = campaign.folder / "rehearsal"
    rows = list(csv.DictReader(io.StringIO((place / "recipients.csv").read_bytes().decode("utf-8-sig"), newline="")))
    assert [row["email"] for row in rows] == addresses
    summary = json.loads((place / "summary.json").read_text("utf-8"))
    assert (summary["rehearsal"], summary["complete"]) == (True, True)
    assert "REHEARSAL" in (place / "index.html").read_text("utf-8")

    real = world.run("-c", "spring")

    assert real.status == 0, real.said
    campaign.check_report()
    assert campaign.statuses() == {"delivered": 300}
    assert world.server.count() == 300


def test_a_rehearsal_into_a_link_is_refused_and_writes_nothing(world: Any) -> None:
    campaign = world.campaign("spring", ["ann@d1.test"])
    outside = world.folder / "outside"
    outside.mkdir(mode=0o700)
    (campaign.folder / "rehearsal").symlink_to("../outside")

    rehearsed = world.run("-c", "spring", "--rehearse")

    assert rehearsed.status == 1, rehearsed.said
    assert "nothing can be rehearsed into it: it is a link or a file, and must be a folder" in rehearsed.said
    assert list(outside.iterdir()) == []
    assert stat.S_IMODE(outside.stat().st_mode) == 0o700


def test_started_in_a_hostile_folder_it_runs_nothing_of_it(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    campaign = world.campaign("spring", ["ann@d1.test"])
    traps.set_in(campaign.folder)
    monkeypatch.setattr(world, "folder", campaign.folder)

    rehearsed = world.run("-c", "campaign.yaml", "--rehearse")

    assert rehearsed.status == 0, rehearsed.said
    assert traps.sprung_in(campaign.folder) == []


def test_what_comes_back_is_in_its_report(world: Any) -> None:
    reactions = {
        "late-bounce": "bounced",
        "late-full": "blocked",
        "late-delay": "delivered",
        "late-block": "blocked",
        "away": "delivered",
        "complains": "delivered",
        "one-click": "delivered",
        "visits": "delivered",
        "unsubscribes-by-mail": "delivered",
        "scanner": "delivered",
        "clicks": "delivered",
    }
    world.settings(
        inbound={"domains": ["in.example.com"], "listen": ["192.0.2.1:25"], "forward": {"maildir": "./inbox"}},
        public={"url": "https://mail.example.com"},
    )
    more = "unsubscribe: built-in\nlinks: {utm: {source: news}, clicks: count}\n"
    html = '<p>Hi <a href="https://shop.example/a?b=1">a</a> <a href="https://shop.example/{{ email }}">b</a>'
    campaign = world.campaign("spring", [f"{reaction}@accept.test" for reaction in reactions], html=html, more=more)

    rehearsed = world.run("-c", "spring", "--rehearse")

    assert rehearsed.status == 0, rehearsed.said
    place = campaign.folder / "rehearsal"
    rows, lines = (
        list(csv.DictReader(io.StringIO((place / name).read_bytes().decode("utf-8-sig"), newline="")))
        for name in ("recipients.csv", "attempts.csv")
    )
    assert {row["email"].partition("@")[0]: row["status"] for row in rows} == reactions
    found = {(line["email"].partition("@")[0], line["result"]) for line in lines if line["result"] != "delivered"}
    assert found == {
        ("late-bounce", "returned"),
        ("late-full", "returned"),
        ("late-delay", "returned"),
        ("late-block", "returned"),
        ("away", "answered"),
        ("complains", "complained"),
        ("one-click", "unsubscribed"),
        ("visits", "unsubscribed"),
        ("unsubscribes-by-mail", "unsubscribed"),
    }
    summary = json.loads((place / "summary.json").read_text("utf-8"))
    assert (summary["complete"], summary["late"]) == (True, {"returned": 3, "unsubscribed": 3, "complained": 1})
    assert summary["clicks"] == {
        "people": 1,
        "scanners": 2,
        "links": [
            {"link": "https://shop.example/a?b=1", "variant": "", "people": 1, "scanners": 1},
            {"link": "https://shop.example/{{email}}", "variant": "", "people": 0, "scanners": 1},
        ],
    }
    page = (place / "index.html").read_text("utf-8")
    assert "1 click (and 2 by programs that look at links)" in page
    assert not (world.folder / "inbox").exists()
