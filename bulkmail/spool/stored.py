"""Plain data as it stands in the database: JSON, in which bytes are base64. Reading it runs no code, whatever it holds.

Earlier versions stored what Python's `marshal` writes, whose own reader must not be given foreign bytes: it is read by
one here that knows its few types of plain data.
"""

from __future__ import annotations

import json
import struct
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any

_MAGIC = b"json:"  # no type of marshal's begins with it
_MARK = "$"  # {"$": text} are bytes, {"$": pairs} is a dictionary that has this very key
_DEEPEST = 100
_NULL = object()


def store(value: Any) -> bytes:
    """Return plain data (None, bool, int, float, str, bytes, list, dict with str keys) as bytes; tuples as lists.

    Raises TypeError for anything else.
    """
    return _MAGIC + json.dumps(_plain(value), separators=(",", ":")).encode("ascii")


def restore(data: bytes) -> Any:
    """Return what ``store`` was given, or an earlier version's ``marshal``. Raises ValueError for other bytes."""
    if not data.startswith(_MAGIC):
        return _Marshalled(data).value()
    try:
        return _full(json.loads(data[len(_MAGIC) :]))
    except RecursionError as error:
        raise ValueError("stored data is nested too deeply") from error


def without_keys(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return a campaign's content with the fingerprints of its DKIM keys in place of the keys."""
    dkim = [
        {"domain": entry["domain"], "selector": entry["selector"], "fingerprint": fingerprint(entry)}
        for entry in content.get("dkim", ())
    ]
    return {**content, "dkim": dkim} if dkim else dict(content)


def fingerprint(entry: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a DKIM key's file, in hex: of ``{"pem": bytes}``, or as it was stored."""
    known: str = entry.get("fingerprint") or sha256(entry["pem"]).hexdigest()
    return known


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, bytes):
        return {_MARK: b64encode(value).decode("ascii")}
    if isinstance(value, tuple | list):
        return [_plain(one) for one in value]
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise TypeError(f"{type(value).__name__} is not plain data")
    if _MARK in value:
        return {_MARK: [[key, _plain(one)] for key, one in value.items()]}
    return {key: _plain(one) for key, one in value.items()}


def _full(value: Any) -> Any:
    if isinstance(value, list):
        return [_full(one) for one in value]
    if not isinstance(value, dict):
        return value
    marked = value.get(_MARK)
    if isinstance(marked, str):
        return b64decode(marked, validate=True)
    if isinstance(marked, list):
        return {key: _full(one) for key, one in marked}
    return {key: _full(one) for key, one in value.items()}


class _Marshalled:
    """One value as ``marshal`` wrote it in its format 4. Raises ValueError for what is none."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        self._refs: list[Any] = []

    def value(self) -> Any:
        """Return the value, which must be all there is."""
        value = self._next(0)
        if value is _NULL or self._at != len(self._data):
            raise ValueError("stored data of an unknown kind")
        return value

    def _take(self, count: int) -> bytes:
        taken = self._data[self._at : self._at + count]
        if count < 0 or len(taken) != count:
            raise ValueError("stored data is cut off")
        self._at += count
        return taken

    def _number(self, form: str) -> Any:
        return struct.unpack(form, self._take(struct.calcsize(form)))[0]

    def _next(self, depth: int) -> Any:
        if depth > _DEEPEST:
            raise ValueError("stored data is nested too deeply")
        code = self._take(1)[0]
        kind, referred = chr(code & 0x7F), bool(code & 0x80)
        if kind == "r":
            number = self._number("<I")
            if number >= len(self._refs):
                raise ValueError("stored data refers to nothing")
            return self._refs[number]
        if referred:
            place = len(self._refs)
            self._refs.append(None)
        value = self._of(kind, depth + 1)
        if referred:
            self._refs[place] = value
        return value

    def _of(self, kind: str, depth: int) -> Any:
        if kind in _SINGLE:
            return _SINGLE[kind]
        if kind in "sutaAzZ":
            raw = self._take(self._number("<B" if kind in "zZ" else "<i"))
            return raw if kind == "s" else raw.decode("utf-8", "surrogatepass")
        read = _READ.get(kind)
        if read is None:
            raise ValueError(f"stored data has a value of the kind {kind!r}")
        return read(self, depth)

    def _long(self, _: int) -> int:
        size: int = self._number("<i")
        digits = struct.unpack(f"<{abs(size)}H", self._take(2 * abs(size)))
        number: int = sum(digit << 15 * place for place, digit in enumerate(digits))
        return -number if size < 0 else number

    def _many(self, count: int, depth: int) -> list[Any]:
        return [self._next(depth) for _ in range(count)]

    def _dictionary(self, depth: int) -> dict[Any, Any]:
        found: dict[Any, Any] = {}
        while (key := self._next(depth)) is not _NULL:
            if not isinstance(key, str):
                raise ValueError("stored data has a key that is no text")  # noqa: TRY004 - it is data, not an argument
            found[key] = self._next(depth)
        return found


_SINGLE = {"N": None, "T": True, "F": False, "0": _NULL}
_READ: dict[str, Callable[[_Marshalled, int], Any]] = {
    "i": lambda data, _: data._number("<i"),  # noqa: SLF001
    "g": lambda data, _: data._number("<d"),  # noqa: SLF001
    "l": _Marshalled._long,  # noqa: SLF001
    "(": lambda data, depth: tuple(data._many(data._number("<I"), depth)),  # noqa: SLF001
    ")": lambda data, depth: tuple(data._many(data._number("<B"), depth)),  # noqa: SLF001
    "[": lambda data, depth: data._many(data._number("<I"), depth),  # noqa: SLF001
    "{": _Marshalled._dictionary,  # noqa: SLF001
}
