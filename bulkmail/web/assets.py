"""The scripts of the page: files of ours and of others, as they are. A page works without them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from functools import cache

from bulkmail.public import Answer

_HERE = os.path.dirname(__file__)
_FILES = {
    "htmx.js": "vendored/htmx.min.js",
    "sse.js": "vendored/sse.min.js",
    "idiomorph.js": "vendored/idiomorph-ext.min.js",
    "uplot.js": "vendored/uPlot.iife.min.js",
    "plots.js": "templates/plots.js",
    "page.js": "templates/page.js",
}
_A_YEAR = b"private, max-age=31536000, immutable"


@cache
def script(name: str) -> bytes | None:
    """Return a script's octets, None where there is none of that name."""
    return None if name not in _FILES else read(_FILES[name])


def read(path: str) -> bytes:
    """Return a file of this room."""
    with open(os.path.join(_HERE, path), "rb") as file:
        return file.read()


@cache
def place(name: str) -> str:
    """Return where a script is got: another place when it has changed, so that a browser may keep it."""
    found = script(name)
    assert found is not None
    return f"/assets/{hashlib.sha256(found).hexdigest()[:16]}/{name}"


def script_answer(name: str, headers: Mapping[bytes, bytes]) -> Answer | None:
    """Return the answer to who asks for a script; ``headers``: of every page."""
    found = script(name)
    if found is None:
        return None
    of_it = {b"Content-Type": b"text/javascript; charset=utf-8", b"Cache-Control": _A_YEAR}
    return Answer(200, {**headers, **of_it}, found)
