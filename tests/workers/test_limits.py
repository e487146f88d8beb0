from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bulkmail.workers.limits import ROOM

pytestmark = pytest.mark.process

PARENT = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", CHILD, str(os.getpid())])
print(child.pid, flush=True)
time.sleep(60)
"""
CHILD = """
import sys
from bulkmail.workers.limits import end_with_parent
end_with_parent(int(sys.argv[1]))
while True:
    pass
"""


def test_a_busy_child_ends_with_a_parent_that_was_killed() -> None:
    text = f"CHILD = {CHILD!r}\n{PARENT}"
    with subprocess.Popen([sys.executable, "-c", text], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        time.sleep(1.0)
        parent.send_signal(signal.SIGKILL)
    until = time.monotonic() + 60
    while running(pid) and time.monotonic() < until:
        time.sleep(0.05)
    assert not running(pid)


def running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_child_whose_parent_is_gone_does_not_begin() -> None:
    text = "from bulkmail.workers.limits import end_with_parent; end_with_parent(1 << 22)"
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, check=False)
    assert done.returncode == 1
    assert b"is gone" in done.stderr


def test_memory_beyond_the_room_is_a_memory_error_and_what_was_there_does_not_count() -> None:
    text = (
        "from bulkmail.workers.limits import bound_memory\n"
        "held = bytearray(200 << 20)\n"
        "bound_memory(100 << 20)\n"
        "some = bytearray(50 << 20)\n"
        "try:\n    bytearray(200 << 20)\n"
        "except MemoryError:\n    print('no more')\n"
    )
    done = subprocess.run([sys.executable, "-c", text], stdout=subprocess.PIPE, check=True)
    assert done.stdout == b"no more\n"
    assert ROOM == 1 << 30


@pytest.mark.skipif(not os.path.exists("/proc/self/oom_score_adj"), reason="no such file in this system")
def test_the_kernel_takes_a_child_first() -> None:
    text = (
        "from bulkmail.workers.limits import offer_to_the_kernel\n"
        "offer_to_the_kernel()\nprint(open('/proc/self/oom_score_adj').read())"
    )
    done = subprocess.run([sys.executable, "-c", text], stdout=subprocess.PIPE, check=True)
    assert int(done.stdout) == 500
