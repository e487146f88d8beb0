"""The resolver's process: started anew when it ends, asked over a pipe."""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IReactorTime

from bulkmail.mail import BulkmailError, OwnFault, answer_of
from bulkmail.workers import Worker

_RESTART_DELAY = 0.5  # seconds: one that cannot start would be started without end
_WITHIN = 60.0
_AT_ONCE = 3072  # octets of answers: some 40, each a route and perhaps a new lane, which is 200 us of work


class ResolverProcess:
    """Answers jobs of ``target`` (module:class), set up with ``options``. `start` and `close` it once."""

    def __init__(self, reactor: IReactorTime, target: str, options: Any) -> None:
        self._reactor = reactor
        self._target = target
        self._options = options
        self._worker: Worker | None = None
        self._closed = False

    def start(self) -> None:
        """Start the process, and from then on each time it has ended."""
        if self._closed:
            return
        self._worker = worker = Worker.start(self._reactor, self._target, self._ended, at_once=_AT_ONCE)
        worker.ask(("configure", self._options), None).addErrback(lambda _: None)

    async def ask(self, job: tuple[Any, ...]) -> Any:
        """Return the answer to a job; ``("own-fault", text)`` where the process does not give one."""
        assert self._worker is not None
        try:
            return await self._worker.ask(job, _WITHIN)
        except BulkmailError as error:
            return answer_of(OwnFault(f"the resolver process: {error}"))

    def stop(self) -> None:
        """Start it no more."""
        self._closed = True

    async def close(self) -> None:
        """End the process."""
        self._closed = True
        if self._worker is not None:
            await self._worker.close()

    def _ended(self, _: object) -> None:
        self._reactor.callLater(_RESTART_DELAY, self.start)
