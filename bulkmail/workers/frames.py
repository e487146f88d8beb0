"""Length-prefixed frames of marshalled plain data, both ways of the pipe."""

from __future__ import annotations

import marshal
from struct import Struct
from typing import Any

_LENGTH = Struct("!I")
LARGEST = 256 * 1024 * 1024


def frame(value: Any) -> bytes:
    """Four bytes of length, then the value. Raises ValueError where it is not plain data or over 256 MiB."""
    data = marshal.dumps(value)
    if len(data) > LARGEST:
        raise ValueError(f"a frame of {len(data)} bytes is over the limit of {LARGEST}")
    return _LENGTH.pack(len(data)) + data


class Frames:
    """Cuts a stream of bytes back into values."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._have = 0
        self._need = _LENGTH.size  # with so many bytes something more is known: a length, or a whole value

    def feed(self, data: bytes) -> list[Any]:
        """Every value that is complete with ``data``. Raises ValueError on a length that no peer of ours sends."""
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
