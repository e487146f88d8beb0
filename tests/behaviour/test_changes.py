"""What people do to a campaign's folder while it is sent, and after: change it, add rows, move it away, lock it."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest

pytestmark = [pytest.mark.loopback, pytest.mark.slow]

ADDRESSES = [f"user-{n}@d{n % 20}.test" for n in range(200)]
SLOW = {"shaping": {"default": {"rate": "30/m", "connections": 1}}}  # each of four sites


def status_of(campaign: Any) -> str:
    path = campaign.folder / "STATUS.txt"
    return path.read_text("utf-8") if path.exists() else ""


def texts(world: Any) -> list[bool]:
    """For each message whether it has the new sender, in the order in which they arrived."""
    return [one["sender"] == "new@example.com" for one in world.server.received()]


def test_a_change_is_taken_while_it_is_sent(world: Any, until: Any) -> None:
    world.settings(**SLOW)
    root = world.folder / "campaigns"
    campaign = world.campaign("spring", ADDRESSES[:80], parent=root)
    service = world.start("--watch", "campaigns")
    until(lambda: world.server.count() >= 4, "the first messages")
    with campaign.yaml.open("a") as file:
        file.write("envelope_from: new@example.com\n")
    until(
        lambda: "Changed since the start, and not used: envelope_from was added." in status_of(campaign),
        "the change told",
    )
    assert "put a file called ACCEPT into this folder" in status_of(campaign)
    assert not any(texts(world))

    accepted = world.bulkmail("accept", "spring")
    assert accepted.status == 0
    assert "spring: envelope_from was added; " in accepted.said
    assert "The change is taken for the rows that are not sent yet." in accepted.said
    until(
        lambda: "Taken for the rows still to be sent: envelope_from was added." in status_of(campaign),
        "the change taken",
    )
    assert not (campaign.folder / "ACCEPT").exists()
    service.signal(signal.SIGTERM)
    service.wait()
    world.settings()
    assert world.run("-c", "campaigns/spring").status == 0
    got = texts(world)
    assert len(got) == 80
    first = got.index(True)
    assert all(got[first + 8 :]), "all but what was on a connection are new"
    assert world.bulkmail("accept", "spring").said.count("spring is finished already, and cannot be changed") == 1


def test_rows_that_are_added_to_a_finished_campaign_are_sent(world: Any) -> None:
    campaign = world.campaign("spring", ADDRESSES[:20])
    assert world.run("-c", "spring").status == 0
    with (campaign.folder / "recipients.csv").open("a") as file:
        file.write("new-0@d0.test,New\r\nuser-1@d1.test,Again\r\n")
    campaign.addresses += ["new-0@d0.test", "user-1@d1.test"]

    ended = world.run("-c", "spring")

    assert ended.status == 0
    assert "recipients.csv has changed since spring was finished; new rows are sent to" in ended.said
    campaign.check_report()
    assert campaign.statuses() == {"delivered": 21, "duplicate": 1}
    assert campaign.summary()["state"] == "finished"
    assert world.server.count() == 21
    assert "spring is finished; nothing was sent" in world.run("-c", "spring").said

    path = campaign.folder / "recipients.csv"
    path.write_text(path.read_text().replace("user-1@", "other@", 1))
    refused = world.run("-c", "spring")
    assert refused.status == 1
    assert "in a campaign of another name it would go again to the 21 who have it" in refused.said
    assert "`suppress: {got: spring}`" in refused.said
    assert world.server.count() == 21


def test_a_folder_that_is_moved_away_pauses_its_campaign(world: Any, until: Any) -> None:
    world.settings(**SLOW)
    root = world.folder / "campaigns"
    campaign = world.campaign("spring", ADDRESSES, parent=root)
    world.start("--watch", "campaigns")
    until(lambda: world.server.count() >= 4, "the first messages")
    elsewhere = world.folder / "elsewhere"
    campaign.folder.rename(elsewhere)
    until(
        lambda: (elsewhere / "STATUS.txt").read_text().startswith("paused\n\nThis campaign is paused: this folder"),
        "the pause",
    )
    sent = world.server.count()
    assert sent < len(ADDRESSES)
    assert not campaign.folder.exists()
    elsewhere.rename(campaign.folder)
    until(lambda: world.server.count() > sent, "it goes on")


def test_a_folder_that_cannot_be_written_to_is_refused_before_the_first_message(world: Any, disk: Any) -> None:
    place = disk("8m")
    campaign = world.campaign("spring", ADDRESSES, parent=place)
    assert os.system(f"mount -o remount,ro {place}") == 0
    refused = world.run("-c", str(campaign.folder))
    assert refused.status == 1
    assert "spring/report: no report can be written here: Read-only file system" in refused.said
    assert world.server.count() == 0
