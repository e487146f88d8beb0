"""Two network namespaces with a cable between them: here the program, there the receivers."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator, Sequence

from tests.interop.servers import Missing

_NEW_NETWORK = 0x40000000  # CLONE_NEWNET of sched.h
_LIBC = ctypes.CDLL(None, use_errno=True)


def _own() -> int:
    return os.open(f"/proc/self/task/{threading.get_native_id()}/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def _enter(namespace: int) -> None:
    if _LIBC.setns(namespace, _NEW_NETWORK):
        raise OSError(ctypes.get_errno(), "setns")


def _ip(*words: str) -> None:
    subprocess.run([shutil.which("ip") or "/usr/sbin/ip", *words], check=True, capture_output=True, timeout=30)


class Cable:
    """Once laid, this thread and what it starts are at this end of it."""

    def __init__(self) -> None:
        self._spaces: list[int] = []

    @contextlib.contextmanager
    def there(self) -> Iterator[None]:
        """The receivers' end, in this thread."""
        _enter(self._spaces[1])
        try:
            yield
        finally:
            _enter(self._spaces[0])

    def lay(self, here: Sequence[str], there: Sequence[str], *, gateways: Sequence[str] = ()) -> None:
        """Make both ends. ``here``, ``there``: addresses with their prefixes. ``gateways``: of here, to all else."""
        _unshare()
        self._spaces = [_own()]
        _unshare()
        self._spaces.append(_own())
        _ip("link", "set", "lo", "up")
        _enter(self._spaces[0])
        _ip("link", "set", "lo", "up")
        _ip("link", "add", "bulkmail0", "type", "veth", "peer", "name", "bulkmail1")
        with self.there():  # iproute2 takes a process id: that of a child which waits there
            waiting = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        with waiting:
            _ip("link", "set", "bulkmail1", "netns", str(waiting.pid))
        self._raise("bulkmail0", here)
        with self.there():
            self._raise("bulkmail1", there)
        for gateway in gateways:
            _ip("-6" if ":" in gateway else "-4", "route", "add", "default", "via", gateway)

    def close(self, home: int) -> None:
        """Back to the namespace ``home``; the others go with the last process in them."""
        _enter(home)
        for space in self._spaces:
            os.close(space)

    @staticmethod
    def _raise(link: str, addresses: Sequence[str]) -> None:
        for address in addresses:
            _ip("addr", "add", address, "dev", link, *(["nodad"] if ":" in address else []))
        _ip("link", "set", link, "up")


def _unshare() -> None:
    if _LIBC.unshare(_NEW_NETWORK):
        raise OSError(ctypes.get_errno(), "unshare")


@contextlib.contextmanager
def cable() -> Iterator[Cable]:
    """A cable that is not laid yet. Raises Missing."""
    if os.geteuid() != 0:
        raise Missing("network namespaces are made by root only")
    if shutil.which("ip", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin") is None:
        raise Missing("ip is not installed (Debian: iproute2)")
    home = _own()
    made = Cable()
    try:
        try:
            _unshare()
        except OSError as error:
            raise Missing(f"this environment has no network namespaces ({os.strerror(error.errno)})") from error
        finally:
            _enter(home)
        yield made
    finally:
        made.close(home)
        os.close(home)
