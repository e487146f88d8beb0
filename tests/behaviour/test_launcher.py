from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.loopback, pytest.mark.process]

LAUNCHER = bytes(Path(__file__).parents[1] / "launcher.py")


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[1])


def test_workers_are_forked_children_of_the_program_and_end_with_it(world: Any, until: Any) -> None:
    world.settings(compose={"processes": 2})
    (world.folder / "campaigns").mkdir()
    running = world.start("--watch", "campaigns")
    until(lambda: len(running.group()) >= 5, "the program, its fork server, two that compose, and the resolver")
    others = set(running.group()) - {running.pid}
    assert {parent_of(pid) for pid in others} == {running.pid}
    assert all(LAUNCHER in Path(f"/proc/{pid}/cmdline").read_bytes() for pid in others)
    running.signal(signal.SIGKILL)
    until(lambda: not running.group(), "the end of all")
