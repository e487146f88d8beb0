r"""The octets behind DATA: up to CRLF.CRLF and to nothing else, dots unstuffed, line ends judged.

What ends a message is where smuggling begins (CVE-2023-51764, 51765, 51766): one server takes ``\n.\r\n`` for the end
where another reads on, and what follows is a text to the one and commands to the other. Here a CR without its LF, or an
LF without its CR, refuses the message at once.
"""

from __future__ import annotations

from bulkmail.inbound.limits import Share
from bulkmail.inbound.received import Refusal

_END = b"\r\n.\r\n"
_KEPT = len(_END) - 1  # octets of an end that may be cut
_STRAY = Refusal(554, "5.6.0", "A CR or LF stands alone in the message; lines end with CRLF")
_NO_ROOM = 452  # then no more is read: those who take the memory would take the time as well
_SPILL = 2  # times the size limit: what is read of a message that is refused, before the connection is closed


class Body:
    """Fed with pieces, cut anywhere. ``refusal``: why the message cannot be taken; ``hopeless``: nor its end awaited.

    ``share`` is the memory that it may use; it is given back by its owner.
    """

    def __init__(self, limit: int, share: Share) -> None:
        self.refusal: Refusal | None = None
        self.hopeless = False
        self._limit = limit
        self._share = share
        self._buffer = bytearray(b"\r\n")  # so that a dot in the first line stands behind a line end too
        self._held = b""  # a CR whose LF has not come yet
        self._size = 0

    def feed(self, data: bytes) -> bytes | None:
        """Take some octets. Return what stands behind the end of the message, or None while it has not come."""
        buffer = self._buffer
        data = self._held + data
        self._held = b""
        start = len(buffer)
        buffer += data
        end = buffer.find(_END, max(0, start - _KEPT))
        stop = len(buffer) if end < 0 else end + len(_END)
        if end < 0 and data.endswith(b"\r"):
            self._held = b"\r"
            stop -= 1
            del buffer[stop:]
        pairs = buffer.count(b"\r\n", start, stop)
        if pairs != buffer.count(b"\n", start, stop) or pairs != buffer.count(b"\r", start, stop):
            self._refuse(_STRAY)
            self.hopeless = True
            return None
        self._size += stop - start
        self._measure(stop - start)
        if end < 0:
            if self.refusal is not None:
                del buffer[:-_KEPT]
                too_much = self._size > _SPILL * self._limit
                self.hopeless = self.hopeless or self.refusal.code == _NO_ROOM or too_much
            return None
        behind = bytes(buffer[stop:])
        del buffer[end + 2 :]
        return behind

    def message(self) -> bytes:
        """Return the message without its stuffed dots (RFC 5321 4.5.2). The end must have come."""
        message = bytes(self._buffer).replace(b"\r\n.", b"\r\n")[2:]
        self._buffer.clear()
        return message

    def _measure(self, octets: int) -> None:
        if self.refusal is not None:
            return
        if self._size - len(_END) + 2 > self._limit:
            self._refuse(Refusal(552, "5.3.4", f"The message is larger than {self._limit} octets"))
        elif not self._share.take(octets):
            self._refuse(Refusal(_NO_ROOM, "4.3.1", "Too much mail is being received; try again later"))

    def _refuse(self, refusal: Refusal) -> None:
        self.refusal = refusal
        self._share.give_back()
