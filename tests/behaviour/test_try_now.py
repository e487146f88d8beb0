"""Who was put off is tried at once: by a running service, over a kill, and by the command alone."""

from __future__ import annotations

import json
import signal
from typing import Any

import pytest

from bulkmail.control import Client

pytestmark = pytest.mark.loopback


@pytest.fixture
def put_off(world: Any, until: Any) -> Any:
    """Starts a campaign of which ten rows are put off for an hour, at their first try; it and its service."""
    world.settings(retry={"schedule": ["1h"]}, events={"record": True})
    campaign = world.campaign("spring", [f"{kind}-{n}@d{n % 2}.test" for kind in ("user", "later") for n in range(10)])

    def start(*failing: str) -> Any:
        running = world.failing(*failing, "-c", "spring") if failing else world.start("-c", "spring")
        client = Client(str(world.folder / "spool"))
        until(lambda: world.server.count() == 10, "the first ten")
        wanted = {"delivered": 10, "deferred": 10}

        def counts() -> dict[str, int]:
            found = client.get("campaigns", "spring")["by_status"]
            return {status: count for status, count in found.items() if count}

        until(lambda: counts() == wanted, "the first tries")
        return campaign, running, client

    return start


def test_the_service_tries_them_and_comes_to_its_end(world: Any, put_off: Any, until: Any) -> None:
    campaign, running, client = put_off()
    events = client.get("events", after="0", most="1000")["newest"]
    assert "there is no campaign 'sprig'" in world.bulkmail("try-now", "sprig").said
    told = world.bulkmail("try-now", "spring", "--site", "d1.test", "--by", "ann")
    assert told.out.splitlines() == ["spring: 5 deferred rows are tried at once.", "Limits count as before."], told.said
    until(lambda: world.server.count() == 15, "those at one domain")

    assert world.bulkmail("pause", "spring", "--reason", "wrong price").status == 0
    held = json.loads(world.bulkmail("try-now", "spring", "--json").out)
    assert (held["rows"], held["kept_back"]) == (5, ["All of it: a person has paused it (wrong price)"])
    assert world.server.count() == 15, "a pause stays a pause"

    noted = client.get("events", after=str(events), most="1000")["events"]  # before it can come to its end
    assert world.bulkmail("resume", "spring").status == 0
    asked = [(one["site"], one["reply"]) for one in noted if one["event"] == "campaign_tried"]
    assert asked[0] == ("d1.test", "5 deferred rows are tried at once, asked for by ann")
    ended = running.wait()
    assert ended.status == 0, ended.said
    world.reconciled(campaign)
    assert campaign.statuses() == {"delivered": 20}
    assert world.server.count() == 20


def test_a_kill_in_between_loses_nobody_and_the_command_alone_makes_them_due(world: Any, put_off: Any) -> None:
    campaign, running, _ = put_off("mid-try:kill-group@1")
    assert world.bulkmail("try-now", "spring").status == 1
    assert running.wait().status == -signal.SIGKILL
    assert world.server.count() == 10

    told = world.bulkmail("try-now", "spring", "--by", "ann")
    assert told.out.startswith("spring: 10 deferred rows are tried at once."), told.said
    assert world.bulkmail("try-now", "spring").out.startswith("spring: 0 deferred rows")
    ended = world.run("-c", "spring")
    assert ended.status == 0, ended.said
    world.reconciled(campaign)
    assert campaign.statuses() == {"delivered": 20}
    assert world.server.count() == 20
