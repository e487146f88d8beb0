"""Where a problem that the composer tells in words is: the template and its line, apart from what is wrong."""

from __future__ import annotations

import re

_LABEL = re.compile(
    r"(?:(?:html|text) (?P<file>\S+?)|text made from (?P<made>\S+?)|(?P<key>subject|headers\.\S+?|unsubscribe\.url))"
    r"(?:: (?P<inner>\S+))?(?: line (?P<line>\d+))?: (?P<words>.+)",
    re.DOTALL,
).fullmatch


def place_of(words: str) -> tuple[str, str]:
    """Return (where, what is wrong) of an error text of the composer, such as ``html a.j2 line 3: it is None``."""
    found = _LABEL(words)
    if found is None:
        return "message", words
    where = found["inner"] or found["file"] or found["made"] or found["key"]
    return (f"{where}:{found['line']}" if found["line"] else where), found["words"]
