"""Tells which addresses are this machine's own, and which of them it sends from."""

from __future__ import annotations

import socket

_ANY_PORT = 9
_FAR_AWAY = "192.0.2.1"  # for documentation (RFC 5737), so behind the default route


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


def source_address() -> str:
    """The IPv4 address that the default route sends from, "" where there is none. Sends nothing."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as probe:
            probe.connect((_FAR_AWAY, _ANY_PORT))
            return str(probe.getsockname()[0])
    except OSError:
        return ""
