"""What sites have taught is known to the next process, and so is since when one cannot be reached."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

pytestmark = [pytest.mark.loopback, pytest.mark.slow, pytest.mark.fresh]


@pytest.fixture
def sink(world: Any, end: Callable[..., None]) -> dict[str, Any]:
    """`bulkmail sink`, all its kinds of servers."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bulkmail.rehearsal", "--speed", "real"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    world.on_end(end, process)
    assert process.stdout is not None
    ready: dict[str, Any] = json.loads(process.stdout.readline())
    return ready


def seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def remembered(world: Any) -> dict[tuple[str, str], dict[str, Any]]:
    shown = world.bulkmail("status", "--sites", "--json")
    assert shown.status == 0, shown.said
    return {(fact["site"].partition("~")[0], fact["fact"]): fact for fact in json.loads(shown.out)}


def test_one_campaign_learns_for_the_next(world: Any, sink: dict[str, Any]) -> None:
    world.nameserver, world.witnesses = sink["dns"], []
    world.settings(port=sink["smtp_port"], shaping={"default": {"connections": 3}})
    kinds = ("short", "hang-up", "broken-tls")
    addresses = [f"user-{n}@{kinds[n % 3]}.test" for n in range(90)]
    first, second = (world.campaign(name, addresses) for name in ("spring", "summer"))

    ended = world.run("-c", "spring")

    assert ended.status == 0, ended.said[-4000:]
    assert first.statuses() == {"delivered": 90}
    learnt = remembered(world)
    assert {name: fact["value"] for name, fact in learnt.items() if name[1] == "messages"} == {
        ("mx.short.test", "messages"): 5.0,
        ("mx.hang-up.test", "messages"): 5.0,
    }
    assert [fact for _, fact in learnt].count("tls") == 1
    assert "takes 5 messages on a connection" in ended.said

    ended = world.run("-c", "summer")

    assert ended.status == 0, ended.said[-4000:]
    assert second.statuses() == {"delivered": 90}
    assert "takes 5 messages" not in ended.said
    assert remembered(world) == learnt, "nothing had to be learnt again"
    assert world.bulkmail("forget", "mx.short.test").status == 0
    assert ("mx.short.test", "messages") not in remembered(world)


def test_a_restart_does_not_begin_the_wait_for_a_dead_site_anew(world: Any, until: Any, end: Any) -> None:
    """20 recipients of a site that is gone; each try costs one of them an attempt, the others wait untried.

    A slow machine takes longer than the rest of the wait: what looks like a new one is tried with a longer one.
    """
    end(world.server.process)
    for n, expire_after in enumerate((10.0, 40.0, 100.0)):
        name = f"spring-{n}"
        campaign = world.campaign(name, [f"user-{row}@d{n}.test" for row in range(20)])
        world.settings(retry={"schedule": ["1s"], "expire_after": f"{expire_after:g}s"})
        before = world.stored_attempts()
        running = world.start("-c", name)
        until(lambda before=before: world.stored_attempts() > before, "the first attempt")
        over = time.time() + 0.6 * expire_after
        until(lambda over=over: time.time() > over, "more than half of the time")
        running.kill_group()
        killed = time.time()

        ended = world.run("-c", name)

        assert ended.status == 0, ended.said[-4000:]
        assert campaign.statuses() == {"expired": 20}
        untried = [row for row in campaign.rows() if row["attempts"] in ("", "0")]
        assert untried, "every recipient was tried: this run told nothing"
        again = [at for attempt in campaign.attempts() if (at := seconds(attempt["at"])) > killed]
        last = max(seconds(row["completed_at"]) for row in untried)
        if again and last - min(again) < 0.7 * expire_after:
            return
    raise AssertionError("they began to wait anew")
