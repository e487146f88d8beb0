"""Who leaves while a campaign is sent: a running service, its commands and a real receiver."""

from __future__ import annotations

import signal
from typing import Any

import pytest

pytestmark = pytest.mark.loopback

COUNT = 240


def addresses(count: int) -> list[str]:
    return [f"user-{n}@d{n % 20}.test" for n in range(count)]


def test_who_is_suppressed_while_it_is_sent_gets_nothing_also_after_a_kill(world: Any, until: Any) -> None:
    world.settings(shaping={"default": {"rate": "1/h,burst=2"}})  # for each of four sites: the last rows stay unsent
    whole = addresses(COUNT)
    campaign = world.campaign("spring", whole)
    running = world.start("-c", "spring")
    until(lambda: world.server.count() >= 5, "the first messages")
    last = whole[-40:]
    added = world.bulkmail("suppress", "add", *last[:10], "--list", "spring", "--reason", "unsubscribed")
    assert (added.status, added.out) == (0, "10 suppressed\n"), added.said
    (world.folder / "left.csv").write_text("email\n" + "".join(f"{one}\n" for one in last[10:20]))
    imported = world.bulkmail("suppress", "import", "left.csv", "--reason", "complained")
    assert (imported.status, imported.out) == (0, "10 suppressions were added\n"), imported.said
    assert world.bulkmail("suppress", "add", *last[20:30]).status == 0
    assert world.bulkmail("suppress", "remove", *last[20:25]).out == "5 removed\n"
    assert world.bulkmail("suppress", "forget", last[0]).out == "1 kept as a hash only\n"
    assert "unsubscribed from the list spring" in world.bulkmail("suppress", "check", last[0]).out
    running.signal(signal.SIGKILL)
    running.wait()
    told = world.bulkmail("suppress", "add", last[30])
    assert (told.status, told.out) == (0, "1 suppressed\n"), told.said
    world.settings(shaping={"default": {"rate": "100/s"}})
    ended = world.start("-c", "spring").wait()
    assert ended.status == 0, ended.said
    campaign.check_report()
    assert campaign.statuses() == {"delivered": COUNT - 26, "suppressed": 26}
    by_address = {row["email"]: row for row in campaign.rows()}
    left = [*last[:20], *last[25:31]]
    assert [by_address[one]["status"] for one in left] == ["suppressed"] * 26
    assert [by_address[one]["category"] for one in left] == ["unsubscribed"] * 10 + ["complained"] * 10 + ["listed"] * 6
    assert not {one["to"] for one in world.server.received()} & set(left)
