"""Curly quotes around a value: for YAML they are letters, and so a part of the value."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bulkmail.mail import Problem
from bulkmail.yamlfile.tree import Path, YamlFile

_CLOSING = {
    "\u201c": "\u201d",
    "\u201e": "\u201c\u201d",
    "\u201d": "\u201d",
    "\u2018": "\u2019",
    "\u201a": "\u2018\u2019",
    "\u00ab": "\u00bb",
    "\u00bb": "\u00ab",
}


def curly_quotes(file: YamlFile) -> list[Problem]:
    """Return a problem for each text that begins and ends with curly quotes, and has none between them."""
    return [
        file.problem(
            loc,
            f"{'.'.join(map(str, loc))}: the quotes {text[0]} {text[-1]} are a part of the value, for only straight "
            'ones enclose it; leave them out, or write " instead',
        )
        for loc, text in _texts(file.value, ())
        if _enclosed(text)
    ]


def _enclosed(text: str) -> bool:
    closing = _CLOSING.get(text[:1])
    if closing is None or len(text) < 2 or text[-1] not in closing:
        return False
    return not set(text[1:-1]) & {text[0], text[-1]}


def _texts(value: Any, loc: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(value, str):
        yield loc, value
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from _texts(each, (*loc, key))
    elif isinstance(value, list):
        for number, each in enumerate(value):
            yield from _texts(each, (*loc, number))
