r"""The octets behind DATA: up to CRLF.CRLF and to nothing else, dots unstuffed, line ends judged.

What ends a message is where smuggling begins (CVE-2023-51764, 51765, 51766): one server takes ``\n.\r\n`` for the end
where another reads on, and what follows is a text to the one and commands to the other. Here a CR without its LF, or an
LF without its CR, refuses the message at once.
"""

from __future__ import annotations

import os
from typing import Any

from bulkmail.inbound.limits import Share
from bulkmail.inbound.octets import IN_MEMORY, Octets, Spill
from bulkmail.inbound.received import Refusal

_END = b"\r\n.\r\n"
_BEGINNINGS = [_END[:length] for length in range(len(_END) - 1, 0, -1)]
_STRAY = Refusal(554, "5.6.0", "A CR or LF stands alone in the message; lines end with CRLF")
_NO_ROOM = 452  # then no more is read: those who take the memory would take the time as well
_READ_ON = 2  # times the size limit: what is read of a message that is refused, before the connection is closed


class Body:
    """Fed with pieces, cut anywhere. ``refusal``: why the message cannot be taken; ``hopeless``: nor its end awaited.

    ``share`` is what it may use of the room for messages; it is given back by its owner. ``spill`` makes a file for
    what is not kept in memory.
    """

    def __init__(self, limit: int, share: Share, spill: Spill) -> None:
        self.refusal: Refusal | None = None
        self.hopeless = False
        self._limit = limit
        self._share = share
        self._spill = spill
        self._head = bytearray()
        self._file: Any = None
        # What an end or a stuffed dot may begin with, not judged yet; at first a line end, which the first line stands
        # behind as all others do, and which is left out of the message
        self._held = b"\r\n"
        self._left_out = len(self._held)
        self._size = 0

    def feed(self, data: bytes) -> bytes | None:
        """Take some octets. Return what stands behind the end of the message, or None while it has not come."""
        piece = self._held + data
        end = piece.find(_END)
        if end < 0:
            self._held = next((one for one in _BEGINNINGS if piece.endswith(one)), b"")
            text, behind = piece[: len(piece) - len(self._held)], None
        else:
            text, behind = piece[: end + 2], piece[end + len(_END) :]
        pairs = text.count(b"\r\n")
        if pairs != text.count(b"\n") or pairs != text.count(b"\r"):
            self._refuse(_STRAY)
            self.hopeless = True
            return None
        octets = len(data) - len(behind or b"")
        self._size += octets
        self._measure(octets)
        if self.refusal is None:
            self._keep(text.replace(b"\r\n.", b"\r\n"))
        if behind is None and self.refusal is not None:
            too_much = self._size > _READ_ON * self._limit
            self.hopeless = self.hopeless or self.refusal.code == _NO_ROOM or too_much
        return behind

    def message(self) -> Octets:
        """Return the message without its stuffed dots (RFC 5321 4.5.2), to be closed. Its end must have come."""
        message, self._file = Octets(bytes(self._head), self._file), None
        return message

    def close(self) -> None:
        """Drop what was kept."""
        self._head.clear()
        if self._file is not None:
            self._file.close()
            self._file = None

    def _keep(self, text: bytes) -> None:
        if self._left_out and text:
            text, self._left_out = text[self._left_out :], 0
        room = IN_MEMORY - len(self._head)
        if room > 0:
            self._head += text[:room]
            text = text[room:]
        if not text:
            return
        try:
            if self._file is None:
                self._file = self._spill()
            view = memoryview(text)
            while view:
                view = view[os.write(self._file.fileno(), view) :]
        except OSError as error:
            self._refuse(Refusal(_NO_ROOM, "4.3.1", f"The message cannot be kept ({error.strerror}); try again later"))

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
        self.close()
