"""A message as it comes in: up to CRLF.CRLF (RFC 5321 4.5.2), or by count (RFC 3030). Fed with any cut of the bytes."""

from __future__ import annotations

_END = b"\r\n.\r\n"


class Body:
    """Collects one message; of one larger than ``cap`` bytes only the size is kept."""

    __slots__ = ("_cap", "_fresh", "_parts", "chunked", "last", "left", "size")

    def __init__(self, cap: int) -> None:
        self.size = 0
        self.chunked = False
        self.left = 0  # bytes of the chunk still to come
        self.last = False  # whether that is the last chunk
        self._cap = cap
        self._parts: list[bytes] = []
        self._fresh = True  # nothing was read: a dot now is a line of its own

    def read_dotted(self, buffer: bytes, at: int) -> tuple[int, bool]:
        """Read from ``buffer[at:]``. Returns where to go on, and whether the final dot was read."""
        if self._fresh:
            first = buffer[at : at + 3]
            if first == b".\r\n":
                return at + 3, True
            if b".\r\n".startswith(first):
                return at, False
            self._fresh = False
        end = buffer.find(_END, at)
        if end >= 0:
            self._add(buffer[at : end + 2])
            return end + 5, True
        # the end may be cut: its first four bytes wait for the fifth
        keep = max(at, len(buffer) - 4)
        self._add(buffer[at:keep])
        return keep, False

    def read_counted(self, buffer: bytes, at: int) -> tuple[int, bool]:
        """Read up to ``left`` bytes of a chunk. Returns where to go on, and whether the chunk is complete."""
        piece = buffer[at : at + self.left]
        self.left -= len(piece)
        self._add(piece)
        return at + len(piece), self.left == 0

    def _add(self, piece: bytes) -> None:
        self.size += len(piece)
        if self.size > self._cap:
            self._parts.clear()
        elif piece:
            self._parts.append(piece)

    def message(self) -> bytes | None:
        """Return the message, dots unstuffed; None where it was larger than the cap."""
        if self.size > self._cap:
            return None
        parts = self._parts
        whole = parts[0] if len(parts) == 1 else b"".join(parts)
        if self.chunked:
            return whole
        if b"\r\n." in whole:
            whole = whole.replace(b"\r\n.", b"\r\n")
        return whole[1:] if whole.startswith(b".") else whole
