from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import bulkmail.workers
from bulkmail.workers.frames import Frames, frame


def start(tmp_path: Path) -> subprocess.Popen[bytes]:
    source = Path(__file__).with_name("conftest.py").read_text(encoding="utf-8")
    (tmp_path / "workers_under_test.py").write_text(source, encoding="utf-8")
    return subprocess.Popen(
        [sys.executable, "-m", "bulkmail.workers.child", "workers_under_test:Slowly", str(os.getpid())],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )


def answer(child: subprocess.Popen[bytes], job: tuple[object, ...]) -> object:
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(frame((7, job)))
    child.stdin.flush()
    frames = Frames()
    while True:
        for value in frames.feed(os.read(child.stdout.fileno(), 65536)):
            return value


def test_it_ignores_the_signals_that_its_parent_handles_and_ends_with_its_input(tmp_path: Path) -> None:
    child = start(tmp_path)
    assert answer(child, ("echo", b"x")) == (7, True, b"x")
    child.send_signal(signal.SIGINT)
    child.send_signal(signal.SIGTERM)
    time.sleep(0.1)
    assert answer(child, ("echo", b"y")) == (7, True, b"y")
    assert child.stdin is not None
    child.stdin.close()
    assert child.wait(timeout=10) == 0
    assert child.stdout is not None
    child.stdout.close()


def test_a_job_may_not_take_all_memory_and_what_sets_up_does_not_count(tmp_path: Path) -> None:
    child = start(tmp_path)
    _, good, words = answer(child, ("take", 2 << 30))
    assert (good, "MemoryError" in words) == (False, True)
    for key in range(4):  # more than a gigabyte in all
        assert answer(child, ("know", key, 400 << 20))[1]
    assert answer(child, ("take", 500 << 20))[1]
    assert child.stdin is not None
    child.stdin.close()
    assert child.wait(timeout=10) == 0
    assert child.stdout is not None
    child.stdout.close()


def test_it_does_not_pay_for_its_parents_side() -> None:
    text = "import sys, bulkmail.workers.child; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", text], stdout=subprocess.PIPE, check=True).stdout.decode().split()
    assert "bulkmail.workers.frames" in loaded
    assert not {"twisted", "asyncio", "bulkmail.workers.pool"} & set(loaded)


def test_the_parents_side_is_there_when_it_is_asked_for() -> None:
    assert bulkmail.workers.Pool.__module__ == "bulkmail.workers.pool"
    assert bulkmail.workers.Command.__module__ == "bulkmail.workers.command"
    with pytest.raises(AttributeError, match="has no attribute 'Thread'"):
        bulkmail.workers.Thread  # noqa: B018
