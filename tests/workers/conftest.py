from __future__ import annotations

import asyncio
import os
import time
from typing import Any


class Slowly:
    """A worker for the tests: does what the job's verb says."""

    SETS_UP = ("know",)

    def __init__(self) -> None:
        self.known: dict[Any, Any] = {}

    def handle(self, job: tuple[Any, ...]) -> Any:
        match job:
            case ("echo", value):
                print("this must not break the frames")  # noqa: T201
                return value
            case ("know", key, value):
                self.known[key] = bytearray(value) if isinstance(value, int) else value
                return None
            case ("take", size):
                return len(bytearray(size))
            case ("tell", key):
                return self.known.get(key)
            case ("die",):
                os._exit(3)
            case ("hang",):
                time.sleep(60)
            case ("sleep", seconds):
                time.sleep(seconds)
                return os.getpid()
            case ("until", path):
                while not os.path.exists(path):
                    time.sleep(0.005)
                return os.getpid()
            case ("pid",):
                return os.getpid()
        raise LookupError(f"no such verb: {job[0]}")


class AtOnce:
    """An asyncio worker for the tests: answers a later job first."""

    async def handle(self, job: tuple[Any, ...]) -> Any:
        await asyncio.sleep(job[1])
        return job[0]
