from __future__ import annotations

import signal
import subprocess
import sys
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


def test_a_forked_text_is_run_as_the_interpreter_runs_it(run_python: Any, tmp_path: Path) -> None:
    text = "import os, sys; print(sys.argv, sys.path[0] == '', os.getcwd(), __name__, input()); sys.exit(3)"
    words = [sys.executable, "-c", text, "a b"]
    started = subprocess.run(words, cwd=tmp_path, input="x", capture_output=True, text=True)
    forked = run_python(words, cwd=tmp_path, given="x")
    assert started.stdout == f"['-c', 'a b'] True {tmp_path} __main__ x\n"
    assert (forked.returncode, forked.stdout, forked.stderr) == (3, started.stdout, "")


def test_a_forked_module_is_run_as_the_interpreter_runs_it(run_python: Any, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("import sys; print(sys.argv[1:], __name__); raise KeyError('x')")
    forked = run_python([sys.executable, "-m", "mine", "a"], cwd=tmp_path)
    assert (forked.returncode, forked.stdout) == (1, "['a'] __main__\n")
    assert forked.stderr.endswith("KeyError: 'x'\n")
    apart = run_python([sys.executable, "-P", "-m", "mine", "a"], cwd=tmp_path)
    assert "No module named mine" in apart.stderr


def test_a_forked_program_is_told_from_its_environment_and_ended_by_a_signal(popen: Any) -> None:
    text = "import os; print(os.environ, flush=True); input()"
    process = popen([sys.executable, "-c", text], env={"A": "b"}, stdin=-1, stdout=-1, stderr=-1, text=True)
    assert process.stdout.readline() == "environ({'A': 'b'})\n"
    process.kill()
    assert process.communicate(timeout=300) == ("", "")
    assert process.returncode == -signal.SIGKILL
