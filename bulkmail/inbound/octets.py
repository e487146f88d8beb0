"""The octets of one message: the first of them in memory, all others in a file without a name.

So a thousand clients that each write a message of the largest size take the memory of a thousand small ones. The file
has no name in any folder: a killed process leaves nothing behind.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from functools import partial
from tempfile import TemporaryFile
from typing import Any

IN_MEMORY = 32_768
"""Octets of a message that are kept in memory."""

_PIECE = 65_536

Spill = Callable[[], Any]
"""Makes such a file. Raises OSError."""


def spill_in(folder: str) -> Spill:
    """Return what makes files without a name in the file system of this folder."""
    return partial(TemporaryFile, dir=folder, buffering=0)


class Octets:
    """``head``: the first octets; ``file`` has the others, None where there are none."""

    def __init__(self, head: bytes, file: Any = None) -> None:
        self._head = head
        self._file = file
        self._behind = 0 if file is None else os.fstat(file.fileno()).st_size

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._head) + self._behind

    @property
    def in_memory(self) -> bool:
        """Whether there is no file."""
        return self._file is None

    def below(self, added: bytes) -> Octets:
        """Return these octets with others in front. They share the file."""
        return Octets(added + self._head, self._file)

    def first(self, most: int) -> bytes:
        """Return the first so many. Raises OSError."""
        return self.at(0, most)

    def at(self, start: int, most: int) -> bytes:
        """Return up to so many, from that one on; b"" behind the last one. Raises OSError."""
        found = self._head[start : start + most]
        if self._file is not None and len(found) < most:
            behind = max(0, start - len(self._head))
            found += os.pread(self._file.fileno(), most - len(found), behind)
        return found

    def pieces(self) -> Iterator[bytes]:
        """Yield all of them, some at a time. Raises OSError."""
        start = 0
        while piece := self.at(start, _PIECE):
            yield piece
            start += len(piece)

    def whole(self) -> bytes:
        """Return all of them. Raises OSError."""
        return b"".join(self.pieces())

    def close(self) -> None:
        """Give the file back; nothing is to be read afterwards."""
        if self._file is not None:
            self._file.close()


class OctetsFile(io.RawIOBase):
    """Octets to be read as a file, for a library that reads one."""

    def __init__(self, octets: Octets) -> None:
        self._octets = octets
        self._at = 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return where the next octet is read."""
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Read on there."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: len(self._octets)}[whence]
        self._at = base + offset
        return self._at

    def read(self, size: int = -1) -> bytes:
        """Return the next so many."""
        found = self._octets.at(self._at, len(self._octets) if size < 0 else size)
        self._at += len(found)
        return found
