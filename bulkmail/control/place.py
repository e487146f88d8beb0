"""Where the control socket lies, and how it is bound and found: for the server and for its clients.

It is ``control.sock`` in the folder that this machine keeps for itself: the spool's, or `machine.folder` where the
spool is in PostgreSQL. The name of a UNIX socket may have 107 octets (unix(7)), and a folder's path may be longer: such
a socket is named by a descriptor of its folder.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
import struct
from collections.abc import Iterator

from bulkmail.mail import BulkmailError, OwnFault

SOCKET = "control.sock"
_LONGEST = 100  # octets
_UCRED = struct.Struct("3i")  # pid, uid, gid
_PATIENCE = 2.0  # seconds for a connection that the kernel makes, or refuses


class NotRunningError(BulkmailError):
    """No service answers at the control socket: none runs, or it has died."""


@contextlib.contextmanager
def short_name(folder: str) -> Iterator[str]:
    """Yield a name of the socket in ``folder`` that is short enough, good within the block. Raises OSError."""
    path = os.path.join(folder, SOCKET)
    if len(os.fsencode(path)) <= _LONGEST:
        yield path
        return
    descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{descriptor}/{SOCKET}"
    finally:
        os.close(descriptor)


def remove_stale(folder: str) -> None:
    """Remove the socket of a process that has died. Raises OwnFault where a living one answers, or it is no socket."""
    path = os.path.join(folder, SOCKET)
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return
    except OSError as error:
        raise OwnFault(f"{path} cannot be looked at ({error.strerror})") from None
    if not stat.S_ISSOCK(found.st_mode):
        raise OwnFault(f"{path} is no socket; move it away: bulkmail listens for commands there")
    with contextlib.suppress(NotRunningError):
        connect(folder, _PATIENCE).close()
        raise OwnFault(f"another process listens on {path}; stop that one, or use another spool")
    try:
        os.unlink(path)
    except OSError as error:
        raise OwnFault(f"{path} was left by a process that died, and cannot be removed ({error.strerror})") from None


def connect(folder: str, timeout: float) -> socket.socket:
    """Return a connection to the service; ``timeout`` in seconds holds for all that is done with it.

    Raises NotRunningError where none listens, BulkmailError where another user's does.
    """
    path = os.path.join(folder, SOCKET)
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    made.settimeout(timeout)
    try:
        with short_name(folder) as name:
            made.connect(name)
        _check_owner(made, path)
    except OSError as error:
        made.close()
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            raise NotRunningError(f"no service is running: there is no {path}") from None
        if error.errno == errno.ECONNREFUSED:
            raise NotRunningError(f"no service is running: the one that made {path} has died") from None
        if error.errno in (errno.EACCES, errno.EPERM):
            raise BulkmailError(_other_user(path)) from None
        raise BulkmailError(f"{path} cannot be used ({error.strerror or error})") from None
    except BaseException:
        made.close()
        raise
    return made


def _check_owner(made: socket.socket, path: str) -> None:
    """Raise BulkmailError where another user's process listens (SO_PEERCRED): it could tell anything."""
    _, uid, _ = _UCRED.unpack(made.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
    if uid not in (0, os.geteuid()) and os.geteuid() != 0:
        raise BulkmailError(
            f"the process that listens on {path} belongs to another user (uid {uid}); nothing was asked"
        )


def _other_user(path: str) -> str:
    try:
        owner = os.stat(path).st_uid
    except OSError:
        return f"{path} belongs to another user; run the command as that user, or as root"
    return f"the service at {path} belongs to another user (uid {owner}); run the command as that user, or as root"
