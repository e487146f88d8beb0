"""The process's end of the pipes to the service: does what that says, and passes calls and log lines on to it."""

from __future__ import annotations

import pickle
import socket
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import LogEvent, Logger, LogLevel, eventAsText
from twisted.python.failure import Failure

from bulkmail.inbound.asking import Asking
from bulkmail.inbound.serving import Serving
from bulkmail.inbound.wire import ANSWERS, CLOSE, FAULT, FIRST, LOG, OPEN, UP, Order
from bulkmail.mail import OwnFault
from bulkmail.workers import Frames, frame

_log = Logger("bulkmail")


class Child(Protocol):
    """Serves by ``serving``, with sockets that ``adopt`` makes of descriptors; ``leave`` ends the process."""

    transport: Any

    def __init__(
        self,
        reactor: Any,
        serving: Serving,
        leave: Callable[[], None],
        adopt: Callable[[int], socket.socket] = lambda descriptor: socket.socket(fileno=descriptor),
    ) -> None:
        self._serving = serving
        self._leave = leave
        self._adopt = adopt
        self._frames = Frames()
        self._asking = Asking(reactor, self._send)

    def log(self, event: LogEvent) -> None:
        """Pass on what is for the log (an observer): our own lines, and of libraries what is amiss."""
        level = event.get("log_level", LogLevel.info)
        if event.get("log_namespace") != "bulkmail" and level < LogLevel.warn:
            return
        text = eventAsText(event, includeTraceback=True, includeTimestamp=False, includeSystem=False)
        if text and self.transport is not None:
            self._send((LOG, level.name, text))

    # what Twisted calls

    def dataReceived(self, data: bytes) -> None:
        """Do what the service says."""
        for verb, *values in self._frames.feed(data):
            if verb == ANSWERS:
                self._asking.answered(values[0])
            elif verb == OPEN:
                self._open(*values)
            elif verb == CLOSE:
                self._background(self._close(values[0]))

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: ARG002
        """Leave: everything is closed, or the service is gone."""
        self._leave()

    def _open(self, order: bytes, count: int) -> None:
        sockets = [self._adopt(FIRST + number) for number in range(count)]
        made: Order = pickle.loads(order)  # noqa: S301 - of the process that has started this one
        try:
            self._serving.open(made, sockets, self._asking)
        except OwnFault as fault:
            self._send((FAULT, str(fault)))
            self._background(self._close(0.0))
        else:
            self._send((UP,))

    async def _close(self, within: float) -> None:
        try:
            await self._serving.close(within)
        finally:
            self._asking.flush()
            self.transport.loseConnection()

    def _background(self, task: Any) -> None:
        Deferred.fromCoroutine(task).addErrback(lambda failure: _log.failure("inbound: closing failed", failure))

    def _send(self, value: tuple[Any, ...]) -> None:
        self.transport.write(frame(value))
