"""The inside of a worker process: reads jobs from descriptor 0, writes answers to descriptor 1.

``python -P -m bulkmail.workers.child package.module:Class PARENT``. A class with ``async def handle`` gets many jobs at
once in an asyncio loop; one with a plain ``handle`` gets them one after another. The child ends when its input closes,
and is killed when the process ``PARENT`` ends, so none is left behind; it ignores SIGINT and SIGTERM (the parent
decides) and runs at a lower priority (nice 5), so that the event loop is served first.

Its memory is bounded: a job may take ``ROOM`` bytes beyond what the process had before, the class's own attribute of
that name or the gigabyte of `limits`. What the jobs named in a class's ``SETS_UP`` leave behind is not counted.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import os
import sys
import traceback
from collections.abc import Awaitable, Callable
from typing import Any

from bulkmail.workers.frames import Frames, frame
from bulkmail.workers.limits import ROOM, begin_child, bound_memory, without_garbage

_READ = 1 << 20


def _words(error: BaseException) -> str:
    """Format the error for the parent's log, at most 4,000 characters."""
    return "".join(traceback.format_exception(error))[-4000:]


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _run_plain(worker: Any, jobs: int, answers: int, room: int) -> None:
    handle, sets_up = worker.handle, frozenset(getattr(worker, "SETS_UP", ()))
    frames = Frames()
    while data := os.read(jobs, _READ):
        for number, job in frames.feed(data):
            try:
                answer = frame((number, True, handle(job)))
            except Exception as error:  # noqa: BLE001 - every error goes to the parent
                answer = frame((number, False, _words(error)))
            _write(answers, answer)
            if job[0] in sets_up:
                bound_memory(room)


async def _run_many(handle: Callable[[Any], Awaitable[Any]], jobs: int, answers: int) -> None:
    import asyncio  # noqa: PLC0415 - 9 MB that a plain worker does without

    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=_READ)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(jobs, "rb", buffering=0))
    frames = Frames()
    running: set[asyncio.Task[None]] = set()

    async def one(number: int, job: object) -> None:
        try:
            answer = frame((number, True, await handle(job)))
        except Exception as error:  # noqa: BLE001 - every error goes to the parent
            answer = frame((number, False, _words(error)))
        _write(answers, answer)  # the parent always reads, so this blocks for moments only

    while data := await reader.read(_READ):
        for number, job in frames.feed(data):
            task = loop.create_task(one(number, job))
            running.add(task)
            task.add_done_callback(running.discard)


def main(name: str, parent: int) -> None:
    """Serve the class ``name`` until the input closes, or the process ``parent`` has ended."""
    jobs, answers = begin_child(parent)
    module, _, attribute = name.partition(":")
    worker = getattr(importlib.import_module(module), attribute)()
    without_garbage()
    room = getattr(worker, "ROOM", ROOM)
    bound_memory(room)
    with contextlib.suppress(BrokenPipeError):
        if inspect.iscoroutinefunction(worker.handle):
            import asyncio  # noqa: PLC0415 - as above

            asyncio.run(_run_many(worker.handle, jobs, answers))
        else:
            _run_plain(worker, jobs, answers, room)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
