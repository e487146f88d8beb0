"""The tutorial is run word for word: its files are written, its commands run in order, and what they print is compared.

What differs from run to run stands as ``…`` in the page: within a line it is any text, alone on a line any lines. The
two ports are exchanged for free ones.
"""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.ports import free_port

pytestmark = [pytest.mark.loopback, pytest.mark.slow]

ROOT = Path(__file__).parent.parent.parent
BLOCK = re.compile(
    r"^(?:<!-- (?P<kind>file|background)(?:: (?P<name>\S+))? -->\n)?```(?P<lang>\w*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
PATIENCE = 500.0
ANSWER = re.compile(r"\? \[y/N\] (\w+)$", re.MULTILINE)


def steps(text: str) -> Iterator[tuple[str, str]]:
    """Each command of a console block with what it is shown to print."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, printed = part.partition("\n")
        yield command, printed


def pattern(printed: str) -> re.Pattern[str]:
    """What a command may print."""
    lines = [
        r"(?:[^\n]*\n)*?" if line == "…" else re.escape(line).replace("…", r"[^\n]*") + r"\n"
        for line in printed.splitlines()
    ]
    return re.compile("".join(lines))


@contextmanager
def typed(words: str) -> Iterator[int]:
    """A terminal at which somebody types ``words``."""
    ours, theirs = pty.openpty()
    try:
        os.write(ours, words.encode() + b"\n")
        yield theirs
    finally:
        os.close(ours)
        os.close(theirs)


def run(command: str, folder: Path, environment: dict[str, str], answer: str) -> str:
    """Run one command as a shell does; what it prints on either stream."""
    with typed(answer) as terminal:
        ended = subprocess.run(
            ["bash", "-c", command], cwd=folder, env=environment, stdin=terminal if answer else subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=PATIENCE,
        )  # fmt: skip
    # what a terminal does not show: a byte order mark, and the first half of a line end
    return ended.stdout.decode("utf-8", "replace").replace("\r\n", "\n").replace("\ufeff", "").rstrip("\n")


def test_the_tutorial_is_true_word_for_word(tmp_path: Path, end: Any, until: Any) -> None:
    text = (ROOT / "docs" / "tutorial.md").read_text("utf-8")
    for port in ("2525", "5354"):
        assert port in text
        text = text.replace(port, str(free_port()))
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "BROWSER": "true"}
    background = []
    began = os.times()
    try:
        for block in BLOCK.finditer(text):
            if block["kind"] == "file":
                written = tmp_path / block["name"]
                written.parent.mkdir(exist_ok=True)
                written.write_text(block["text"], "utf-8")
            elif block["kind"] == "background":
                ((command, _),) = steps(block["text"])
                process = subprocess.Popen(
                    command.split(), cwd=tmp_path, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
                )
                background.append(process)
                assert process.stdout is not None
                assert process.stdout.readline().startswith(b"{")
            elif block["lang"] == "console":
                for command, shown in steps(block["text"]):
                    asked = ANSWER.search(shown)
                    printed = run(command, tmp_path, environment, asked[1] if asked else "")
                    wanted = ANSWER.sub(r"? [y/N] …", shown) if asked else shown
                    assert pattern(wanted.rstrip("\n")).fullmatch(f"{printed}\n"), (
                        f"$ {command}\n{printed}\n-- and not\n{wanted}"
                    )
    finally:
        for process in background:
            end(process)
    ended = os.times()
    spent = ended.children_user + ended.children_system - began.children_user - began.children_system
    assert spent < 150, "seconds of the processor: half of five minutes"
