from __future__ import annotations

import json
import os
import subprocess
import sys
import termios

import pytest

from bulkmail.commands import terminal


def test_results_go_to_stdout_and_notices_to_stderr(capsys):
    terminal.say("done")
    terminal.tell("look here")
    assert capsys.readouterr() == ("done\n", "look here\n")


def test_one_json_value(capsys):
    terminal.say_json({"rows": 3})
    assert json.loads(capsys.readouterr().out) == {"rows": 3}


def test_a_time_is_utc_to_the_precision_asked_for():
    assert terminal.utc(0.25) == "1970-01-01T00:00Z"
    assert terminal.utc(0.25, "milliseconds") == "1970-01-01T00:00:00.250Z"


DRAWING = """
import pytest

from bulkmail.commands import terminal
terminal._PROGRESS_AFTER = {after}
with terminal.progress("reading recipients.csv", 10) as bar:
    for _ in range(10):
        bar.update()
"""


def drawn(after: float, *, tty: bool) -> str:
    """What a progress bar writes on stderr, which is a terminal or a pipe."""
    ours, theirs = os.openpty() if tty else os.pipe()
    if tty:
        termios.tcsetwinsize(theirs, (25, 80))
    command = [sys.executable, "-c", DRAWING.format(after=after)]
    subprocess.run(command, stderr=theirs, check=True, timeout=300, env={**os.environ, "NO_COLOR": "1"})
    os.close(theirs)
    text = b""
    try:
        while piece := os.read(ours, 4096):
            text += piece
    except OSError:  # a pseudo terminal whose other end is closed
        pass
    os.close(ours)
    return text.decode()


@pytest.mark.process
def test_a_progress_bar_is_drawn_on_a_terminal_without_colour():
    text = drawn(0.0, tty=True)
    assert "reading recipients.csv" in text
    assert "\x1b[3" not in text


@pytest.mark.process
def test_short_work_draws_no_progress_bar():
    assert "reading" not in drawn(2.0, tty=True)


@pytest.mark.process
def test_on_a_pipe_no_progress_bar_is_drawn():
    assert drawn(0.0, tty=False) == ""
