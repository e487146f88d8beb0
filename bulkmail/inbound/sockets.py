"""Listening sockets: made while the process may still use ports below 1024, or given by systemd."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable

from bulkmail.mail import OwnFault

_FIRST = 3  # sd_listen_fds(3)
_BACKLOG = 511


def bound(addresses: Iterable[tuple[str, int]]) -> list[socket.socket]:
    """Return sockets that listen on these IP literals and ports. Raises OwnFault, and leaves none open then."""
    sockets: list[socket.socket] = []
    for host, port in addresses:
        one = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
        sockets.append(one)
        try:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if one.family == socket.AF_INET6:
                one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)  # so that both families can be listed
            one.setblocking(False)
            one.bind((host, port))
            one.listen(_BACKLOG)
        except OSError as error:
            for each in sockets:
                each.close()
            remedy = ""
            if isinstance(error, PermissionError):
                remedy = "; ports below 1024 need root, a systemd socket (listen: [systemd]) or CAP_NET_BIND_SERVICE"
            where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
            raise OwnFault(f"inbound.listen: {where} cannot be listened on ({error.strerror}){remedy}") from None
    return sockets


def activated() -> list[socket.socket]:
    """Return the sockets that systemd has passed to this process. Raises OwnFault where there are none.

    They are the listening TCP sockets from descriptor 3 on (sd_listen_fds(3)). LISTEN_FDS is not looked at: Twisted
    takes it out of the environment as soon as its endpoints are imported, which is before any code of ours.
    """
    sockets: list[socket.socket] = []
    while (one := _listening(_FIRST + len(sockets))) is not None:
        sockets.append(one)
    if not sockets:
        remedy = "start the service by its socket unit, and in the foreground (twistd -n)"
        raise OwnFault(f"inbound.listen: systemd has passed no TCP socket to this process; {remedy}")
    for one in sockets:
        os.set_inheritable(one.fileno(), False)
        one.setblocking(False)
    return sockets


def _listening(descriptor: int) -> socket.socket | None:
    """Return the TCP socket with this descriptor, where it is one that listens."""
    try:
        one = socket.socket(fileno=descriptor)
    except OSError:
        return None
    is_tcp = one.family in (socket.AF_INET, socket.AF_INET6) and one.type == socket.SOCK_STREAM
    if is_tcp and one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        return one
    one.detach()  # another's
    return None
