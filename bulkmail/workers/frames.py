"""Length-prefixed frames of marshalled plain data, both ways of the pipe."""

from __future__ import annotations

import marshal
from collections.abc import Iterator
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
    """Cuts a stream of bytes back into values. ``feed`` what came in; it yields each complete value."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._have = 0
        self._want: int | None = None

    def feed(self, data: bytes) -> Iterator[Any]:
        """Every value that is complete now. Raises ValueError on a length that no peer of ours sends."""
        self._parts.append(data)
        self._have += len(data)
        while True:
            if self._want is None:
                if self._have < _LENGTH.size:
                    return
                self._join()
                (self._want,) = _LENGTH.unpack_from(self._parts[0])
                if self._want > LARGEST:
                    raise ValueError(f"a frame of {self._want} bytes is over the limit of {LARGEST}")
            end = _LENGTH.size + self._want
            if self._have < end:
                return
            self._join()
            whole = self._parts[0]
            value = marshal.loads(memoryview(whole)[_LENGTH.size : end])  # noqa: S302 - our own child writes it
            rest = whole[end:]
            self._parts = [rest] if rest else []
            self._have = len(rest)
            self._want = None
            yield value

    def _join(self) -> None:
        if len(self._parts) > 1:
            self._parts = [b"".join(self._parts)]
