"""The service's end of the pipes to the server's process: starts it, answers what it asks, and ends it."""

from __future__ import annotations

import contextlib
import os
import pickle
import socket
import sys
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger, LogLevel
from twisted.python.failure import Failure

from bulkmail.inbound.wire import ANSWERS, CALLS, CLOSE, FAULT, FIRST, LOG, OPEN, UP, Order, event_of, plain_found
from bulkmail.mail import OwnFault, ReturnPath
from bulkmail.workers import Frames, frame, surroundings

_log = Logger("bulkmail")

_START_WITHIN = 60.0  # seconds
_END_WITHIN = 5.0  # seconds, beyond those that it has for its clients
_A_TURN = 8  # calls that are begun in one turn of the event loop: there is mail to send as well
_TOGETHER = 0.005  # seconds; answers of these go together, for each frame wakes the process


class ServerProcess(ProcessProtocol):
    """One child process. ``returns`` answers what it asks.

    ``up`` fires when it serves, or fails with OwnFault; ``ended`` fires with the reason when it is gone.
    """

    transport: Any

    def __init__(self, reactor: Any, returns: ReturnPath) -> None:
        self.up: Deferred[None] = Deferred()
        self.ended: Deferred[str] = Deferred()
        self._reactor = reactor
        self._returns = returns
        self._frames = Frames()
        self._asked: deque[tuple[int, str, Sequence[Any]]] = deque()
        self._beginning = False
        self._answers: list[tuple[int, bool, Any]] = []
        self._errors = b""
        self._gone = False
        self._kill_later: Any = None
        self._calls: dict[str, Callable[..., Awaitable[Any]]] = {
            "token_key": returns.token_key,
            "find": self._find,
            "members": returns.members,
            "returned": self._returned,
            "complained": self._complained,
            "unsubscribe": self._unsubscribe,
        }

    @classmethod
    def start(cls, reactor: Any, returns: ReturnPath, order: Order, sockets: Sequence[socket.socket]) -> ServerProcess:
        """Start it, and have it serve; the sockets stay ours as well. Raises OwnFault."""
        process = cls(reactor, returns)
        descriptors: dict[int, Any] = {FIRST + number: one.fileno() for number, one in enumerate(sockets)}
        try:
            reactor.spawnProcess(
                process,
                sys.executable,
                # -P: a module in the current folder, which may be a campaign's, is never imported
                [sys.executable, "-P", "-m", "bulkmail.inbound", str(os.getpid())],
                env=surroundings(),
                childFDs={0: "w", 1: "r", 2: "r", **descriptors},
            )
        except OSError as error:
            raise OwnFault(f"inbound: no process can be started for incoming mail ({error.strerror})") from None
        process.say((OPEN, pickle.dumps(order), len(sockets)))
        process.kill_in(_START_WITHIN)
        return process

    def say(self, value: tuple[Any, ...]) -> None:
        """Say something to it, as `wire` has it; nothing where it is gone."""
        if not self._gone:
            self.transport.write(frame(value))

    def close(self, within: float) -> Deferred[str]:
        """Have it end: its clients have ``within`` seconds. Returns `ended`."""
        self.say((CLOSE, within))
        self.kill_in(within + _END_WITHIN)
        return self.ended

    def kill_in(self, seconds: float) -> None:
        """Kill it then, unless it has done by then what it was told last."""
        self._stop_timer()
        if not self._gone:
            self._kill_later = self._reactor.callLater(seconds, self._kill)

    # what Twisted calls

    def outReceived(self, data: bytes) -> None:
        """Take what it says."""
        for verb, *values in self._frames.feed(data):
            if verb == CALLS:
                self._asked.extend(values[0])
                if not self._beginning:
                    self._begin()
            elif verb == LOG:
                _log.emit(LogLevel.levelWithName(values[0]), "{text}", text=values[1])
            elif verb == UP:
                self._stop_timer()
                self.up.callback(None)
            elif verb == FAULT:
                self.up.errback(OwnFault(values[0]))

    def errReceived(self, data: bytes) -> None:
        """Keep the last 4,000 bytes of standard error for the log."""
        self._errors = (self._errors + data)[-4000:]

    def processEnded(self, reason: Failure) -> None:
        """Note that it is gone: what it has asked for had no 250 yet, and is brought again."""
        self._gone = True
        self._asked.clear()
        self._stop_timer()
        if self._errors:
            _log.warn("inbound: its process wrote: {text}", text=self._errors.decode("utf-8", "replace"))
        words = reason.getErrorMessage()
        if not self.up.called:
            self.up.errback(OwnFault(f"inbound: the process that takes mail in did not start ({words})"))
        self.ended.callback(words)

    def _kill(self) -> None:
        self._kill_later = None
        with contextlib.suppress(ProcessExitedAlready):
            self.transport.signalProcess("KILL")

    def _stop_timer(self) -> None:
        if self._kill_later is not None:
            self._kill_later.cancel()
            self._kill_later = None

    # what it asks

    def _begin(self) -> None:
        """Begin with some of the calls, and with the others in the next turns."""
        for _ in range(min(_A_TURN, len(self._asked))):
            self._call(*self._asked.popleft())
        self._beginning = bool(self._asked)
        if self._beginning:
            self._reactor.callLater(0, self._begin)

    def _call(self, number: int, name: str, arguments: Sequence[Any]) -> None:
        if name == "unattributed":
            self._returns.unattributed(*arguments)
            return
        answer: Deferred[Any] = Deferred.fromCoroutine(self._calls[name](*arguments))  # type: ignore[arg-type]
        answer.addCallbacks(self._good, self._bad, callbackArgs=(number,), errbackArgs=(number,))

    def _good(self, value: Any, number: int) -> None:
        self._answer(number, True, value)

    def _bad(self, failure: Failure, number: int) -> None:
        if not isinstance(failure.value, OwnFault):
            _log.failure("inbound: what came back could not be recorded", failure)
        self._answer(number, False, failure.getErrorMessage())

    def _answer(self, number: int, good: bool, value: Any) -> None:
        if not self._answers:
            self._reactor.callLater(_TOGETHER, self._flush)
        self._answers.append((number, good, value))

    def _flush(self) -> None:
        answers, self._answers = self._answers, []
        self.say((ANSWERS, answers))

    async def _find(self, token: str) -> tuple[Any, ...] | None:
        return plain_found(await self._returns.find(token))

    async def _returned(self, token: str, event: Sequence[Any]) -> tuple[Any, ...] | None:
        return plain_found(await self._returns.returned(token, event_of(event)))

    async def _complained(self, token: str, event: Sequence[Any]) -> tuple[Any, ...] | None:
        return plain_found(await self._returns.complained(token, event_of(event)))

    async def _unsubscribe(self, token: str, how: str, key: str) -> tuple[Any, ...] | None:
        return plain_found(await self._returns.unsubscribe(token, how, key))
