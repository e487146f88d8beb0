"""Opening files that people name, without waiting and without surprises."""

from __future__ import annotations

import errno
import os
import stat


def open_regular(path: str, *, follow: bool = True) -> int:
    """A descriptor of a regular file, opened for reading. Raises ValueError with the rest of the sentence.

    Never waits (a FIFO without a writer would) and, without ``follow``, opens no symbolic link.
    """
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW)
    try:
        descriptor = os.open(path, flags)
    except OSError as error:
        raise ValueError(_cannot(error)) from None
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return descriptor
    os.close(descriptor)
    raise ValueError("is a folder, not a file" if stat.S_ISDIR(mode) else "is not a regular file")


def read_regular(path: str, limit: int, *, follow: bool = True) -> bytes:
    """All bytes of a regular file of at most ``limit`` bytes. Raises ValueError with the rest of the sentence."""
    with os.fdopen(open_regular(path, follow=follow), "rb") as file:
        try:
            data = file.read(limit + 1)
        except OSError as error:
            raise ValueError(_cannot(error)) from None
    if len(data) > limit:
        raise ValueError(
            f"is larger than {limit / 1_000_000:g} MB" if limit >= 1_000_000 else f"is larger than {limit:,} bytes"
        )
    return data


def _cannot(error: OSError) -> str:
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return "does not exist"
    if error.errno in (errno.EACCES, errno.EPERM):
        return "may not be read by this user (permission denied)"
    if error.errno == errno.ENXIO:  # what open() says of a socket
        return "is not a regular file"
    return f"cannot be read ({error.strerror})"
