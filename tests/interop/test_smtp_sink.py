"""Postfix's smtp-sink behind several MX hosts, with and without pipelining: every message is dumped exactly once."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pytest

pytestmark = pytest.mark.interop

ADDRESSES = ["127.0.1.1", "127.0.1.2", "127.0.1.3", "127.0.1.4"]


@pytest.mark.parametrize("pipelining", ["auto", "off"])
def test_every_message_is_dumped_once(world: Any, smtp_sink: Any, pipelining: str) -> None:
    sink = smtp_sink(ADDRESSES)
    world.settings(port=sink.port, smtp={"port": sink.port, "pipelining": pipelining})
    campaign = world.campaign("spring", [f"user{n}@d{n % 20}.test" for n in range(400)])

    ended = world.run("-c", "spring")

    assert ended.status == 0, ended.said[-4000:]
    campaign.check_report()
    assert campaign.statuses() == {"delivered": 400}
    assert {row["mx_ip"] for row in campaign.rows()} == set(ADDRESSES)
    dumped = sink.dumped()
    to = Counter(found.decode() for found in re.findall(rb"(?m)^X-Rcpt-Args: <([^>]*)>", dumped))
    assert to == dict.fromkeys(campaign.addresses, 1)
    ids = Counter(found.decode() for found in re.findall(rb"(?mi)^Message-ID: (<[^>]*>)", dumped))
    assert ids == Counter(row["message_id"] for row in campaign.rows())
    assert all(path.stat().st_size for path in sink.dumps), "every host had its share"
