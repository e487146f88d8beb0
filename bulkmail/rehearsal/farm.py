"""The addresses where the rehearsed world's mail is taken: made when the DNS is first asked for a host.

All stand in 127.0.0.0/8 and share one port. Each host has an address of its own as long as there are any; then hosts of
one persona share. The address of a host that is down is handed out and left unbound.
"""

from __future__ import annotations

import re
import socket
from typing import Any

from twisted.internet.error import CannotListenError

from bulkmail.rehearsal.behaviour import Persona
from bulkmail.rehearsal.certificates import TlsOf
from bulkmail.rehearsal.network import Exchanger, SimulatedNetwork
from bulkmail.rehearsal.personas import PERSONAS
from bulkmail.rehearsal.server import MxFactory
from bulkmail.rehearsal.zone import RELAY, Place

_LISTENING = "127.77"
_SILENT = "127.78"
_HOLES = "127.79"
_MOST_HOLES = 500
_LOOPBACK = re.compile(r"127(?:\.(?:25[0-5]|2[0-4]\d|1?\d?\d)){3}")
_BACKLOG = 1024
_SWEEP = 1.0  # seconds


def require_loopback(ip: str) -> str:
    """Return ``ip``, if it is in 127.0.0.0/8. Raises ValueError: nothing of a rehearsal is ever bound elsewhere."""
    if _LOOPBACK.fullmatch(ip) is None:
        raise ValueError(f"{ip!r} is not an address in 127.0.0.0/8; a rehearsal stays on loopback")
    return ip


class Farm:
    """Opens addresses. ``port``: of all of them, 0 for any free one; ``addresses``: the most that listen."""

    def __init__(
        self, reactor: Any, network: SimulatedNetwork, tls_of: TlsOf, *, port: int = 0, addresses: int = 2000
    ) -> None:
        self.port = port
        self._reactor = reactor
        self._network = network
        self._tls_of = tls_of
        # the last ones are kept for personas that come late
        self._room = max(addresses, 2 * len(PERSONAS)) - len(PERSONAS)
        self._by_host: dict[str, str] = {}
        self._by_persona: dict[str, list[Exchanger]] = {}
        self._ports: list[Any] = []
        self._silent = 0
        self._holes: list[socket.socket] = []
        self._dug = 0
        self._sweeping: Any = None

    def open(self) -> str:
        """Listen at the first address, a relay that takes mail for any domain. Returns it. Raises OSError."""
        ip = self._open(RELAY, PERSONAS["relay"])
        self._sweeping = self._reactor.callLater(_SWEEP, self._sweep)
        return ip

    def address_of(self, host: str) -> str | None:
        """Return the address of a mail host, opened if need be; None for a name that is no mail host."""
        ip = self._by_host.get(host)
        if ip is not None:
            return ip
        found = self._network.zone.host(host)
        if found is None:
            return None
        persona, place = found
        if place is Place.HOLE:
            return self._remember(host, self._dig())
        if place is Place.DOWN:
            # 65,000 of them, then again from the start: they all lead nowhere
            self._silent = self._silent % 65_000 + 1
            return self._remember(host, f"{_SILENT}.{self._silent >> 8}.{self._silent & 255}")
        return self._open(host, persona)

    def _dig(self) -> str:
        """Return an address whose queue of connections stays full: the kernel drops every further SYN."""
        number = self._dug % _MOST_HOLES + 1
        self._dug += 1
        ip = require_loopback(f"{_HOLES}.{number >> 8}.{number & 255}")
        if self._dug <= _MOST_HOLES:
            listening, filling = socket.socket(), socket.socket()
            self._holes += [listening, filling]
            listening.bind((ip, self.port))
            listening.listen(0)
            filling.connect((ip, self.port))
        return ip

    def _open(self, host: str, persona: Persona) -> str:
        own = self._by_persona.setdefault(persona.name, [])
        if own and len(self._ports) >= self._room:
            exchanger = own[len(self._by_host) % len(own)]
        else:
            number = len(self._ports) + 1
            exchanger = Exchanger(require_loopback(f"{_LISTENING}.{number >> 8}.{number & 255}"), persona)
            try:
                self._listen(exchanger)
            except CannotListenError:
                if not own:
                    raise
                exchanger = own[-1]  # out of descriptors, say: then hosts share sooner
            else:
                own.append(exchanger)
        exchanger.add(host)
        return self._remember(host, exchanger.ip)

    def _remember(self, host: str, ip: str) -> str:
        self._by_host[host] = ip
        return ip

    def _listen(self, exchanger: Exchanger) -> None:
        factory = MxFactory(self._network, exchanger, self._tls_of)
        listening = self._reactor.listenTCP(self.port, factory, backlog=_BACKLOG, interface=exchanger.ip)
        self.port = listening.getHost().port
        if exchanger.persona.window:  # what it accepts inherits it; none has been accepted yet
            listening.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, exchanger.persona.window)
        self._ports.append(listening)

    def _sweep(self) -> None:
        self._sweeping = self._reactor.callLater(_SWEEP, self._sweep)
        now = self._network.clock()
        for connection in list(self._network.connections):
            connection.sweep(now)
        self._network.store.flush()

    def close(self) -> None:
        """Close all addresses and connections, and write what was received."""
        if self._sweeping is not None:
            self._sweeping.cancel()
            self._sweeping = None
        for listening in self._ports:
            listening.stopListening()
        for hole in self._holes:
            hole.close()
        for connection in list(self._network.connections):
            connection.abort()
        self._network.store.flush()

    def __repr__(self) -> str:
        return f"<Farm on port {self.port}, {len(self._ports)} addresses, {len(self._network.connections)} connections>"
