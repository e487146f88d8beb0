"""What a client may use: connections, memory, time, patience. By connection, by address, and in all."""

from __future__ import annotations

import ipaddress
from collections import Counter
from dataclasses import dataclass

from bulkmail.inbound.received import Refusal


@dataclass(frozen=True, slots=True)
class Limits:
    """Counts, octets and seconds. ``connections_an_address``: of one IPv4 address or one IPv6 network of 64 bits.

    ``errors``: commands and recipients refused on one connection; ``memory``: octets of all messages under way, a
    quarter of them for one address at most; ``greet_after``: how long the client is to be silent first; ``command``
    and ``data``: the patience for one command and for the next octets of a message; ``message``: for a message as a
    whole; ``take``: for our own sink; ``linger``: for a client that does not read the last reply.
    """

    connections: int = 1000
    connections_an_address: int = 20
    messages: int = 100
    recipients: int = 100
    size: int = 25_000_000
    errors: int = 20
    memory: int = 128_000_000
    greet_after: float = 0.2
    command: float = 300.0
    starttls: float = 60.0
    data: float = 300.0
    message: float = 900.0
    take: float = 240.0
    linger: float = 10.0


def network_of(ip: str) -> str:
    """Return what counts as one client: an IPv4 address, or the 64 bits that one IPv6 customer has."""
    try:
        address = ipaddress.ip_address(ip.partition("%")[0])
    except ValueError:
        return ip
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((int(address) >> 64 << 64, 64)))
    return str(address)


class Gate:
    """Counts connections, and turns away those that are too many."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._by_address: Counter[str] = Counter()
        self.connections = 0

    def enter(self, network: str) -> Refusal | None:
        """Let a connection in, or return why not; at the end of one that was let in `leave` is to be called."""
        if self.connections >= self._limits.connections:
            return Refusal(421, "4.3.2", "Too many connections; try again later")
        if self._by_address[network] >= self._limits.connections_an_address:
            return Refusal(421, "4.7.0", "Too many connections from your address; try again later")
        self.connections += 1
        self._by_address[network] += 1
        return None

    def leave(self, network: str) -> None:
        """Note that a connection that was let in has ended."""
        self.connections -= 1
        self._by_address[network] -= 1
        if not self._by_address[network]:
            del self._by_address[network]


class Room:
    """The room for all messages that are under way, in memory and in files."""

    def __init__(self, octets: int) -> None:
        self._free = octets
        self._most = octets // 4
        self._by_address: Counter[str] = Counter()

    def share(self, network: str) -> Share:
        """Return the share of one connection from this address; empty at first."""
        return Share(self, network)

    @property
    def free(self) -> int:
        """Octets that are not taken."""
        return self._free

    def take(self, network: str, octets: int) -> bool:
        """Take octets for an address, unless there are too few or it has too many."""
        if octets > self._free or self._by_address[network] + octets > self._most:
            return False
        self._free -= octets
        self._by_address[network] += octets
        return True

    def give_back(self, network: str, octets: int) -> None:
        """Return what was taken."""
        self._free += octets
        self._by_address[network] -= octets
        if not self._by_address[network]:
            del self._by_address[network]


class Share:
    """What one connection has of a `Room`."""

    def __init__(self, room: Room, network: str) -> None:
        self._room = room
        self._network = network
        self._octets = 0

    def take(self, octets: int) -> bool:
        """Take more, if there is so much."""
        if not self._room.take(self._network, octets):
            return False
        self._octets += octets
        return True

    def give_back(self) -> None:
        """Return all of it."""
        if self._octets:
            self._room.give_back(self._network, self._octets)
            self._octets = 0
