"""Ports of loopback addresses for servers that must be told theirs before they start.

A port that the kernel gives for 0 is free only as long as it is bound: until the server listens, any connection of a
neighbour may leave from it. The ports here are below those that the kernel gives, and the workers of one run
(pytest-xdist) each have a part of them, so nobody else asks for the same one.
"""

from __future__ import annotations

import errno
import itertools
import os
import random
import socket
from collections.abc import Iterator

_FIRST, _LAST = 12000, 32000
_PARTS = 16


def _numbers() -> Iterator[int]:
    """The ports of this worker, again and again, from a random one on: other runs may be on this machine."""
    part = (_LAST - _FIRST) // _PARTS
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _PARTS
    first = random.SystemRandom().randrange(part)
    for number in itertools.count(first):
        yield _FIRST + worker * part + number % part


_mine = _numbers()


def free_port(address: str = "127.0.0.1") -> int:
    """A port of ``address`` that nobody has now, TCP or UDP, and that is given to no one else of this run.

    :raises OSError: this machine does not have the address.
    """
    for port in itertools.islice(_mine, (_LAST - _FIRST) // _PARTS):
        try:
            with socket.create_server((address, port)), socket.socket(type=socket.SOCK_DGRAM) as datagrams:
                datagrams.bind((address, port))  # a name server needs both, and others ask from random ports
        except OSError as failed:
            if failed.errno == errno.EADDRINUSE:
                continue
            raise
        return port
    raise RuntimeError(f"every port of this worker is taken at {address}")
