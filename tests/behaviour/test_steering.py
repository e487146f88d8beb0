"""A running campaign is paused, resumed, cancelled and killed: bench/steer_loop.py, a short one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.loopback, pytest.mark.slow]

PLAN = "pause,kill,resume,stop,cancel"
PATIENCE = 550.0  # seconds; a busy machine is no fault
LOOP = Path(__file__).parent.parent.parent / "bench" / "steer_loop.py"


def test_what_is_steered_and_killed_is_neither_lost_nor_doubled(tmp_path: Path, needs: Any) -> None:
    needs("dnsmasq", "dnsmasq-base")
    results = tmp_path / "results.json"
    options = {"rounds": 1, "plan": PLAN, "recipients": 1600, "json": results}

    ended = subprocess.run(
        [sys.executable, str(LOOP), *(f"--{name}={value}" for name, value in options.items())],
        capture_output=True, text=True, timeout=PATIENCE,
    )  # fmt: skip

    assert ended.returncode == 0, ended.stderr[-4000:]
    figures = json.loads(results.read_text())
    assert not any(figures["wrong"].values()), figures
    assert figures["steps"].keys() == set(PLAN.split(","))
    assert figures["seen"]["report rows"] == figures["seen"]["input rows"] == 1600
    assert figures["ended"] == {"cancelled": 1}
