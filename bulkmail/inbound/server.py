"""The server: ports, the connections on them, and an orderly end."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from typing import Any, cast

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory
from twisted.internet.task import deferLater

from bulkmail.inbound.connection import Connection
from bulkmail.inbound.reception import Reception

_LOOK_AGAIN = 0.05


class Inbound:
    """Serves the ``sockets``, which listen already and stay open when it is closed."""

    def __init__(self, reception: Reception, sockets: Iterable[socket.socket]) -> None:
        self._reception = reception
        self._sockets = tuple(sockets)
        self._ports: list[Any] = []

    def open(self) -> None:
        """Begin to accept."""
        factory = _Connections(self._reception)
        for one in self._sockets:
            self._ports.append(self._reception.reactor.adoptStreamPort(one.fileno(), one.family, factory))

    async def close(self, within: float) -> None:
        """Accept no more; what the sink has is answered, ``within`` so many seconds; then all are sent away."""
        reception = self._reception
        reception.stopping = True
        for port in self._ports:
            await cast("Deferred[None]", maybeDeferred(port.stopListening))
        self._ports.clear()
        live = cast("set[Connection]", reception.live)
        for connection in list(live):
            connection.stop()
        until = reception.reactor.seconds() + within
        while live and reception.reactor.seconds() < until:
            await deferLater(reception.reactor, _LOOK_AGAIN)
        for connection in list(live):
            connection.abort()
        reception.taken.close()
        reception.refused.close()
        reception.faults.close()


class _Connections(Factory):
    """Makes a `Connection` for each client."""

    noisy = False

    def __init__(self, reception: Reception) -> None:
        self._reception = reception

    def buildProtocol(self, addr: IAddress | None) -> Connection:
        """Return the protocol for a client at ``addr``."""
        return Connection(self._reception, getattr(addr, "host", ""))
