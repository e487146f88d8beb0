"""Pictures that no reader will see: mail programs fetch a picture by its address, and have no folder of ours."""

from __future__ import annotations

import re
from collections.abc import Iterator

from jinja2 import Environment, TemplateSyntaxError

from bulkmail.content.markup import tokens
from bulkmail.content.mistakes import Places, shown
from bulkmail.content.shield import OPEN, shielded

_SHOWING = frozenset({"img", "input", "v:fill", "v:imagedata", "v:image"})
_FETCHED = re.compile(r"(?:https?:|data:|//)", re.IGNORECASE)
_REMEDY = "put the picture on a web server, and write its https address"


def lost_pictures(environment: Environment, source: str) -> Iterator[tuple[int, int, str]]:
    """The pictures of an HTML template that cannot be fetched: line and column from 1, and what is wrong."""
    try:
        signed, _tags = shielded(environment, source)
    except TemplateSyntaxError:
        return  # told by the check of the templates
    at, places = 0, Places(source)
    for token in tokens(signed):
        for name, value in token.attributes if token.kind == "start" else ():
            if not (name == "background" or (name == "src" and token.data in _SHOWING)):
                continue
            written = value.strip().partition(OPEN)[0]
            if not written or _FETCHED.match(written):
                continue  # a value of the row is its address, or it is one
            found = source.find(written, at)
            at = found + len(written) if found >= 0 else at
            yield (*(places.of(found) if found >= 0 else (0, 0)), _words(shown(written)))


def _words(written: str) -> str:
    if written.lower().startswith("cid:"):
        return f"the picture `{written}` would have to be a part of the message, and no part has that name; {_REMEDY}"
    if written.startswith("/"):
        return f"the picture `{written}` has no server in its address; write the whole of it: https://…{written}"
    return f"the picture `{written}` is not sent along, and no mail program finds it by that name; {_REMEDY}"
