"""Tells whether an address is one of this machine's own, on any interface, now."""

from __future__ import annotations

import socket

_ANY_PORT = 9


def own_address(ip: str) -> bool:
    """Whether ``ip``, an IPv4 or IPv6 literal, belongs to this machine. Sends nothing.

    A datagram socket that is connected to an address of this machine has that very address as its source. Where there
    is no route, or no IPv6, the address is not ours.
    """
    family = socket.AF_INET6 if ":" in ip else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as probe:
            probe.connect((ip, _ANY_PORT))
            return bool(probe.getsockname()[0] == ip)
    except OSError:
        return False
