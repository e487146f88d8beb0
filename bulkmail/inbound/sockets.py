"""Listening sockets: made while the process may still use ports below 1024, or given by systemd."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable, MutableMapping

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


def activated(environ: MutableMapping[str, str], pid: int) -> list[socket.socket]:
    """Return the stream sockets that systemd has passed to this process, and take their variables away.

    Raises OwnFault where there are none, or where they are of another kind.
    """
    count = environ.pop("LISTEN_FDS", "")
    names = environ.pop("LISTEN_FDNAMES", "")
    whose = environ.pop("LISTEN_PID", "")
    if whose != str(pid) or not count.isdigit() or not int(count):
        remedy = "start the service by its socket unit, and in the foreground (twistd -n)"
        raise OwnFault(f"inbound.listen: systemd has passed no socket to this process; {remedy}")
    sockets = []
    for descriptor in range(_FIRST, _FIRST + int(count)):
        os.set_inheritable(descriptor, False)
        try:
            one = socket.socket(fileno=descriptor)
            right = one.type == socket.SOCK_STREAM and one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
        except OSError:
            right = False
        if not right or one.family not in (socket.AF_INET, socket.AF_INET6):
            raise OwnFault(
                f"inbound.listen: the descriptor {descriptor} of systemd ({names}) is no TCP socket to listen on"
            )
        one.setblocking(False)
        sockets.append(one)
    return sockets
