"""The name of a campaign: what is allowed, and the nearest allowed one to what a person wrote."""

from __future__ import annotations

import re
import unicodedata

_ALLOWED = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}", re.ASCII)
_GAPS = re.compile(r"[^a-z0-9._-]+")
_LONGEST = 100
_SPELT = str.maketrans({"ß": "ss", "æ": "ae", "ø": "o", "œ": "oe", "ł": "l", "đ": "d", "&": " and "})


def is_campaign_name(text: str) -> bool:
    """Return whether ``text`` is 1 to 100 of ``A-Z a-z 0-9 . _ -``, the first neither dot nor dash."""
    return _ALLOWED.fullmatch(text) is not None


def nearest_name(text: str) -> str:
    """Return an allowed name like ``text``: ``Spring Sale 2026`` becomes ``spring-sale-2026``; "" where none is near.

    Accents are taken off; what has no ASCII letter is left out.
    """
    plain = unicodedata.normalize("NFKD", text.lower().translate(_SPELT))
    plain = "".join(character for character in plain if not unicodedata.combining(character))
    return _GAPS.sub("-", plain).lstrip(".-")[:_LONGEST].rstrip(".-")


def check_campaign_name(text: str) -> str:
    """Return ``text`` if it may be a name. Raises ValueError with a sentence that offers the nearest one."""
    if is_campaign_name(text):
        return text
    near = nearest_name(text)
    offer = f"; write {near}" if near else ""
    raise ValueError(f"must be 1 to 100 letters, digits and . _ - and not start with . or -{offer}")
