"""The spool's directory: private, local, with one owner at a time."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from contextlib import suppress

from bulkmail.mail import OwnFault
from bulkmail.spool.contract import refused

# SQLite's log is shared memory between processes: not across machines, and these give no such promise.
_NETWORK = frozenset({
    "9p", "afs", "ceph", "cifs", "fuse.glusterfs", "fuse.s3fs", "fuse.sshfs", "glusterfs", "lustre", "ncpfs", "nfs",
    "nfs4", "smb3", "smbfs", "virtiofs",
})  # fmt: skip
_LOOKS, _LOOK_AGAIN = 4, 0.02  # seconds
_ROW_BYTES = 60  # of a recipient beside its own cells: ids, its index, its share of free space
_SENT_BYTES = 320  # of its outcome and its attempt


class Lock:
    """The right to write the spool. The kernel releases it when the process ends, in whatever way."""

    def __init__(self, directory: str) -> None:
        """Take the lock. Raises Refused, naming the holder."""
        path = os.path.join(directory, "lock")
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self._take()
        except OSError as error:
            holder = os.pread(self._fd, 32, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(self._fd)
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                raise refused(path, f"cannot be locked ({error}); use a local disk") from error
            raise refused(
                directory, f"is in use by process {holder}; stop that one, or use another spool directory"
            ) from None
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, f"{os.getpid()}\n".encode("ascii"), 0)

    def _take(self) -> None:
        """Lock the file. Not at the first refusal is it in use: one that looks (`in_use`) has it for a moment."""
        for _ in range(_LOOKS):
            with suppress(BlockingIOError):
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            time.sleep(_LOOK_AGAIN)
        fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def release(self) -> None:
        """Release it. The file stays: if it were deleted, two processes could hold a lock."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def in_use(directory: str) -> str:
    """Return the process that has the spool open, ``""`` when none has. The lock is not kept."""
    try:
        descriptor = os.open(os.path.join(directory, "lock"), os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
    finally:
        os.close(descriptor)
    return ""


def prepare(directory: str) -> None:
    """Make the directory, private to its owner. Raises Refused when it cannot hold a spool."""
    try:
        if not os.path.isdir(directory):
            os.makedirs(directory)
            # twistd's umask is 077, a shell's is not; one that was there before keeps the mode its owner gave it
            os.chmod(directory, 0o700)
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
            kind = file_system_of(os.path.realpath(directory), file.read())
    except FileNotFoundError:
        kind = ""  # no /proc: we cannot know
    except OSError as error:
        raise refused(directory, f"cannot hold the spool ({error})") from error
    if kind in _NETWORK:
        raise refused(directory, f"is on a {kind} file system, where the spool could be damaged; use a local disk")


def file_system_of(path: str, mountinfo: str) -> str:
    """Return the type of the file system ``path`` (absolute, resolved) is on, from the text of proc(5) mountinfo."""
    longest, kind = "", ""
    for line in mountinfo.splitlines():
        left, _, right = line.partition(" - ")
        if len(left.split(" ")) < 5 or not right:
            continue
        mount = left.split(" ")[4].encode("utf-8", "surrogateescape").decode("unicode_escape")
        inside = path == mount or path.startswith(mount.rstrip("/") + "/")
        if inside and len(mount) >= len(longest):
            longest, kind = mount, right.split(" ")[0]
    return kind


def boot_id() -> str:
    """Return the id of this boot of the machine; "" where the system has none."""
    with suppress(OSError), open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return file.read().strip()
    return ""


def free_bytes(path: str) -> int:
    """Return the bytes that we may still write on the disk ``path`` is on. Raises OwnFault."""
    try:
        found = os.statvfs(path)
    except OSError as error:
        raise OwnFault(f"the free space of {path} cannot be told ({error})") from error
    return found.f_bavail * found.f_frsize


def estimate(rows: int, cell_bytes: float = 100.0) -> int:
    """Return the bytes of spool for ``rows`` recipients with ``cell_bytes`` of cells each, once each had an attempt."""
    return int(rows * (cell_bytes * 1.2 + _ROW_BYTES + _SENT_BYTES))
