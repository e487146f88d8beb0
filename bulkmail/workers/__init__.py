"""Child processes for everything that keeps Python busy, so that the event loop never waits for it.

Room: the only child processes; a worker class is named ("bulkmail.content.compose:Composer"), never imported here.
Takes: jobs and answers of plain data (what `marshal` carries), a deadline for each job.
Gives: a Deferred for each answer; a dead or overdue worker fails exactly the jobs it held, and is replaced.
        `Command` runs a program of the operator's once, and returns its output. What a child does first
        (`begin_child`), for one that another room starts.
Never: shares memory, leaves a child behind (a child exits when its input closes), retries a job by itself.

Why not threads: Python beside the event loop starves it (30,500 line exchanges a second fell to 470 with CSV parsing
in a thread). Why not concurrent.futures: it leaves workers behind a killed parent and fails every job in flight when
one worker dies. Here each job has a known worker, so an endless template can be killed and the row found.

The wire is `marshal` between two processes of one interpreter: faster than pickle. It is no guard against
a worker that hostile content has taken over: that runs as the same user and could do whatever bad bytes could.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bulkmail.lazily import later
from bulkmail.workers.frames import Frames, frame
from bulkmail.workers.limits import begin_child, without_garbage
from bulkmail.workers.surroundings import DATABASE, surroundings

if TYPE_CHECKING:
    from bulkmail.workers.command import Command, CommandFailedError
    from bulkmail.workers.pool import Pool, Worker, WorkerDiedError, WorkerFailedError, WorkerLateError
else:
    __getattr__ = later(
        __name__,
        {
            "command": "Command CommandFailedError",
            "pool": "Pool Worker WorkerDiedError WorkerFailedError WorkerLateError",
        },
    )

__all__ = [
    "DATABASE",
    "Command",
    "CommandFailedError",
    "Frames",
    "Pool",
    "Worker",
    "WorkerDiedError",
    "WorkerFailedError",
    "WorkerLateError",
    "begin_child",
    "frame",
    "surroundings",
    "without_garbage",
]
