"""The child that mails a notice, against real servers on loopback."""

from __future__ import annotations

import json
import subprocess
import sys
from email import policy
from email.parser import BytesParser
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.loopback


def sent(world: Any, to: list[str]) -> subprocess.CompletedProcess[str]:
    given = {
        "settings": str(world.folder / "bulkmail.yaml"),
        "from": "Example Shop <news@example.com>",
        "to": to,
        "subject": "spring {{ finished",
        "text": "spring finished.\n\ndelivered: 3\nGrüße, 100 % {% done\n",
    }
    return subprocess.run(
        [sys.executable, "-m", "bulkmail.commands.notice"],
        input=json.dumps(given), capture_output=True, text=True, cwd=world.folder, timeout=100, check=False,
    )  # fmt: skip


def test_a_notice_arrives_as_it_was_given(world: Any) -> None:
    ended = sent(world, ["ops-1@d0.test", "boss-1@d1.test"])
    assert ended.returncode == 0, ended.stderr
    assert sorted(one["to"] for one in world.server.received()) == ["boss-1@d1.test", "ops-1@d0.test"]
    path = next(iter(sorted(Path(world.server.kept).iterdir())))
    message = BytesParser(policy=policy.default).parsebytes(path.read_bytes())
    assert message["Subject"] == "spring {{ finished"
    assert message["From"] == "Example Shop <news@example.com>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert (
        message.get_content().replace("\r\n", "\n").rstrip() == "spring finished.\n\ndelivered: 3\nGrüße, 100 % {% done"
    )
    assert not (world.folder / "spool").exists()


def test_an_address_that_is_refused_is_told(world: Any) -> None:
    ended = sent(world, ["bounce-1@d0.test"])
    assert ended.returncode == 1
    assert "bounce-1@d0.test: bounced: " in ended.stderr
