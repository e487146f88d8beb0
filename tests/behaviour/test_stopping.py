"""A campaign stops at a provider by itself, says why wherever people look, and goes on when they say so."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.loopback

KEYS = "canary: {per_provider: 20, of: 50}\n"


def told_by(world: Any) -> tuple[Path, Path]:
    """A program that keeps the notice, and where it keeps it."""
    program, kept = world.folder / "told", world.folder / "notice.json"
    program.write_text(f"#!/bin/sh\ncat > {kept}.part && mv {kept}.part {kept}\n")
    program.chmod(0o755)
    return program, kept


def test_a_bad_list_stops_at_one_provider_is_told_everywhere_and_goes_on_when_asked(world: Any, until: Any) -> None:
    program, kept = told_by(world)
    big = {"mx": ["mx0.test"]}
    world.settings(shaping={"providers": {"big": big}}, notify={"commands": [str(program)]})
    root = world.folder / "campaigns"
    bad = [f"{'bounce' if n < 3 else 'user'}-{n}@d0.test" for n in range(100)]
    good = [f"user-{n}@d1.test" for n in range(100, 200)]
    more = f"{KEYS}notify: {{command: [{program}], on: [stopped]}}\n"
    campaign = world.campaign("spring", [*bad, *good], parent=root, more=more)
    running = world.start("--watch", "campaigns")

    until(kept.exists, "the notice")
    until(lambda: world.server.count() >= 100, "the others to go on")

    words = "messages to big bounced, and the limit is 10 % of 20"
    resume = "bulkmail resume spring --provider big"
    notice = json.loads(kept.read_text())
    assert words in json.dumps(notice), notice
    status_txt = campaign.folder / "STATUS.txt"
    until(lambda: words in status_txt.read_text() and resume in status_txt.read_text(), "STATUS.txt to say why")
    status = world.bulkmail("status", "spring")
    assert words in status.said, status.said
    assert resume in status.said, status.said
    sent_to_big = {one["to"] for one in world.server.received() if one["to"].endswith("@d0.test")}
    assert len(sent_to_big) <= 20, "no more than the first messages"

    assert world.bulkmail("resume", "spring", "--provider", "big").status == 0
    until(lambda: status_txt.read_text().startswith("finished"), "the end")
    assert campaign.statuses() == {"delivered": 197, "bounced": 3}
    running.signal(signal.SIGTERM)
    running.wait()
