"""A rehearsal goes to the simulated world and nowhere else, and leaves the campaign as it was."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest

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
    rows = list(csv.DictReader(io.StringIO((place / "recipients.csv").read_bytes().decode("utf-8"), newline="")))
    assert [row["email"] for row in rows] == addresses
    summary = json.loads((place / "summary.json").read_text("utf-8"))
    assert (summary["rehearsal"], summary["complete"]) == (True, True)
    assert "REHEARSAL" in (place / "index.html").read_text("utf-8")

    real = world.run("-c", "spring")

    assert real.status == 0, real.said
    campaign.check_report()
    assert campaign.statuses() == {"delivered": 300}
    assert world.server.count() == 300
