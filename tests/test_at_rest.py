"""A campaign is cancelled while no service runs: its process was killed, and its list is not read to its end."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest

from bulkmail.spool import open_reader

pytestmark = [pytest.mark.loopback, pytest.mark.slow]

CANCEL = """
import os, sys, time
from twisted.internet.task import react
from twisted.internet.defer import Deferred
from bulkmail.at_rest import cancel_at_rest
from bulkmail.mail import BulkmailError
from bulkmail.settings import load_settings

def main(reactor):
    settings = load_settings(sys.argv[1], os.getcwd())
    work = cancel_at_rest(reactor, settings, sys.argv[2], wall=time.time, monotonic=time.monotonic, who="ann")
    return Deferred.fromCoroutine(work).addCallbacks(print, told)

def told(failure):
    failure.trap(BulkmailError)
    print(type(failure.value).__name__, failure.value)

react(main)
"""


@pytest.fixture
def cancel(world: Any, run_python: Any) -> Callable[[str], str]:
    def run(name: str) -> str:
        ended = run_python([sys.executable, "-c", CANCEL, world.folder / "bulkmail.yaml", name], cwd=world.folder)
        assert ended.returncode == 0, ended.stderr
        said: str = ended.stdout.strip()
        return said

    return run


def test_after_a_kill_every_row_has_a_status_and_the_report_is_whole(world: Any, cancel: Any, until: Any) -> None:
    addresses = [f"{'later' if n % 50 == 0 else 'user'}-{n}@d{n % 20}.test" for n in range(30_000)]
    campaign = world.campaign("spring", addresses)
    world.start_mail(["127.0.1.1"], delay=0.002)
    world.settings(retry={"schedule": ["1h"]})
    running = world.start("-c", "spring")
    until(lambda: world.server.count() > 200, "messages", every=0.005)
    assert cancel("spring").startswith("Refused"), "the process has the spool in use"
    running.kill_group()
    assert "UnknownName there is no campaign 'sprin'; the nearest is 'spring'" in cancel("sprin")

    assert cancel("spring") == "True"

    campaign.check_report()
    statuses = campaign.statuses()
    received = {one["to"] for one in world.server.received()}
    assert set(statuses) <= {"delivered", "cancelled", "unknown"}
    assert statuses["cancelled"] > 20_000
    delivered = {row["email"] for row in campaign.rows() if row["status"] == "delivered"}
    assert delivered <= received
    assert received - delivered <= {row["email"] for row in campaign.rows() if row["status"] == "unknown"}
    summary = campaign.summary()
    assert (summary["state"], summary["exit_status"], summary["complete"]) == ("cancelled", 3, True)
    assert "WrongState spring is cancelled already" in cancel("spring")
    reader = open_reader(str(world.folder / "spool"))
    assert reader.campaign("spring").state == "cancelled"
    reader.close()
    sent = world.server.count()
    again = world.run("-c", "spring")
    assert again.status == 3
    assert world.server.count() == sent


def test_where_there_is_no_spool_none_is_made(world: Any, cancel: Any) -> None:
    world.settings(port=25)
    assert "nothing was ever sent from this spool" in cancel("spring")
    assert not (world.folder / "spool").exists()
