"""The sockets of the server, made once, and the process that serves them, for as long as it is to."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from bulkmail.inbound.server_process import ServerProcess
from bulkmail.inbound.sockets import activated, bound
from bulkmail.inbound.wire import Order
from bulkmail.mail import OwnFault, ReturnPath
from bulkmail.settings import SYSTEMD, Settings

_log = Logger("bulkmail")

FOLDER = "inbound"
"""In the folder that this machine keeps for itself."""

_AGAIN = 0.5  # seconds
_AGAIN_BEHIND_A_FAULT = 5.0  # seconds


class Listening:
    """The sockets are made before privileges are dropped, and served again and again, by one process at a time.

    They stay open here: while a process that has ended is replaced, clients wait in their queues. ``own_name``: gives
    the machine's full name.
    """

    def __init__(self, reactor: Any, own_name: Callable[[], str]) -> None:
        self._reactor = reactor
        self._own_name = own_name
        self._fault: OwnFault | None = None
        self._sockets: dict[str, list[socket.socket]] = {}  # by what `listen` says
        self._process: ServerProcess | None = None
        self._serve: Callable[[], ServerProcess] | None = None  # None: nothing is served
        self._later: Any = None

    def bind(self, settings: Settings) -> None:
        """Make the sockets that are missing, and close those that are not listed any more; a fault is kept for `open`.

        Ports below 1024 can be had here only while the process is privileged: before twistd drops that.
        """
        wanted = () if settings.inbound is None else settings.inbound.listen
        self._fault = None
        for place in self._sockets.keys() - set(wanted):
            for one in self._sockets.pop(place):
                one.close()
        try:
            for place in wanted:
                if place not in self._sockets:
                    self._sockets[place] = self._made(place)
        except OwnFault as fault:
            self._fault = fault

    def _made(self, place: str) -> list[socket.socket]:
        if place == SYSTEMD:
            return activated()
        host, _, port = place.rpartition(":")
        return bound([(host.strip("[]"), int(port))])

    async def open(self, settings: Settings, returns: ReturnPath) -> None:
        """Serve, if the settings say so; ``returns`` records what comes back. Raises OwnFault."""
        inbound = settings.inbound
        if inbound is None or not inbound.listen:
            return
        self.bind(settings)
        if self._fault is not None:
            raise self._fault
        hostname = inbound.hostname or settings.hostname or self._own_name()
        order = Order(inbound, hostname, os.path.join(settings.place, FOLDER), settings.smtp.timeouts)
        sockets = [one for place in inbound.listen for one in self._sockets[place]]

        def serve() -> ServerProcess:
            return ServerProcess.start(self._reactor, returns, order, sockets)

        self._serve = serve
        try:
            await self._begin()
        except OwnFault:
            self._serve = self._process = None
            raise

    async def _begin(self) -> None:
        if self._serve is not None:
            process = self._process = self._serve()
            await process.up
            process.ended.addCallback(self._ended)

    def _ended(self, why: str) -> None:
        self._process = None
        if self._serve is not None:
            _log.error("inbound: the process that takes mail in has ended ({why}); it is started again", why=why)
            self._later = self._reactor.callLater(_AGAIN, self._again)

    def _again(self) -> None:
        self._later = None
        Deferred.fromCoroutine(self._begin()).addErrback(self._failed)

    def _failed(self, failure: Failure) -> None:
        self._process = None
        if self._serve is not None:
            _log.error("{why}; it is tried again every 5 s", why=failure.getErrorMessage())
            self._later = self._reactor.callLater(_AGAIN_BEHIND_A_FAULT, self._again)

    async def close(self, within: float) -> None:
        """Serve no more: what is being stored is answered, ``within`` so many seconds. The sockets stay."""
        self._serve = None
        if self._later is not None:
            self._later.cancel()
            self._later = None
        if self._process is not None:
            await self._process.close(within)

    def shut(self) -> None:
        """Close the sockets."""
        for sockets in self._sockets.values():
            for one in sockets:
                one.close()
        self._sockets.clear()
