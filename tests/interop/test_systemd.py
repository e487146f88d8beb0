"""The unit that is there to be copied, as systemd itself sees it."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

UNIT = Path(__file__).parents[2] / "contrib" / "bulkmail.service"


SOCKET = UNIT.with_suffix(".socket")


def test_the_socket_unit_has_no_mistakes(needs: Callable[[str, str], str], tmp_path: Path) -> None:
    for unit in (UNIT, SOCKET):
        (tmp_path / unit.name).write_text(unit.read_text())
    command = [needs("systemd-analyze", "systemd"), "verify", "--man=no", str(tmp_path / SOCKET.name)]
    said = subprocess.run(command, check=False, capture_output=True, text=True, timeout=300).stderr
    assert [line for line in said.splitlines() if "bulkmail.socket" in line] == []


def test_the_unit_exposes_little(needs: Callable[[str, str], str]) -> None:
    command = [needs("systemd-analyze", "systemd"), "security", "--offline=true", "--no-pager", str(UNIT)]
    said = subprocess.run(command, check=True, capture_output=True, text=True, timeout=300).stdout
    found = re.search(r"Overall exposure level for bulkmail\.service: ([0-9.]+)", said)
    assert found is not None, said
    assert float(found[1]) < 3.0


def test_the_unit_has_no_mistakes(needs: Callable[[str, str], str], tmp_path: Path) -> None:
    """Its programs and its user are not on this machine, which is all that may be told of it."""
    unit = tmp_path / "bulkmail.service"
    unit.write_text(UNIT.read_text())
    command = [needs("systemd-analyze", "systemd"), "verify", "--man=no", str(unit)]
    said = subprocess.run(command, check=False, capture_output=True, text=True, timeout=300).stderr
    mistakes = [line for line in said.splitlines() if "bulkmail.service" in line and "is not executable" not in line]
    assert mistakes == []
