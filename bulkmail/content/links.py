"""Parameters added to a URL: exactly these characters, in one place; all others stay as they are written.

They go at the end of the query and before the fragment, which servers never see (RFC 3986 3.5). A parameter of that
name that is there already is kept, so to add them twice is to add them once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import quote, unquote_plus

from bulkmail.content.markup import attribute_places

WEB = re.compile(r"[ \t\n\f\r]*https?://[^/?#\s]", re.IGNORECASE)
"""How a link begins that a browser opens; mailto:, tel:, cid: and links within the letter are none."""

_UNSUBSCRIBE = re.compile("unsubscri", re.IGNORECASE)
_PARTS = re.compile("[&;]")
_SPACE = " \t\n\f\r"


class Addition(NamedTuple):
    """What is added to one URL: ``text`` at the index ``at``, which may be nothing."""

    at: int
    text: str


def encoded(value: str) -> str:
    """Return a parameter's value, all but unreserved characters %-encoded (RFC 3986 2.3): the same in HTML and text."""
    return quote(value, safe="-._~")


def may_be_tagged(url: str) -> bool:
    """Return whether ``url`` is a link to a page, and none that unsubscribes."""
    return WEB.match(url) is not None and _UNSUBSCRIBE.search(url) is None


def addition(url: str, parameters: Mapping[str, str]) -> Addition:
    """Return what adds the parameters to ``url``; their values are `encoded`, or a template's tags that print such."""
    at = url.find("#")
    end = at if at >= 0 else len(url.rstrip(_SPACE))
    _path, mark, query = url[:end].partition("?")
    there = {unquote_plus(part.partition("=")[0]).strip().lower() for part in _PARTS.split(query)}
    text = "&".join(f"{name}={value}" for name, value in parameters.items() if name not in there)
    if not text:
        return Addition(end, "")
    between = "?" if not mark else "" if not query or query.endswith("&") else "&"
    return Addition(end, between + text)


def tagged(url: str, parameters: Mapping[str, str]) -> str:
    """Return ``url`` with the parameters, where it is a link to a page."""
    if not may_be_tagged(url):
        return url
    at, text = addition(url, parameters)
    return url[:at] + text + url[at:]


def tagged_in_html(raw: str, parameters: Mapping[str, str]) -> str:
    """Return the same for a URL as an attribute of HTML has it, with its character references."""
    url, places = attribute_places(raw)
    if not may_be_tagged(url):
        return raw
    at, text = addition(url, parameters)
    if not text:
        return raw
    place = places[at]
    if url[at - 1] == "&" and not raw[:place].endswith(("&", "&amp;")):
        text = f"&{text}"  # "&amp" without its end would go on in the parameter's name
    return raw[:place] + text.replace("&", "&amp;") + raw[place:]
