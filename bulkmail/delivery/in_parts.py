"""What is to be looked at again and again, where it may be very much: a part of it at a time."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Generic, TypeVar

T = TypeVar("T")

AT_ONCE = 500
_WITHIN = 5  # calls


class InParts(Generic[T]):
    """Goes over some things in rounds. A round of more than 500 takes several calls, five at most."""

    __slots__ = ("_left", "_size")

    def __init__(self) -> None:
        self._left: list[T] = []
        self._size = 0

    def next(self, things: Iterable[T]) -> list[T]:
        """Return the next part; ``things`` are those of another round, where one begins.

        What has come since the round began is in the next one. What has gone since is still in this one.
        """
        if not self._left:
            self._left = list(things)
            self._size = max(AT_ONCE, -(-len(self._left) // _WITHIN))
        part = self._left[-self._size :]
        del self._left[-self._size :]
        return part
