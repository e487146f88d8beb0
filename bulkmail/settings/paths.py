"""The keys of the settings by their paths, with what each holds; and what the files hold that some of them name."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from bulkmail.files import read_regular

Path = tuple[str | int, ...]

_OF_RELAY = ("ca_file", "password_file", "token_file")

READ_AT_OPENING = frozenset(
    {
        "dkim.*.key",
        "public.texts",
        *(f"{relay}.{name}" for relay in ("relay", "routing.routes.*.relay") for name in _OF_RELAY),
    }
)
"""Keys that name a file, or a folder of them, that is read when the service opens."""

LISTS = "suppress"
"""The key that names files, perhaps very long ones, that are read with each list of recipients."""

NAMED = frozenset({("shaping", "providers"), ("pools",)})
"""Mappings whose keys are names that people choose."""

_MOST = 1_000_000  # octets of a file


def values(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yield the path of each key that has a value, and the value; sections, and lists of them, are gone into."""
    if isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from values(getattr(value, name), (*path, name))
    elif isinstance(value, Mapping):
        for name, item in value.items():
            yield from values(item, (*path, name))
    elif isinstance(value, tuple) and value and isinstance(value[0], BaseModel):
        for index, item in enumerate(value):
            yield from values(item, (*path, index))
    elif value is not None:
        yield path, value


def pattern(path: Path) -> str:
    """Return a path as keys are classified: a place in a list, and a name that people choose, are ``*``."""
    return ".".join("*" if isinstance(part, int) or path[:place] in NAMED else part for place, part in enumerate(path))


def contents(settings: BaseModel) -> dict[Path, str]:
    """Return what tells a change of what each key of `READ_AT_OPENING`, and `LISTS`, names, by the key's path."""
    found = {}
    for path, value in values(settings):
        key = pattern(path)
        if key in READ_AT_OPENING:
            found[path] = _digest(value)
        elif key == LISTS and value:
            found[path] = " ".join(map(_written, value))
    return found


def _written(place: str) -> str:
    """Tell by size and time whether a file was written since: it may be too long to be read for that."""
    try:
        status = os.stat(place)
    except OSError:
        return ""
    return f"{status.st_ino}:{status.st_size}:{status.st_mtime_ns}"


def _digest(place: str) -> str:
    names = [place]
    if os.path.isdir(place):
        names = [os.path.join(place, name) for name in sorted(os.listdir(place))]
    digest = hashlib.sha256()
    for name in names:
        try:
            content = read_regular(name, _MOST)
        except ValueError:
            content = b""  # the error is told where the file is used
        digest.update(name.encode("utf-8", "surrogateescape") + b"\0%d\0" % len(content) + content)
    return digest.hexdigest()
