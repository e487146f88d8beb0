from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import bulkmail.workers
from bulkmail.workers.frames import Frames, frame

pytestmark = pytest.mark.process


def start(tmp_path: Path, name: str = "workers_under_test:Slowly") -> subprocess.Popen[bytes]:
    source = Path(__file__).with_name("conftest.py").read_text(encoding="utf-8")
    (tmp_path / "workers_under_test.py").write_text(source, encoding="utf-8")
    return subprocess.Popen(
        [sys.executable, "-m", "bulkmail.workers.child", name, str(os.getpid())],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )


def answer(child: subprocess.Popen[bytes], job: tuple[object, ...]) -> Any:
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
    assert child.wait(timeout=60) == 0
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
    assert child.wait(timeout=60) == 0
    assert child.stdout is not None
    child.stdout.close()


def test_a_template_that_asks_for_endless_memory_costs_its_own_row(tmp_path: Path) -> None:
    child = start(tmp_path, "bulkmail.content.compose:Composer")
    content = {
        "name": "spring", "from": "news@example.com", "subject": "Hello", "html": None,
        "text": "{% if n != '0' %}{% set x = 'x'|center(n|int) %}{{ x|length }}{% endif %} Hello\n",
        "html_name": "", "text_name": "body.txt.j2", "includes": {}, "reply_to": None, "envelope_from": None,
        "headers": {}, "unsubscribe": None, "attachments": [], "defaults": {}, "columns": [["email", "n"]],
        "list_id": "", "key": b"k" * 32, "dkim": [],
    }  # fmt: skip
    assert answer(child, ("load", 1, content)) == (7, True, ("loaded", 1))
    rows = [
        (number, number, "ann@example.org", 1_795_424_400.25, 0, json.dumps(["ann@example.org", size]))
        for number, size in ((1, "0"), (2, str(3 << 30)), (3, "1000"))
    ]
    number, good, answers = answer(child, ("compose", 1, rows))
    assert (number, good) == (7, True), answers
    assert [message is not None for _, message, _, _ in answers] == [True, False, True]
    assert "asks for more memory than one recipient's message may take" in answers[1][3]
    assert child.stdin is not None
    child.stdin.close()
    assert child.wait(timeout=60) == 0
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
