from __future__ import annotations

import ast
import errno
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bulkmail import failpoints
from bulkmail.failpoints import POINTS, failpoint, parse

ROOT = Path(__file__).parent.parent


@pytest.fixture
def armed(monkeypatch):
    def arm(text):
        monkeypatch.setattr(failpoints, "armed", parse(text))

    return arm


def test_it_is_off_unless_asked_for():
    assert "BULKMAIL_FAILPOINTS" not in os.environ
    assert failpoints.armed == {}
    failpoint("after-claim")


def test_every_point_stands_in_the_house_and_in_a_test_of_its_death():
    calls = [
        node.args[0].value
        for path in (ROOT / "bulkmail").rglob("*.py")
        if path.parent.name != "postgres"  # the other store has the same ones
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "failpoint"
        if isinstance(node.args[0], ast.Constant)
    ]
    assert sorted(calls) == sorted(POINTS), "each stands in one place"
    deaths = "".join(path.read_text("utf-8") for path in (ROOT / "tests" / "behaviour").glob("*.py"))
    assert [point for point in POINTS if f'"{point}' not in deaths] == []


@pytest.mark.parametrize(
    ("text", "number"),
    [("mid-settle:eio", errno.EIO), ("mid-settle:enospc", errno.ENOSPC), (" mid-settle:eio ; ", errno.EIO)],
)
def test_an_error_is_the_systems(armed, text, number):
    armed(text)
    with pytest.raises(OSError, match=os.strerror(number)) as raised:
        failpoint("mid-settle")
    assert raised.value.errno == number
    failpoint("mid-claim")


@pytest.mark.parametrize(("hit", "failing"), [("", [1, 2, 3, 4]), ("@3", [3]), ("@3+", [3, 4]), ("@1", [1])], ids=str)
def test_at_which_time_it_fails(armed, hit, failing):
    armed(f"journal-write:eio{hit}")
    failed = []
    for n in range(1, 5):
        try:
            failpoint("journal-write")
        except OSError:
            failed.append(n)
    assert failed == failing


def test_a_detail_narrows_it(armed):
    armed("compose=a@d.test:eio")
    failpoint("compose", "b@d.test")
    with pytest.raises(OSError, match="Input/output error"):
        failpoint("compose", "a@d.test")


def test_sleeping(armed):
    armed("stopping:sleep=0.01")
    began = time.monotonic()
    failpoint("stopping")
    assert time.monotonic() - began >= 0.01


@pytest.mark.parametrize(
    "text",
    [
        "after-lunch:kill",
        "after-claim",
        "after-claim:die",
        "after-claim:sleep",
        "after-claim:kill=3",
        "after-claim:kill@x",
    ],
)
def test_what_does_not_parse_ends_the_process(text):
    with pytest.raises(ValueError, match=r"failpoint|action|invalid literal"):
        parse(text)
    ended = subprocess.run(
        [sys.executable, "-c", "import bulkmail.failpoints"],
        env={**os.environ, "BULKMAIL_FAILPOINTS": text},
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 1
    assert ended.stderr.startswith("BULKMAIL_FAILPOINTS: ")
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(("action", "status"), [("kill", -9), ("kill-group", -9), ("abort", -6)])
def test_the_ways_to_die(action, status):
    ended = subprocess.run(
        [sys.executable, "-c", "from bulkmail.failpoints import failpoint as f; f('closing'); f('closing'); print(1)"],
        env={**os.environ, "BULKMAIL_FAILPOINTS": f"closing:{action}@2"},
        start_new_session=True,
    )
    assert ended.returncode == status
