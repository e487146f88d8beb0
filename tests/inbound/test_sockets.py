"""Listening sockets; these tests open some on loopback, for there is nothing else to see."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys

import pytest

from bulkmail.inbound import activated, bound
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


@pytest.mark.parametrize(
    "environ", [{}, {"LISTEN_FDS": "1", "LISTEN_PID": "1"}, {"LISTEN_FDS": "x", "LISTEN_PID": "2"}]
)
def test_without_a_socket_of_systemd_it_is_told(environ):
    with pytest.raises(OwnFault, match="systemd has passed no socket"):
        activated(environ, 2)
    assert environ == {}


CHILD = """
import os, sys
from bulkmail.inbound import activated
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_FDS="1", LISTEN_FDNAMES="smtp", LISTEN_PID=str(os.getpid()))
(one,) = activated(os.environ, os.getpid())
print(one.getsockname()[1], one.get_inheritable(), "LISTEN_FDS" in os.environ)
"""


def child(descriptor):
    return subprocess.run(
        [sys.executable, "-c", CHILD, str(descriptor)],
        pass_fds=[descriptor],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.process
def test_the_socket_that_systemd_passes_is_used():
    (one,) = bound([("127.0.0.1", 0)])
    done = child(one.fileno())
    assert done.stdout.split() == [str(one.getsockname()[1]), "False", "False"], done.stderr
    one.close()


@pytest.mark.process
def test_another_kind_of_descriptor_is_refused(tmp_path):
    with (tmp_path / "file").open("w") as file:
        assert "is no TCP socket to listen on" in child(file.fileno()).stderr
