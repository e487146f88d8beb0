"""Length-prefixed frames of marshalled plain data, both ways of the pipe."""

from __future__ import annotations

import marshal
from struct import Struct
from typing import Any

_LENGTH = Struct("!I")
LARGEST = 256 * 1024 * 1024


def frame(value: Any) -> bytes:
    """Encode plain data: four bytes of length, then the value. Raises ValueError for other data, or over 256 MiB."""
    data = marshal.dumps(value)
    if len(data) > LARGEST:
        raise ValueError(f"a frame of {len(data)} bytes is over the limit of {LARGEST}")
    return _LENGTH.pack(len(data)) + data


class Frames:
    """Cuts a stream of bytes back into values."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._have = 0
        self._need = _LENGTH.size  # bytes until a length or a value is complete

    def feed(self, data: bytes) -> list[Any]:
        """Take bytes; return the values that are complete now. Raises ValueError on a length over 256 MiB."""
        self._parts.append(data)
        self._have += len(data)
        if self._have < self._need:
            return []
        whole = b"".join(self._parts)
        view, at = memoryview(whole), 0
        values: list[Any] = []
        while True:
            self._need = _LENGTH.size
            if len(whole) - at < self._need:
                break
            (length,) = _LENGTH.unpack_from(whole, at)
            if length > LARGEST:
                raise ValueError(f"a frame of {length} bytes is over the limit of {LARGEST}")
            self._need += length
            if len(whole) - at < self._need:
                break
            values.append(marshal.loads(view[at + _LENGTH.size : at + self._need]))  # noqa: S302 - our own child's
            at += self._need
        self._parts = [whole[at:]]
        self._have = len(whole) - at
        return values
