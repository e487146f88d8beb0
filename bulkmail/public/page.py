"""The one page, as bytes: in the words of a language, with the name of the list and a masked address at most.

Names and addresses are hostile until escaped: Jinja2 escapes all of them, `<bdi>` keeps marks that turn text within
them, and the policy of the page allows nothing but its own inline style, by its hash.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Mapping
from enum import Enum
from functools import cache
from typing import NamedTuple

from markupsafe import Markup

from bulkmail.mail import unseen
from bulkmail.page_templates import page_template
from bulkmail.public.texts import LIST, Words

_TEMPLATES = os.path.join(os.path.dirname(__file__), "templates")
_LEFTWARDS = frozenset({"ar", "dv", "fa", "he", "ku", "ps", "sd", "ug", "ur", "yi"})
_MOST_NAME = 200


class Kind(Enum):
    """What the page says; each has a text of its name as its title, and one of ``<name>_text``."""

    ASK = "ask"
    LEFT = "left"
    BACK = "back"
    UNKNOWN = "unknown"
    LATER = "later"
    NOTHING = "nothing"


_BUTTONS = {Kind.ASK: "leave", Kind.LEFT: "return", Kind.BACK: "leave"}


class Subject(NamedTuple):
    """Of whom the page speaks."""

    list_name: str
    address: str = ""
    test: bool = False


def masked(address: str) -> str:
    """Return enough of an address for its owner to know it: ``a…n@example.org``; the domain whole."""
    local, at, domain = address.rpartition("@")
    if not at:
        return ""
    return f"{local[:1]}…{local[-1:] if len(local) > 2 else ''}@{domain}"


def page(kind: Kind, language: str, words: Words, subject: Subject | None = None, name: str = "") -> bytes:
    """Return the page in UTF-8. ``name``: the operator's, for people; ``subject``: None where nobody is known."""
    heading = words[kind.value]
    list_name = ""
    if subject is not None and LIST in heading:
        list_name = _plain(words["test_list"] if subject.test else subject.list_name)
    before, _, after = heading.partition(LIST)
    values = {
        "lang": language,
        "direction": "rtl" if language[:2] in _LEFTWARDS else "ltr",
        "title": words["title"] if subject is not None else heading,
        "style": Markup(_style()),  # noqa: S704 - a file of ours
        "name": _plain(name),
        "words": words,
        "before": before,
        "list": list_name,
        "after": after,
        "address": masked(_plain(subject.address)) if subject is not None else "",
        "text": words[f"{kind.value}_text"],
        "test": subject is not None and subject.test,
        "button": _BUTTONS.get(kind) if subject is not None else None,
    }
    return page_template(_TEMPLATES, "page.html.j2").render(values).encode("utf-8", "replace")


def _plain(text: str) -> str:
    """Return ``text`` without what cannot be seen, at most `_MOST_NAME` characters of it."""
    if unseen(text):
        text = "".join(character for character in text if not unseen(character))
    return text if len(text) <= _MOST_NAME else text[:_MOST_NAME] + "…"


@cache
def headers() -> Mapping[bytes, bytes]:
    """Return the header fields that every answer has."""
    return page_headers(_style(), referrer=b"no-referrer")


def page_headers(style: str, *, referrer: bytes, sources: str = "") -> Mapping[bytes, bytes]:
    """Return the header fields of a page that has one inline style and no script.

    ``referrer``: the Referrer-Policy. ``sources``: what the Content-Security-Policy allows besides, each with "; ".
    """
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode("ascii")
    policy = (
        f"default-src 'none'; style-src 'sha256-{digest}'; {sources}form-action 'self'; frame-ancestors 'none'; "
        "base-uri 'none'"
    )
    return {
        b"Content-Type": b"text/html; charset=utf-8",
        b"Content-Security-Policy": policy.encode("ascii"),
        b"Referrer-Policy": referrer,
        b"X-Content-Type-Options": b"nosniff",
        b"X-Frame-Options": b"DENY",
        b"X-Robots-Tag": b"noindex, nofollow, noarchive",
        b"Cross-Origin-Resource-Policy": b"same-origin",
        b"Cross-Origin-Opener-Policy": b"same-origin",
        b"Cache-Control": b"no-store",
    }


@cache
def _style() -> str:
    with open(os.path.join(_TEMPLATES, "style.css"), encoding="utf-8") as file:
        return file.read()
