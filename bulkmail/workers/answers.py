"""The reading end of a worker's answers, a megabyte at a time, or less where a small answer is much work.

Twisted reads a child's output 8 KiB at a time, two system calls and two callbacks for every composed message. Composed
messages are most of what the event loop reads, so this pipe is read here.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IReadDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

AT_ONCE = 1 << 20  # octets
_F_SETPIPE_SZ = 1031


@implementer(IReadDescriptor)
class Answers:
    """Reads ``descriptor`` when the reactor says so; calls ``received`` with the bytes, and ``ended`` once.

    ``at_once``: octets that are read in one turn of the event loop; what there is beyond stays in the pipe.
    """

    def __init__(
        self,
        reactor: Any,
        descriptor: int,
        received: Callable[[bytes], None],
        ended: Callable[[], None],
        at_once: int = AT_ONCE,
    ) -> None:
        self._reactor = reactor
        self._descriptor = descriptor
        self._received = received
        self._ended = ended
        self._at_once = at_once
        os.set_blocking(descriptor, False)
        with contextlib.suppress(OSError):  # over the limit of an ordinary user: then reads are smaller
            fcntl.fcntl(descriptor, _F_SETPIPE_SZ, AT_ONCE)
        reactor.addReader(self)

    def drain(self) -> None:
        """Read what is left and close; the writer is gone."""
        while self._descriptor >= 0 and self._read():
            pass
        self._close()

    # what Twisted calls

    def fileno(self) -> int:
        """Return the descriptor to watch; -1 once it is closed."""
        return self._descriptor

    def logPrefix(self) -> str:
        """Return what stands before its log lines."""
        return "worker"

    def doRead(self) -> None:
        """Read what has come, or the end."""
        self._read()

    def connectionLost(self, reason: Failure) -> None:  # noqa: ARG002
        """Close, as the reactor gives up on the descriptor."""
        self._close()

    def _read(self) -> bool:
        """Read once. Returns whether there may be more."""
        try:
            data = os.read(self._descriptor, self._at_once)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        if data:
            self._received(data)
        else:
            self._close()
        return bool(data)

    def _close(self) -> None:
        if self._descriptor >= 0:
            self._reactor.removeReader(self)
            os.close(self._descriptor)
            self._descriptor = -1
            self._ended()
