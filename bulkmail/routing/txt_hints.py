"""Whether a name may have TXT records: one small question over a socket that many share, in a tenth of a lookup's time.

Only for what a forged answer gains nothing by: all questions leave from one port, their ids are numbered, and of an
answer only its header is read. What is not a plain "no" counts as "perhaps", to be looked up properly (`lookup`).
"""

from __future__ import annotations

import asyncio
from struct import Struct
from typing import Any

from bulkmail.routing.lookup import Nameserver

_HEADER = Struct("!HHHHHH")
_WITHIN = 1.0  # seconds; a lost packet is no "no"
_AT_ONCE = 32  # questions: their answers fit into the socket's buffer
_RECURSE, _ANSWER, _CUT, _RCODE = 0x0100, 0x8000, 0x0200, 0x000F
_NOERROR, _NXDOMAIN = 0, 3
_TXT_IN = b"\0\0\x10\0\x01"


class TxtHints(asyncio.DatagramProtocol):
    """Asks ``nameserver``; without one all is perhaps. The socket is open while a question is."""

    def __init__(self, nameserver: Nameserver | None) -> None:
        self._nameserver = nameserver
        self._places = asyncio.Semaphore(_AT_ONCE)
        self._waiting: dict[int, tuple[bytes, asyncio.Future[bool]]] = {}
        self._users = 0
        self._number = 0
        self._opening: asyncio.Future[tuple[asyncio.DatagramTransport, Any]] | None = None

    async def perhaps(self, name: str) -> bool:
        """Return whether it may have such records; False where it has none, or cannot be a name."""
        question = _question(name)
        if not question or self._nameserver is None:
            return bool(question)
        self._users += 1
        try:
            async with self._places:
                return await self._ask(question)
        except OSError:
            return True
        finally:
            self._users -= 1
            if not self._users:
                self._close()

    async def _ask(self, question: bytes) -> bool:
        loop = asyncio.get_running_loop()
        if self._opening is None:
            opening = loop.create_datagram_endpoint(lambda: self, remote_addr=self._nameserver)
            self._opening = asyncio.ensure_future(opening)
        if not self._opening.done():
            await asyncio.wait({self._opening})
        transport, _ = self._opening.result()
        number, waiting = self._next_number(), loop.create_future()
        self._waiting[number] = question, waiting
        late = loop.call_later(_WITHIN, self._told, number, True)
        try:
            transport.sendto(_HEADER.pack(number, _RECURSE, 1, 0, 0, 0) + question)
            return bool(await waiting)
        finally:
            late.cancel()
            del self._waiting[number]

    def datagram_received(self, data: bytes, _addr: Any) -> None:
        """Take an answer to one of the questions; what is none is ignored."""
        if len(data) < _HEADER.size:
            return
        number, flags, _, answers, *_ = _HEADER.unpack_from(data)
        question, _ = self._waiting.get(number, (b"", None))
        end = _HEADER.size + len(question)
        if question and flags & _ANSWER and data[_HEADER.size : end].lower() == question:
            plain = flags & _RCODE in (_NOERROR, _NXDOMAIN) and not flags & _CUT
            self._told(number, not plain or answers > 0)

    def error_received(self, _exc: Exception) -> None:
        """Leave it to a proper lookup: no server listens there."""
        for number in list(self._waiting):
            self._told(number, True)

    def _told(self, number: int, perhaps: bool) -> None:
        _, waiting = self._waiting.get(number, (b"", None))
        if waiting is not None and not waiting.done():
            waiting.set_result(perhaps)

    def _next_number(self) -> int:
        self._number = (self._number + 1) & 0xFFFF
        while self._number in self._waiting:
            self._number = (self._number + 1) & 0xFFFF
        return self._number

    def _close(self) -> None:
        opening, self._opening = self._opening, None
        if opening is not None and opening.done() and not opening.cancelled() and opening.exception() is None:
            opening.result()[0].close()
        elif opening is not None:
            opening.cancel()


def _question(name: str) -> bytes:
    """Return the question for the TXT records of a name, b"" where the DNS cannot hold it."""
    labels = name.lower().split(".")
    if not name.isascii() or len(name) > 253 or not all(0 < len(label) < 64 for label in labels):
        return b""
    return b"".join(bytes((len(label),)) + label.encode("ascii") for label in labels) + _TXT_IN
