from __future__ import annotations

import contextlib
import os
import pty
import select
import subprocess
import sys
import time

import pytest

from bulkmail import cli


def test_one_picture_on_a_pipe(spool, capsys):
    assert cli.main(["top"]) == 0
    out = capsys.readouterr().out
    assert "no service runs on this spool" in out
    assert "> spring" in out or "> summer" in out
    assert "\x1b" not in out
    assert cli.main(["top", "--once", "--view", "holds"]) == 0
    assert "nothing is held, and nothing failed" in capsys.readouterr().out


def test_no_spool_is_told(place, capsys):
    assert cli.main(["top", "--once"]) == 1
    assert "nothing was ever sent from this spool" in capsys.readouterr().err


@pytest.mark.process
@pytest.mark.parametrize("terminal", ["xterm-256color", "vt100"])
def test_in_a_terminal_it_obeys_keys(spool, terminal):
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": terminal, "LINES": "24", "COLUMNS": "80"}
    process = subprocess.Popen(
        [sys.executable, "-m", "bulkmail.cli", "top"], stdin=theirs, stdout=theirs, stderr=theirs, env=environment,
        cwd=spool.parent,
    )  # fmt: skip
    os.close(theirs)
    got = b""

    def wait_for(words):
        nonlocal got
        until = time.monotonic() + 60
        while words not in got:
            assert select.select([ours], [], [], max(0.0, until - time.monotonic()))[0], got[-2000:]
            got += os.read(ours, 65536)

    try:
        wait_for(b"spring")
        for key, words in ((b"2", b"last 50"), (b"4", b"nothing is held"), (b"\t", b"delivered")):
            got = b""
            os.write(ours, key)
            wait_for(words)
        os.write(ours, b"q")
        with contextlib.suppress(OSError):  # EIO: the other end is closed
            while os.read(ours, 65536):
                pass
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
        os.close(ours)
