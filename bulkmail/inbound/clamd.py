"""Asks clamd whether a message holds a virus (INSTREAM, clamd(8))."""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Iterator

from bulkmail.inbound.octets import Octets
from bulkmail.inbound.received import Received, Refusal
from bulkmail.inbound.waiting import WaitingThreads
from bulkmail.mail import OwnFault

_WITHIN = 60.0  # seconds for a connection, and for each read and write
_LONGEST = 4096  # octets of an answer
_CLEAN, _FOUND, _TOO_LARGE = "stream: OK", " FOUND", "INSTREAM size limit exceeded. ERROR"


class Clamd:
    """Asks the clamd at ``address``: ``host:port``, or the path of a UNIX socket. It waits in ``threads``."""

    def __init__(self, threads: WaitingThreads, address: str) -> None:
        self._threads = threads
        self._address = address

    async def __call__(self, received: Received) -> bytes:
        """Return no header lines for a message without a virus. Raises Refusal, or OwnFault without a verdict."""
        try:
            answer = await self._threads.call(lambda: self._scan(received.body))
        except OSError as error:
            raise OwnFault(f"clamd at {self._address} gave no verdict ({error})") from None
        if answer == _CLEAN:
            return b""
        if answer.endswith(_FOUND):
            raise Refusal(550, "5.7.1", "The message holds a virus")
        if answer == _TOO_LARGE:
            raise Refusal(552, "5.3.4", "The message is too large to be looked at")
        raise OwnFault(f"clamd at {self._address} gave no verdict ({answer[:200]!r})")

    def _scan(self, body: Octets) -> str:
        """Send a message and read the answer, which may come before all of it was sent. Raises OSError."""
        with self._connected() as one:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                one.sendall(b"zINSTREAM\0")
                for chunk in body.pieces():
                    one.sendall(struct.pack("!L", len(chunk)) + chunk)
                one.sendall(struct.pack("!L", 0))
            answer = b""
            while b"\0" not in answer and len(answer) < _LONGEST and (piece := one.recv(_LONGEST)):
                answer += piece
        return answer.partition(b"\0")[0].decode("utf-8", "replace").strip()

    @contextlib.contextmanager
    def _connected(self) -> Iterator[socket.socket]:
        if self._address.startswith("/"):
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as one:
                one.settimeout(_WITHIN)
                one.connect(self._address)
                yield one
        else:
            host, _, port = self._address.rpartition(":")
            with socket.create_connection((host.strip("[]"), int(port)), _WITHIN) as one:
                yield one
