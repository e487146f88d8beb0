"""Work in a forked child: what it imports, and the memory that it takes, is gone with it; this process goes on.

For a process that has only begun: neither a thread nor a database nor a reactor that runs would survive the fork.
"""

from __future__ import annotations

import marshal
import os
import traceback
from collections.abc import Callable
from typing import Any


class Forked:
    """One child, which calls ``work()`` at once. That returns plain data (None, numbers, text, bytes, lists, dicts)."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self._reading, writing = os.pipe()
        self._child = os.fork()
        if self._child:
            os.close(writing)
            return
        try:
            os.close(self._reading)
            _write(writing, _answer(work))
        finally:
            os._exit(0)

    def result(self) -> Any:
        """Wait for the end of the child, once, and return what it has. Raises RuntimeError where it has an error."""
        with os.fdopen(self._reading, "rb") as pipe:
            data = pipe.read()
        _, status = os.waitpid(self._child, 0)
        if not data:
            raise RuntimeError(f"a child has ended before its work was done (signal {os.WTERMSIG(status)})")
        good, value = marshal.loads(data)  # noqa: S302 - our own child's
        if not good:
            raise RuntimeError(value)
        return value


def _answer(work: Callable[[], Any]) -> bytes:
    try:
        return marshal.dumps((True, work()))
    except Exception:  # noqa: BLE001 - told to the parent, which raises it
        return marshal.dumps((False, traceback.format_exc()))


def _write(writing: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(writing, view) :]
