"""The parent's side: one Worker is one child process; a Pool keeps several alike and replaces the dead.

Every job has one worker and one deadline. When a worker dies, exactly the jobs it held fail (WorkerDiedError); when a
job is late, its worker is killed (WorkerLateError for that job, WorkerDiedError for those behind it in the same
worker). The caller decides what that means: the compose pool looks for the row that did it.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from bulkmail.mail import BulkmailError
from bulkmail.workers.answers import AT_ONCE, Answers
from bulkmail.workers.frames import Frames, frame
from bulkmail.workers.surroundings import surroundings

_log = Logger("bulkmail")

_RESTART_DELAY = 0.5  # seconds
_LOAD = attrgetter("load")
_END_WITHIN = 5.0  # seconds


class WorkerFailedError(BulkmailError):
    """A worker process reported an error of its own; the text is its traceback."""


class WorkerDiedError(BulkmailError):
    """A worker process ended while it held this job.

    ``killed``: by a SIGKILL from outside, perhaps not by the job. ``begun``: it may have been working on this job; else
    the job stood in line behind another one.
    """

    def __init__(self, text: str, *, killed: bool = False, begun: bool = True) -> None:
        super().__init__(text)
        self.killed = killed
        self.begun = begun


class WorkerLateError(BulkmailError):
    """A worker process did not answer within the deadline and was killed."""


@dataclass(slots=True)
class _Job:
    answer: Deferred[Any]
    deadline: IDelayedCall | None
    at: float
    load: float
    worked: Callable[[float], None] | None


class Worker(ProcessProtocol):
    """One child process that serves one named class. Jobs are sent in order; answers come as the child gives them.

    ``load``: that of the jobs that it holds, as their callers have it.
    """

    def __init__(self, reactor: Any, name: str, ended: Callable[[Worker], None] | None = None) -> None:
        self.name = name
        self._reactor = reactor
        self._ended = ended
        self._frames = Frames()
        self._jobs: dict[int, _Job] = {}
        self._next = 0
        self._free_at = 0.0  # when it has answered last, on the reactor's clock
        self._gone = self._late_one = False
        self.load = 0.0
        self._closing = self._killed = False
        self._errors = b""
        self._exit: Deferred[None] = Deferred()
        self._end: IDelayedCall | None = None
        self._exit_reason: Failure | None = None
        self.answers: Answers | None = None

    @classmethod
    def start(
        cls,
        reactor: Any,
        name: str,
        ended: Callable[[Worker], None] | None = None,
        further: Sequence[str] = (),
        at_once: int = AT_ONCE,
    ) -> Worker:
        """Start the child process. ``ended`` is called once when it is gone, for any reason.

        ``further``: what it sees of the environment beside the `surroundings` of each child. ``at_once``: octets of its
        answers that are taken in one turn of the event loop.
        """
        worker = cls(reactor, name, ended)
        reading, writing = os.pipe()
        try:
            reactor.spawnProcess(
                worker,
                sys.executable,
                # -P: a module in the current folder, which may be a campaign's, is never imported
                [sys.executable, "-P", "-m", "bulkmail.workers.child", name, str(os.getpid())],
                env=surroundings(further),
                childFDs={0: "w", 1: writing, 2: "r"},
            )
            worker.answers = Answers(reactor, reading, worker.answered, worker.no_more, at_once)
        finally:
            os.close(writing)
        return worker

    @property
    def busy(self) -> int:
        """Count the jobs it holds."""
        return len(self._jobs)

    @property
    def pid(self) -> int | None:
        """Return its process id, None when it does not run."""
        return None if self.transport is None else self.transport.pid

    def ask(
        self,
        job: tuple[Any, ...],
        deadline: float | None,
        *,
        load: float = 1.0,
        worked: Callable[[float], None] | None = None,
    ) -> Deferred[Any]:
        """Send ``job``, and return a Deferred for its answer; ``deadline`` in seconds, None for no limit.

        Cancelling the Deferred means that the deadline has passed: the worker is killed. ``worked(seconds)`` is called
        right before the answer, with how long the child has worked on it, other jobs not counted.
        """
        number = self._next
        answer: Deferred[Any] = Deferred(lambda _: self._late(number))
        if self._gone:
            answer.errback(WorkerDiedError(f"{self.name} is not running"))
            return answer
        data = frame((number, job))
        self._next += 1
        timer = None if deadline is None else self._reactor.callLater(deadline, self._late, number)
        self._jobs[number] = _Job(answer, timer, self._reactor.seconds(), load, worked)
        self.load += load
        if self.transport is not None:
            self.transport.write(data)
        return answer

    def close(self) -> Deferred[None]:
        """Close its input, at which it ends by itself. The Deferred fires when it is gone."""
        self._closing = True
        if not self._gone and self._end is None and self.transport is not None:
            self.transport.closeStdin()
            # A child that is stuck in a job does not see the end of its input.
            self._end = self._reactor.callLater(_END_WITHIN, self.kill)
        return self._exit

    def kill(self) -> None:
        """Kill the child process."""
        self._killed = True
        if not self._gone and self.transport is not None:
            try:
                self.transport.signalProcess("KILL")
            except ProcessExitedAlready:
                self._gone = True

    def _late(self, number: int) -> None:
        job = self._jobs.pop(number)
        if job.deadline is not None and job.deadline.active():
            job.deadline.cancel()
        self._late_one = True
        self.kill()
        job.answer.errback(WorkerLateError(f"{self.name} did not answer in time and was ended"))

    def answered(self, data: bytes) -> None:
        """Take bytes of answers, cut anywhere."""
        for number, good, value in self._frames.feed(data):
            job = self._jobs.pop(number, None)
            if job is None:
                continue
            if job.deadline is not None:
                job.deadline.cancel()
            self.load -= job.load
            now = self._reactor.seconds()
            if job.worked is not None:
                job.worked(now - max(job.at, self._free_at))
            self._free_at = now
            if good:
                job.answer.callback(value)
            else:
                job.answer.errback(WorkerFailedError(value))

    def no_more(self) -> None:
        """Note that the child has closed its output: once its exit is known too, the jobs it still held are lost."""
        self.answers = None
        if self._exit_reason is not None:
            self._over(self._exit_reason)

    # what Twisted calls

    def errReceived(self, data: bytes) -> None:
        """Keep the last 4,000 bytes of standard error for the log."""
        self._errors = (self._errors + data)[-4000:]

    def processEnded(self, reason: Failure) -> None:
        """Note that the child is gone; answers it had written may still be in the pipe."""
        self._gone = True
        if self.answers is None:
            self._over(reason)
        else:
            self._exit_reason = reason
            self.answers.drain()

    def _over(self, reason: Failure) -> None:
        """Fail the jobs it held, and call ``ended``."""
        if self._end is not None and self._end.active():
            self._end.cancel()
        if self._errors:
            _log.warn("{name} wrote: {text}", name=self.name, text=self._errors.decode("utf-8", "replace"))
        jobs, self._jobs = self._jobs, {}
        for job in jobs.values():
            if job.deadline is not None:
                job.deadline.cancel()
        if not self._closing:
            _log.warn("{name} ended: {reason}", name=self.name, reason=reason.getErrorMessage())
        killed = not self._killed and getattr(reason.value, "signal", None) == signal.SIGKILL
        begun = not self._late_one  # it worked on the oldest one: on that which was late, or else on the first
        for job in jobs.values():
            text = f"{self.name} ended: {reason.getErrorMessage()}"
            job.answer.errback(WorkerDiedError(text, killed=killed, begun=begun))
            begun = False
        if self._ended is not None:
            self._ended(self)
        self._exit.callback(None)


class Pool:
    """``size`` workers of one class. Jobs go to the least busy; a dead worker is replaced and set up again."""

    def __init__(self, reactor: Any, name: str, size: int, further: Sequence[str] = ()) -> None:
        self._reactor = reactor
        self._name = name
        self._size = size
        self._further = further
        self._workers: list[Worker] = []
        self._alone: set[Worker] = set()
        self._setup: dict[object, tuple[Any, ...]] = {}
        self._started = self._closing = False

    def start(self) -> None:
        """Start all workers; a further call does nothing."""
        if not self._started and not self._closing:
            self._started = True
            for _ in range(self._size):
                self._add()

    @property
    def size(self) -> int:
        """Return the number of workers when none is being replaced."""
        return self._size

    @property
    def pids(self) -> list[int]:
        """Return the process ids of the workers that run."""
        return [worker.pid for worker in self._workers if worker.pid is not None]

    def set_up(self, key: object, job: tuple[Any, ...]) -> None:
        """Send ``job`` to every worker, now and whenever one is replaced (a campaign's content)."""
        self._setup[key] = job
        for worker in self._workers:
            self._send_setup(worker, job)

    def keep(self, key: object, job: tuple[Any, ...]) -> None:
        """Repeat ``job`` instead of the set-up ``key`` when a worker is replaced; the running ones know it already."""
        self._setup[key] = job

    def tear_down(self, key: object, job: tuple[Any, ...]) -> None:
        """Stop repeating the set-up ``key`` and send ``job`` to every worker."""
        if self._setup.pop(key, None) is not None:
            for worker in self._workers:
                self._send_setup(worker, job)

    def ask(
        self,
        job: tuple[Any, ...],
        deadline: float | None,
        *,
        load: float = 1.0,
        worked: Callable[[float], None] | None = None,
        apart: bool = False,
    ) -> Deferred[Any]:
        """Send ``job`` to the worker with the least load. See `Worker.ask`.

        ``apart``: not to the last one of several, which so is left to other jobs.
        """
        if not self._workers:
            answer: Deferred[Any] = Deferred()
            answer.errback(WorkerDiedError(f"no {self._name} is running"))
            return answer
        some = self._workers[:-1] if apart and len(self._workers) > 1 else self._workers
        return min(some, key=_LOAD).ask(job, deadline, load=load, worked=worked)

    def alone(self) -> Worker:
        """Start a worker that gets no other jobs, for one that may kill it. The caller closes it."""
        worker = Worker.start(self._reactor, self._name, self._alone.discard, self._further)
        self._alone.add(worker)
        for setup in self._setup.values():
            self._send_setup(worker, setup)
        return worker

    async def close(self) -> None:
        """Close all workers and wait for them."""
        self._closing = True
        for exit_ in [worker.close() for worker in (*self._workers, *self._alone)]:
            await exit_

    def _add(self) -> None:
        worker = Worker.start(self._reactor, self._name, self._replace, self._further)
        self._workers.append(worker)
        for setup in self._setup.values():
            self._send_setup(worker, setup)

    def _replace(self, worker: Worker) -> None:
        self._workers.remove(worker)
        if not self._closing:
            # Not at once: a class that cannot start would spawn processes without end.
            self._reactor.callLater(_RESTART_DELAY, self._again)

    def _again(self) -> None:
        if not self._closing:
            self._add()

    def _send_setup(self, worker: Worker, job: tuple[Any, ...]) -> None:
        def failed(failure: Failure) -> None:
            if not isinstance(failure.value, WorkerDiedError):
                _log.failure("a worker could not be set up", failure)

        worker.ask(job, None).addErrback(failed)
