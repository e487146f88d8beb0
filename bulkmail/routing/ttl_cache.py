"""A bounded cache whose entries expire. Times are seconds on the caller's clock."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

_Key = TypeVar("_Key", bound=Hashable)
_Value = TypeVar("_Value")


class TtlCache(Generic[_Key, _Value]):
    """At most ``size`` entries: the least recently used is evicted; an expired one is removed when it is read."""

    __slots__ = ("_entries", "_size")

    def __init__(self, size: int) -> None:
        self._entries: OrderedDict[_Key, tuple[float, _Value]] = OrderedDict()
        self._size = size

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: _Key, now: float) -> _Value | None:
        """Return the value; None where the key is unknown or its entry expired."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        until, value = entry
        if now >= until:
            del self._entries[key]
            return None
        self._entries.move_to_end(key)
        return value

    def put(self, key: _Key, value: _Value, until: float) -> None:
        """Store ``value`` until ``until``, replacing an earlier one."""
        self._entries[key] = (until, value)
        self._entries.move_to_end(key)
        if len(self._entries) > self._size:
            self._entries.popitem(last=False)

    def clear(self) -> None:
        """Remove all entries."""
        self._entries.clear()

    def __repr__(self) -> str:
        return f"<TtlCache {len(self._entries)} of {self._size}>"
