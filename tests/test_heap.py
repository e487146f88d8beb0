from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """if True:
    import sys
    from bulkmail.heap import keep_small

    def resident():
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * 4096 // 1_000_000

    if sys.argv[1] == "small":
        keep_small()
    one = b"x" * 1_000_000
    del one  # from now on the C library takes such blocks out of its heap
    before = resident()
    large, kept = [], []
    for _ in range(60):
        large.append(b"x" * 1_000_000)
        kept.append(b"y" * 64_000)
    del large
    print(resident() - before)
"""


def grown(how: str) -> int:
    """Megabytes that a process has more when 60 MB of large blocks were freed that lay between small ones, 4 MB."""
    done = subprocess.run([sys.executable, "-c", PROGRAM, how], stdout=subprocess.PIPE, check=True, text=True)
    return int(done.stdout)


@pytest.mark.process
def test_large_blocks_that_are_freed_go_back_to_the_system():
    assert grown("small") < 10
    assert grown("as it is") > 50  # else there is nothing to set any more
