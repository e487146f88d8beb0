"""Pictures that no reader will see: mail programs fetch a picture by its address, and have no folder of ours."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Container, Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from jinja2 import Environment, TemplateSyntaxError

from bulkmail.content.markup import attribute_value, placed_tokens, tokens, written_attributes
from bulkmail.content.mistakes import Places, shown
from bulkmail.content.shield import OPEN, shielded, signed

_SHOWING = frozenset({"img", "input", "v:fill", "v:imagedata", "v:image"})
FETCHED = re.compile(r"(?:https?:|data:|//)", re.IGNORECASE)
_REMEDY = "put the picture on a web server, and write its https address"
_CARRY = f"{_REMEDY}; or write `html: {{embed_images: true}}` in campaign.yaml, and each message carries it"


def carried_pictures(content: Mapping[str, Any]) -> frozenset[str]:
    """Return the pictures of the folder that a campaign's messages carry, by their paths in it."""
    return frozenset(name for name, _data in (content.get("letter") or {}).get("pictures", ()))


def file_of(written: str) -> str:
    """Return the path of a picture's file in the folder, as a template names it."""
    return posixpath.normpath(unquote(written.partition("?")[0].partition("#")[0]))


def folder_pictures(environment: Environment, source: str) -> list[str]:
    """Return the files of the folder that an HTML template shows as pictures, by their paths in it."""
    return [file_of(value) for _at, _end, value in named_pictures(signed(environment, source)[0])]


def named_pictures(text: str) -> Iterator[tuple[int, int, str]]:
    """Yield where a template with signs names pictures of the folder, and how."""
    for token, start, _end in placed_tokens(text):
        if token.kind != "start":
            continue
        for one in written_attributes(text, start):
            value = attribute_value(text[one.value_at : one.value_end]).strip()
            if not shows(token.data, one.name) or not value or OPEN in value or FETCHED.match(value):
                continue
            if not value.lower().startswith(("/", "cid:", "#")):
                yield one.value_at, one.value_end, value


def shows(tag: str, attribute: str) -> bool:
    """Return whether this attribute of an element names a picture."""
    return attribute == "background" or (attribute == "src" and tag in _SHOWING)


def lost_pictures(
    environment: Environment, source: str, carried: Container[str] = ()
) -> Iterator[tuple[int, int, str]]:
    """Yield the pictures of an HTML template that cannot be fetched: line and column from 1, and what is wrong.

    ``carried``: those that the messages carry.
    """
    try:
        signed, _tags = shielded(environment, source)
    except TemplateSyntaxError:
        return  # told by the check of the templates
    at, places = 0, Places(source)
    for token in tokens(signed):
        for name, value in token.attributes if token.kind == "start" else ():
            if not shows(token.data, name):
                continue
            written = value.strip().partition(OPEN)[0]
            if not written or FETCHED.match(written) or file_of(value.strip()) in carried:
                continue  # a value of the row is its address, or it is one
            found = source.find(written, at)
            at = found + len(written) if found >= 0 else at
            yield (*(places.of(found) if found >= 0 else (0, 0)), _words(shown(written)))


def _words(written: str) -> str:
    if written.lower().startswith("cid:"):
        return f"the picture `{written}` would have to be a part of the message, and no part has that name; {_REMEDY}"
    if written.startswith("/"):
        return f"the picture `{written}` has no server in its address; write the whole of it: https://…{written}"
    return f"the picture `{written}` is not sent along, and no mail program finds it by that name; {_CARRY}"
