"""A watched folder in the hands of people: approval, PAUSE, CANCEL, a folder that is taken away; and who is told."""

from __future__ import annotations

import json
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.loopback, pytest.mark.slow]

PEOPLE = [f"user-{n}@d{n % 20}.test" for n in range(400)]


def first_line(campaign: Any) -> str:
    path = campaign.folder / "STATUS.txt"
    return path.read_text("utf-8").partition("\n")[0] if path.exists() else ""


def state(campaign: Any) -> str:
    path = campaign.report / "summary.json"
    return json.loads(path.read_text())["state"] if path.exists() else ""


@pytest.fixture
def watched(world: Any) -> Any:
    """A campaign in a watched folder."""

    def watched(more: str = "", **settings: Any) -> Any:
        world.settings(**settings)
        return world.campaign("spring", PEOPLE, parent=world.folder / "campaigns", more=more)

    return watched


def held_still(world: Any) -> int:
    """How many messages arrived, once that does not change for a second."""
    count = world.server.count()
    while True:
        time.sleep(1.0)
        before, count = count, world.server.count()
        if count == before:
            return count


@pytest.mark.fresh  # nice(1) too
def test_nothing_is_sent_before_it_is_approved(world: Any, until: Any, watched: Any) -> None:
    told = world.folder / "told"
    told.write_text(f"#!/bin/sh\ncat >> {world.folder}/notices\n")
    told.chmod(0o755)
    spring = watched(
        f"test_to: me-1@d1.test\nnotify: {{command: {told}, mail: ops-1@d2.test, on: [start, end]}}\n",
        approval="auto",
        notify={"commands": [str(told)]},
    )
    running = world.start("--watch", "campaigns")
    until(lambda: first_line(spring) == "waiting for approval", "the request for an approval")
    (test,) = world.server.received()
    assert test["to"] == "me-1@d1.test"
    for name in ("preview", "plan.txt", "check.csv"):
        assert (spring.folder / name).exists(), name
    assert "400" in (spring.folder / "plan.txt").read_text()

    # a change is another content
    (spring.folder / "body.html.j2").write_text("<p>Dear {{ first_name }}</p>\n")
    until(lambda: first_line(spring) == "checking", "the second check")
    until(lambda: first_line(spring) == "waiting for approval", "the second request")
    assert world.server.count() == 2, "another content, another test"

    # a service that starts again asks for nothing again
    running.signal(signal.SIGTERM)
    assert running.wait().status == 3
    again = world.start("--watch", "campaigns")
    until(lambda: first_line(spring) == "checking", "the check of the files")
    until(lambda: first_line(spring) == "waiting for approval", "the wait to go on")
    assert world.server.count() == 2

    (spring.folder / "APPROVED").write_text("Ann Lee\n")
    until(lambda: first_line(spring) == "finished", "the end")
    spring.check_report()
    assert spring.statuses() == {"delivered": len(PEOPLE)}
    assert "released by Ann Lee" in again.said()
    until(
        lambda: (world.folder / "notices").exists() and (world.folder / "notices").read_text().count("\n") == 2, "both"
    )
    start, end = map(json.loads, (world.folder / "notices").read_text().splitlines())
    assert (start["event"], start["state"]) == ("start", "sending")
    assert (end["event"], end["state"], end["by_status"]["delivered"]) == ("end", "finished", len(PEOPLE))
    until(lambda: sum(one["to"] == "ops-1@d2.test" for one in world.server.received()) == 2, "both mails")


def test_a_campaign_with_errors_is_not_asked_for(world: Any, until: Any, watched: Any) -> None:
    spring = watched(approval="auto")
    (spring.folder / "body.html.j2").write_text("<p>{{ first_name + 1 }}</p>\n")
    world.start("--watch", "campaigns")
    until(lambda: first_line(spring) == "refused", "the refusal")
    assert "This campaign was not sent: " in (spring.folder / "STATUS.txt").read_text()
    assert world.server.count() == 0


def test_it_is_approved_by_a_command_too(world: Any, until: Any, watched: Any) -> None:
    spring = watched(approval="auto")
    world.start("--watch", "campaigns")
    until(lambda: first_line(spring) == "waiting for approval", "the request for an approval")
    told = world.bulkmail("status", "spring")
    assert "waiting for approval" in told.out.lower()
    approved = world.bulkmail("approve", "spring", "--by", "Ann Lee")
    assert approved.status == 0, approved.said
    until(lambda: first_line(spring) == "finished", "the end")
    assert spring.statuses() == {"delivered": len(PEOPLE)}


def test_pause_and_a_folder_that_is_taken_away(world: Any, until: Any, watched: Any) -> None:
    spring = watched(shaping={"default": {"rate": "5/s,burst=1"}})
    running = world.start("--watch", "campaigns")
    until(lambda: world.server.count() > 10, "the first messages")
    (spring.folder / "PAUSE").touch()
    until(lambda: "is paused" in running.said(), "the pause")
    paused_at = held_still(world)
    assert paused_at < len(PEOPLE)
    (spring.folder / "PAUSE").unlink()
    until(lambda: world.server.count() > paused_at, "that it goes on")

    away = Path(shutil.move(spring.folder, world.folder / "away"))
    until(lambda: "was moved away or removed" in running.said(), "that it is missed")
    held = held_still(world)
    assert held < len(PEOPLE)
    assert not spring.folder.exists(), "nothing is made anew"
    shutil.move(away, spring.folder)
    until(lambda: world.server.count() > held, "that it goes on")
    (spring.folder / "CANCEL").touch()
    until(lambda: state(spring) == "cancelled", "the end")
    spring.check_report()
    statuses = spring.statuses()
    assert set(statuses) == {"delivered", "cancelled"}
    assert statuses["delivered"] == world.server.count()
    assert {len(found) for found in world.server.ids().values()} == {1}


def test_a_campaign_with_wrong_files_can_be_cancelled(world: Any, until: Any, watched: Any) -> None:
    """It waits for its approval, its files become wrong, and then its author gives it up."""
    spring = watched(approval="required")
    running = world.start("--watch", "campaigns")
    until(lambda: first_line(spring) == "waiting for approval", "the request for an approval")
    good = spring.yaml.read_text()
    spring.yaml.write_text(good.replace("subject:", "subjekt:"))
    until(lambda: first_line(spring) == "refused", "the refusal")
    (spring.folder / "CANCEL").touch()
    until(lambda: first_line(spring) == "cancelled", "the end")
    until(lambda: world.bulkmail("status", "spring").out.startswith("spring: cancelled"), "the end in the spool")
    running.signal(signal.SIGTERM)
    running.wait()
    assert not world.server.received()
