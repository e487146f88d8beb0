"""Tells which addresses are this machine's own, and which of them it sends from."""

from __future__ import annotations

import socket

_ANY_PORT = 9
# Behind the default route: an address for documentation (RFC 5737), and k.root-servers.net, for there are routers that
# know no way to the documentation prefix of IPv6. Nothing is sent to either.
_FAR_AWAY = {4: "192.0.2.1", 6: "2001:7fd::1"}


def own_address(ip: str) -> bool:
    """Return whether ``ip``, an IPv4 or IPv6 literal, belongs to this machine. Sends nothing.

    A datagram socket that is connected to an address of this machine has that very address as its source. Where there
    is no route, or no IPv6, the address is not ours.
    """
    return source_to(ip) == ip


def source_to(ip: str) -> str:
    """Return the address that the system sends from to ``ip``, "" where there is no route. Sends nothing."""
    family = socket.AF_INET6 if ":" in ip else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as probe:
            probe.connect((ip, _ANY_PORT))
            return str(probe.getsockname()[0])
    except OSError:
        return ""


def source_address(version: int = 4) -> str:
    """Return the IPv4 or IPv6 address that the default route sends from, "" where there is none. Sends nothing."""
    return source_to(_FAR_AWAY[version])
