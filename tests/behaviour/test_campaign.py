"""A campaign from start to end, as its sender sees it: exit status, report, resume, daemon."""

from __future__ import annotations

import json
import os
import signal
import stat
from typing import Any

import pytest

pytestmark = pytest.mark.loopback


def addresses(count: int, kind: str = "user") -> list[str]:
    return [f"{kind}-{n}@d{n % 20}.test" for n in range(count)]


def test_a_campaign_is_sent_and_reported(world: Any) -> None:
    campaign = world.campaign("spring", addresses(200))

    ended = world.run("-c", "spring/campaign.yaml")

    assert ended.status == 0, ended.said
    assert sorted(one["to"] for one in world.server.received()) == sorted(campaign.addresses)
    campaign.check_report()
    rows = {row["email"]: row for row in campaign.rows()}
    assert all(row["status"] == "delivered" and row["attempts"] == "1" for row in rows.values())
    for one in world.server.received():
        row = rows[one["to"]]
        assert one["message_id"] == row["message_id"]
        assert one["sender"] == "news@example.com"
        assert (row["smtp_code"], row["enhanced_code"], row["stage"]) == ("250", "2.0.0", "dot")
        assert row["mx_ip"] == one["ip"]
        assert int(row["bytes"]) == one["size"]
    summary = campaign.summary()
    assert (summary["state"], summary["complete"], summary["exit_status"]) == ("finished", True, 0)
    assert "Traceback" not in ended.said
