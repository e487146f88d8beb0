"""What ``sent_once`` does is seen through the commands that use it, in test_test.py and test_notice.py."""

from __future__ import annotations

import sys
from typing import Any

import pytest

pytestmark = pytest.mark.loopback

PROGRAM = """
import sys
from bulkmail.commands.once import sent_once
from bulkmail.delivery import prepare
from bulkmail.settings import load_settings

settings = load_settings("bulkmail.yaml")
(rows,) = sent_once([prepare("spring", settings)], settings, sys.argv[1], within=float(sys.argv[2]))
for row in rows:
    sys.stdout.write(f"{row.email} {row.status}\\n")
"""


@pytest.mark.parametrize("approval", ["auto", "required"])
def test_each_row_is_tried_once_and_the_real_spool_is_left_alone(world: Any, run_python: Any, approval: str) -> None:
    world.settings(approval=approval)
    world.campaign("spring", ["ann-1@d0.test", "busy-1@d1.test", "bounce-1@d2.test"])
    place = world.folder / "place"
    place.mkdir()
    done = run_python([sys.executable, "-c", PROGRAM, place, "250"], cwd=world.folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "ann-1@d0.test delivered",
        "busy-1@d1.test deferred",
        "bounce-1@d2.test bounced",
    ]
    assert not (world.folder / "spool").exists()
