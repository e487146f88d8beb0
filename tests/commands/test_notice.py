"""The child that mails a notice, against real servers on loopback."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from email import policy
from email.parser import BytesParser
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.loopback


@pytest.fixture
def sent(world: Any, run_python: Any) -> Callable[[list[str]], subprocess.CompletedProcess[str]]:
    def run(to: list[str]) -> Any:
        given = {
            "settings": str(world.folder / "bulkmail.yaml"),
            "from": "Example Shop <news@example.com>",
            "to": to,
            "subject": "spring {{ finished",
            "text": "spring finished.\n\ndelivered: 3\nGrüße, 100 % {% done\n",
        }
        words = [sys.executable, "-m", "bulkmail.commands.notice"]
        return run_python(words, given=json.dumps(given), cwd=world.folder)

    return run


def test_a_notice_arrives_as_it_was_given(world: Any, sent: Any) -> None:
    ended = sent(["ops-1@d0.test", "boss-1@d1.test"])
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


def test_an_address_that_is_refused_is_told(sent: Any) -> None:
    ended = sent(["bounce-1@d0.test"])
    assert ended.returncode == 1
    assert "bounce-1@d0.test: bounced: " in ended.stderr
