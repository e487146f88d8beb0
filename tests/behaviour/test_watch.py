"""The drop folder: what is dropped is sent once, what is wrong is told in its STATUS.txt and sent when it is mended."""

from __future__ import annotations

import os
import re
import shutil
import signal
import stat
import time
from typing import Any

import pytest

pytestmark = [pytest.mark.loopback, pytest.mark.slow]

SPRING = [f"spring-{n}@d{n % 20}.test" for n in range(60)]
AUTUMN = [f"autumn-{n}@d{n % 20}.test" for n in range(40)]
FINISHED = "finished\n\nThis campaign is finished. The report is in report/: open index.html, or recipients.csv.\n"


def status_of(campaign: Any) -> str:
    path = campaign.folder / "STATUS.txt"
    return path.read_text("utf-8") if path.exists() else ""


def test_dropped_folders(world: Any, until: Any) -> None:
    root = world.folder / "campaigns"
    spring = world.campaign("spring", SPRING, parent=root)
    autumn = world.campaign("autumn", AUTUMN, parent=root, html="Hello {{ nobody }}\n")
    (root / "readme.txt").write_text("not a campaign")
    running = world.start("--watch", "campaigns")

    until(lambda: status_of(spring).startswith(FINISHED), "the good campaign to be finished")
    assert "Please look at this:" in status_of(spring)
    assert "campaign.yaml: the letter offers no way to unsubscribe; Gmail, " in status_of(spring)
    spring.check_report()
    assert spring.statuses() == {"delivered": len(SPRING)}
    assert stat.S_IMODE((spring.folder / "STATUS.txt").stat().st_mode) == 0o644

    until(lambda: "was not sent" in status_of(autumn), "the bad campaign to be refused")
    told = status_of(autumn)
    assert told.startswith("refused\n\nThis campaign was not sent: one thing is wrong with it.\n")
    assert re.search(r"campaigns/autumn/body\.html\.j2:1:\d+: unknown variable 'nobody'", told)
    assert "Mend the files" in told
    assert not autumn.report.exists()
    assert set(world.server.ids()) == set(SPRING)

    (autumn.folder / "body.html.j2").write_text("Hello {{ first_name }}\n")
    until(lambda: status_of(autumn).startswith(FINISHED), "the mended campaign to be finished")
    autumn.check_report()
    assert autumn.statuses() == {"delivered": len(AUTUMN)}

    # dropped again: a touched file, a copy under another folder's name, a list that has grown
    before = running.said().count("spring is finished; nothing was sent")
    os.utime(spring.folder / "recipients.csv")
    copy = root / "spring-again"
    shutil.copytree(spring.folder, root / ".copy", ignore=shutil.ignore_patterns("report", "STATUS.txt"))
    (root / ".copy").rename(copy)
    until(lambda: (copy / "STATUS.txt").exists() and "was not sent" in (copy / "STATUS.txt").read_text(), "the copy")
    assert "already in the spool" in (copy / "STATUS.txt").read_text()
    until(lambda: running.said().count("spring is finished; nothing was sent") > before, "the touched one")
    until(lambda: status_of(spring).startswith(FINISHED), "the touched campaign's STATUS.txt")
    assert running.process.poll() is None, "a service goes on"
    running.signal(signal.SIGTERM)
    assert running.wait().status == 3

    # and a service that starts again finds everything done
    again = world.start("--watch", "campaigns")
    until(lambda: "spring is finished; nothing was sent" in again.said(), "spring to be looked at again")
    until(lambda: "autumn is finished; nothing was sent" in again.said(), "autumn to be looked at again")
    until(lambda: all(status_of(one).startswith(FINISHED) for one in (spring, autumn)), "both to be told so")
    again.signal(signal.SIGTERM)
    again.wait()
    assert {len(found) for found in world.server.ids().values()} == {1}
    assert world.server.count() == len(SPRING) + len(AUTUMN)
    for campaign in (spring, autumn):
        campaign.check_report()
        assert status_of(campaign).startswith(FINISHED)


def test_a_hostile_folder_stops_neither_the_service_nor_the_others(world: Any, until: Any) -> None:
    root = world.folder / "campaigns"
    hostile = world.campaign("hostile", SPRING, parent=root)
    hostile.report.mkdir()
    for name in ("summary.json", "attempts.csv", "recipients.csv", "index.html", ".recipients.csv.part"):
        os.mkfifo(hostile.report / name)
    victim = world.folder / "victim"
    victim.mkdir(mode=0o700)
    (root / "link").symlink_to(victim)
    running = world.start("--watch", "campaigns")
    until(lambda: "left alone: it is a symbolic link" in running.said(), "the link to be told of")
    good = world.campaign("good", AUTUMN, parent=root)

    until(lambda: status_of(good).startswith(FINISHED), "the good campaign to be finished")
    until(lambda: "its last report could not be written" in status_of(hostile), "the hostile one to end")

    running.signal(signal.SIGTERM)
    assert running.wait().status == 3
    assert list(victim.iterdir()) == []
    assert world.server.count() == len(SPRING) + len(AUTUMN)


def test_a_service_that_is_stopped_goes_on_where_it_was(world: Any, until: Any) -> None:
    addresses = [f"user-{n}@d{n % 20}.test" for n in range(2000)]
    # twenty sites take 10 s for it together; STATUS.txt is written every two
    world.settings(shaping={"default": {"rate": "10/s"}})
    campaign = world.campaign("spring", addresses, parent=world.folder / "campaigns")
    running = world.start("--watch", "campaigns")
    until(lambda: world.server.count() > 100, "the first messages")
    until(lambda: "were delivered." in status_of(campaign), "STATUS.txt to tell how far it is")
    running.signal(signal.SIGTERM)
    assert running.wait().status == 3
    assert world.server.count() < len(addresses)
    assert status_of(campaign).startswith("stopped\n\nThe service was stopped before the end.")

    world.settings()
    again = world.start("--watch", "campaigns")
    until(lambda: status_of(campaign).startswith(FINISHED), "the campaign to be finished")
    again.signal(signal.SIGTERM)
    again.wait()
    campaign.check_report()
    assert campaign.statuses() == {"delivered": len(addresses)}
    assert {len(found) for found in world.server.ids().values()} == {1}


def test_a_campaign_that_cannot_be_composed_holds_up_no_other(world: Any, until: Any) -> None:
    """Each row of it keeps the only compose process for as long as it may; another is sent in its usual time."""
    world.settings(compose={"processes": 1})
    root = world.folder / "campaigns"
    endless = [f"p{n}@d{n % 20}.test" for n in range(64)]
    held = world.campaign("endless", endless, parent=root)
    running = world.failing(";".join(f"compose={one}:sleep=300" for one in endless), "--watch", "campaigns")
    until(lambda: "is being sent" in status_of(held), "the campaign that cannot be composed")

    spring = world.campaign("spring", SPRING[:2], parent=root)
    until(lambda: status_of(spring).startswith(FINISHED), "the other campaign")

    assert spring.statuses() == {"delivered": 2}
    assert "0 of 64 were delivered" in status_of(held)
    running.signal(signal.SIGTERM)
    assert running.wait().status == 3
    held.check_report()
    assert held.statuses() == {"pending": 64}


def test_beside_a_slow_and_an_endless_template_another_is_sent_as_fast_as_alone(world: Any, until: Any) -> None:
    """Two compose processes. The endless one pauses itself after three rows; none of its recipients is charged."""
    world.settings(compose={"processes": 2})
    root = world.folder / "campaigns"
    root.mkdir()
    endless = [f"p{n}@d{n % 20}.test" for n in range(64)]
    slow = [f"s{n}@d{n % 20}.test" for n in range(1000)]  # they keep two processes for eight minutes
    points = [f"compose={one}:sleep=300" for one in endless] + [f"compose={one}:sleep=1" for one in slow]
    running = world.failing(";".join(points), "--watch", "campaigns")

    def seconds(name: str) -> float:
        began = time.monotonic()
        one = world.campaign(name, [f"{name}-{n}@d{n % 20}.test" for n in range(200)], parent=root)
        until(lambda: status_of(one).startswith(FINISHED), f"{name} to be finished")
        assert one.statuses() == {"delivered": 200}
        return time.monotonic() - began

    def sent(letter: str) -> int:
        return sum(one["to"].startswith(letter) for one in world.server.received())

    alone = seconds("alone")
    behind = world.campaign("slow", slow, parent=root)
    until(lambda: sent("s") > 0, "the slow campaign to be sent")
    held = world.campaign("held", endless, parent=root)
    until(lambda: "is being sent" in status_of(held), "the endless campaign to begin")

    assert seconds("beside") < 3 * alone + 30, "64 rows that keep a process for 30 s each have not kept it waiting"
    assert sent("s") < len(slow), "it was beside it"
    until(lambda: status_of(held).startswith("stopped"), "the endless campaign to pause itself")
    assert "the template does not come to an end: 3 rows in a row" in status_of(held)
    assert status_of(behind).startswith("sending"), "the slow one goes on"
    told = world.bulkmail("status").said
    assert "the template does not come to an end" in told
    running.signal(signal.SIGTERM)
    assert running.wait().status == 3
    held.check_report()
    assert held.statuses() == {"pending": 64}
    assert {row["attempts"] for row in held.rows()} == {"0"}
