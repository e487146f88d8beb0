"""What a long list takes, measured: bench/memory.py with a short one, sent to the last row."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.loopback, pytest.mark.slow]

BENCH = Path(__file__).parent.parent.parent / "bench" / "memory.py"
ROWS = 1000


def test_each_process_each_phase_and_each_tenth_has_its_figures(tmp_path: Path, needs: Any) -> None:
    needs("smtp-sink", "postfix")
    results = tmp_path / "results.json"
    options = {"recipients": ROWS, "domains": 100, "sites": 20, "sent": ROWS, "patience": 500, "json": results}

    ended = subprocess.run(
        [sys.executable, str(BENCH), "--unsigned", *(f"--{name}={value}" for name, value in options.items())],
        capture_output=True, text=True, timeout=550,
    )  # fmt: skip

    assert ended.returncode == 0, ended.stderr[-4000:]
    figures = json.loads(results.read_text())[str(ROWS)]
    assert figures["status"] == 0
    assert figures["read"] == figures["delivered"] == figures["report_rows"] == ROWS
    assert {"main", "Composer", "Resolver", "ReportWorker", "ReportWorker 2"} <= figures["peak_mb"].keys()
    assert all(0 < own < resident for phase in figures["phases_mb"].values() for resident, own in phase.values())
    assert figures["marked_each"] == ROWS // 10
    assert len(figures["marks"]) == 11
    assert figures["spool_mb"]["spool.sqlite3"] > 0 < figures["report_mb"]["recipients.csv"]
