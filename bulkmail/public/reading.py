"""What a request asks for: the token from its path, and what its form says.

A query may be added to a link by whoever counts clicks, and a field of a form can be called like one of a query. So
the token comes from the path alone, and what is to be done from the body alone. The query has the language at most, in
which our own links say what their recipient's row says.
"""

from __future__ import annotations

import re
from enum import Enum
from urllib.parse import parse_qsl, unquote_to_bytes

PREFIX = b"/u/"
MOST_TOKEN = 100
_MOST_FIELDS = 20
_MOST_QUERY = 500
_TAG = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8}){0,6}", re.ASCII)
_BEHIND = ".,;:!?)>]}'\"/"  # what mail programs take for a part of a link that stands in a text
_ONE_CLICK = ("list-unsubscribe", "one-click")
_BOUNDARY = re.compile(rb';\s*boundary=(?:"([^"\r\n]{1,70})"|([^\s";]{1,70}))', re.IGNORECASE)  # RFC 2046 5.1.1
_NAME = re.compile(
    rb'^content-disposition:[ \t]*form-data[ \t]*;[^\n]*?\bname=(?:"([^"\n]*)"|([^\s";]+))',
    re.IGNORECASE | re.MULTILINE,
)


class Wish(Enum):
    """What a form asks for."""

    ONE_CLICK = "one-click"
    LEAVE = "leave"
    RETURN = "return"
    NOTHING = "nothing"


ACTION = "action"
"""The field of the page's own forms; its value is a `Wish`."""


def token_in(path: bytes) -> str | None:
    """Return the token in the path of a request, in lower case; None for every other path.

    What does not look like a token is one that is not known, as long as it is one short part of printable characters.
    """
    if not path.startswith(PREFIX):
        return None
    text = unquote_to_bytes(path[len(PREFIX) :].partition(b"?")[0]).decode("ascii", "replace").rstrip(_BEHIND)
    if not text or len(text) > MOST_TOKEN or not text.isascii() or not text.isprintable() or "/" in text:
        return None
    return text.lower()


def language_in(path: bytes) -> str:
    """Return the language tag that the query of a path names; "" where it names none."""
    query = path.partition(b"?")[2][:_MOST_QUERY].decode("ascii", "replace")
    try:
        fields = parse_qsl(query, max_num_fields=_MOST_FIELDS)
    except ValueError:  # more fields than that
        return ""
    said = next((value for name, value in fields if name == "lang"), "").strip().replace("_", "-")
    return said if _TAG.fullmatch(said) else ""


def wish_in(content_type: bytes, body: bytes) -> Wish:
    """Return what the form in ``body`` asks for. One-click wins over everything else that it may say as well."""
    fields = [(name.strip().lower(), value.strip().lower()) for name, value in _fields(content_type, body)]
    if _ONE_CLICK in fields:
        return Wish.ONE_CLICK
    for wish in (Wish.LEAVE, Wish.RETURN):
        if (ACTION, wish.value) in fields:
            return wish
    return Wish.NOTHING


def _fields(content_type: bytes, body: bytes) -> list[tuple[str, str]]:
    """Return the fields of either encoding of a form (RFC 7578, and application/x-www-form-urlencoded by default)."""
    kind = content_type.partition(b";")[0].strip().lower()
    if kind == b"multipart/form-data":
        return _parts(content_type, body)
    try:
        return parse_qsl(body.decode("ascii", "replace"), keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError:  # more fields than that
        return []


def _parts(content_type: bytes, body: bytes) -> list[tuple[str, str]]:
    """By hand: `email` raises errors of its own (IndexError) on fields that hostile forms may have."""
    found = _BOUNDARY.search(content_type)
    if found is None:
        return []
    fields = []
    for part in body.split(b"--" + (found[1] or found[2]), _MOST_FIELDS)[1:]:
        head, blank, value = part.replace(b"\r\n", b"\n").partition(b"\n\n")
        name = _NAME.search(head)
        if blank and name is not None:
            fields.append(((name[1] or name[2]).decode("ascii", "replace"), value.decode("ascii", "replace")))
    return fields
