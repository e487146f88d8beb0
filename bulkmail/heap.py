"""How the C library keeps memory that is freed, for a process that lives long.

Python has most of its small objects in arenas of its own. What is larger than 512 bytes, such as messages and SQLite's
pages, comes from malloc. The GNU C library gives each thread a heap, and takes larger and larger blocks out of these as
such blocks are freed; what lies between others is then held for good. Measured with 100,000 rows over 50,000 domains:
with what is set here the main process took 116 MB at most instead of 122, and the same CPU time.
"""

from __future__ import annotations

import ctypes

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8  # mallopt(3)
_LARGE = 128 * 1024  # bytes: where the C library begins, before it adapts itself


def keep_small() -> None:
    """Have all threads share one heap, large blocks go back to the system, and the end of the heap too.

    To be called before there are threads. Does nothing where the C library has no such setting.
    """
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option is not None:
        for option, value in ((_ARENA_MAX, 1), (_MMAP_THRESHOLD, _LARGE), (_TRIM_THRESHOLD, _LARGE)):
            set_option(option, value)
