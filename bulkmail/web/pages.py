"""The pages as bytes. What they show is hostile until it has gone through here.

Jinja2 escapes every value; before that, what cannot be seen in it (controls, marks that turn text, line ends) is
replaced by U+FFFD, so that a reply does to a page what it says and nothing else. The policy allows the page's own
style, by its hash, scripts that are files of ours, and forms to itself: nothing that stands in a page can be run.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from markupsafe import Markup

from bulkmail import __version__
from bulkmail.mail import unseen
from bulkmail.page_templates import Environment, page_environment
from bulkmail.public import Answer, page_headers
from bulkmail.web.assets import place, read
from bulkmail.web.views import when

_TEMPLATES = os.path.join(os.path.dirname(__file__), "templates")
_MOST_TEXT = 2000  # characters of one value
_HEADINGS = {409: "This cannot be done now", 422: "This could not be understood"}
"""What a person reads instead of the phrase of a status (RFC 9110 15.5)."""
_GONE = "\N{REPLACEMENT CHARACTER}"


def harmless(value: Any) -> Any:
    """Return a text without what cannot be seen; anything else as it is."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    if unseen(value):
        value = "".join(_GONE if unseen(character) else character for character in value)
    return value if len(value) <= _MOST_TEXT else value[:_MOST_TEXT] + "…"


def page(
    name: str, values: Mapping[str, Any], *, status: int = 200, more: Mapping[bytes, bytes] | None = None
) -> Answer:
    """Return the page of a template, such as "campaigns"."""
    given = {"version": __version__, "style": Markup(_style()), "live": "", "scripts": (), "done": "", **values}  # noqa: S704 - ours
    body = _environment().get_template(f"{name}.html.j2").render(given).encode("utf-8", "replace")
    return Answer(status, {**headers(scripts=bool(given["scripts"])), **(more or {})}, body)


def part(name: str, values: Mapping[str, Any]) -> bytes:
    """Return the part of a page that a template such as "campaigns_part" makes."""
    return _environment().get_template(f"{name}.html.j2").render(values).encode("utf-8", "replace")


def told(status: int, sentence: str, values: Mapping[str, Any], more: Mapping[bytes, bytes] | None = None) -> Answer:
    """Return a page with one sentence. ``values``: of the frame, and in ``back`` the page with the form."""
    heading = _HEADINGS.get(status) or HTTPStatus(status).phrase.capitalize()
    return page("told", {"back": "", **values, "heading": heading, "sentence": sentence}, status=status, more=more)


def see_other(place: str, more: Mapping[bytes, bytes] | None = None) -> Answer:
    """Return the answer that sends a browser to another page of ours."""
    return Answer(303, {**headers(), b"Location": place.encode("ascii"), **(more or {})}, b"")


def address(*parts: str) -> str:
    """Return the path of a page: ``address("campaigns", "a/b")`` is ``/campaigns/a%2Fb``."""
    return "/" + "/".join(quote(part, safe="") for part in parts)


@cache
def headers(*, scripts: bool = False) -> Mapping[bytes, bytes]:
    """Return the header fields of a page; ``scripts``: it has files of ours with it."""
    allowed = "script-src 'self'; connect-src 'self'; " if scripts else ""
    return page_headers(_style(), referrer=b"same-origin", sources=f"frame-src 'self'; {allowed}")


@cache
def stream_headers() -> Mapping[bytes, bytes]:
    """Return the header fields of an answer with events; nginx would gather them (X-Accel-Buffering)."""
    return {**headers(), b"Content-Type": b"text/event-stream", b"X-Accel-Buffering": b"no"}


@cache
def _style() -> str:
    return (read("templates/style.css") + read("vendored/uPlot.min.css")).decode("utf-8")


@cache
def _environment() -> Environment:
    environment = page_environment(_TEMPLATES, finalize=harmless)
    environment.filters |= {"count": "{:,}".format, "when": when}
    environment.globals |= {"address": address, "script": place}
    return environment
