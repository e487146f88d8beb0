"""Listening sockets; these tests open some on loopback, for there is nothing else to see."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import subprocess
import sys

import pytest

from bulkmail.inbound import bound
from bulkmail.mail import OwnFault


def test_both_families_on_one_port():
    (first,) = bound([("127.0.0.1", 0)])
    port = first.getsockname()[1]
    try:
        (second,) = bound([("::1", port)])
    except OwnFault as fault:
        first.close()
        if os.strerror(errno.EADDRNOTAVAIL) in str(fault) or os.strerror(errno.EAFNOSUPPORT) in str(fault):
            pytest.skip("this machine has no IPv6")
        raise
    for one, host in ((first, "127.0.0.1"), (second, "::1")):
        socket.create_connection((host, port)).close()
        one.close()


def test_what_cannot_be_had_is_told_and_nothing_stays_open():
    (taken,) = bound([("127.0.0.1", 0)])
    port = taken.getsockname()[1]
    with pytest.raises(OwnFault, match=rf"inbound\.listen: 127\.0\.0\.1:{port} cannot be listened on \(Address"):
        bound([("127.0.0.1", 0), ("127.0.0.1", port)])
    taken.close()


CHILD = """
import os, socket, sys
from bulkmail.inbound.sockets import activated
from bulkmail.mail import OwnFault
for number, descriptor in enumerate(sys.argv[1:]):
    os.dup2(int(descriptor), 3 + number)
os.closerange(3 + len(sys.argv) - 1, 100)
try:
    print([(one.getsockname()[1], one.get_inheritable()) for one in activated()])
except OwnFault as fault:
    print(fault)
"""


def child(*descriptors):
    """What a process says that is given these from descriptor 3 on."""
    command = [sys.executable, "-c", CHILD, *map(str, descriptors)]
    done = subprocess.run(command, pass_fds=descriptors, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.mark.process
def test_the_sockets_that_systemd_passes_are_used(tmp_path):
    first, second = bound([("127.0.0.1", 0), ("127.0.0.1", 0)])
    ports = [(one.getsockname()[1], False) for one in (first, second)]
    with (tmp_path / "file").open("w") as file:
        assert child(*[fcntl.fcntl(one.fileno(), fcntl.F_DUPFD, 50) for one in (first, second, file)]) == str(ports)
        assert "systemd has passed no TCP socket" in child(fcntl.fcntl(file.fileno(), fcntl.F_DUPFD, 50))
    for one in (first, second):
        one.close()


@pytest.mark.process
def test_a_socket_that_does_not_listen_is_none():
    with socket.socket() as one:
        assert "systemd has passed no TCP socket" in child(fcntl.fcntl(one.fileno(), fcntl.F_DUPFD, 50))
