"""Style sheets prepared for a CSS inliner, and what it made of them put right.

An inliner keeps one value of a property. Authors write two where the first is for mail programs that do not know the
second (``background: red; background: linear-gradient(...)``), so the first goes through the inliner under a name of
its own. ``!important`` is for the cascade, which is over where a declaration stands in an element; there it would also
win over the rules for small screens, so it is taken off.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, NamedTuple

_FALLBACK = "--bulkmail-fallback-"
_FALLBACKS = re.compile(rf"{_FALLBACK}[0-9]+-")
_ATTRIBUTE = re.compile(r"\[\s*(?:\w*\|)?([\w-]+)")
_STRINGS = re.compile(r"\"[^\"]*\"|'[^']*'|\([^()]*\)")
_SIBLINGS = re.compile(r"[+~]|:(?:first|last|only|nth|has|not|is|where)\b", re.IGNORECASE)
_REMEMBERED = 4096


class Sheet(NamedTuple):
    """A style sheet as the inliner gets it, and what its selectors ask for."""

    text: str
    attributes: frozenset[str]
    """The names of attributes in selectors, but for ``class`` and ``id`` in their short forms; in lower case."""
    siblings: bool
    """Whether a selector asks for more of an element than what it is and what it stands in."""
    empty: bool
    """Whether a selector asks for elements with nothing in them."""
    problem: str
    """What of it cannot be read; "" for nothing."""


@lru_cache(maxsize=64)
def prepared(css: str) -> Sheet:
    """Return the sheet with the fallbacks of properties under names of their own."""
    import tinycss2  # noqa: PLC0415 - of the extra `html`

    rules = tinycss2.parse_stylesheet(css, skip_comments=True, skip_whitespace=True)
    texts: list[str] = []
    attributes: set[str] = set()
    siblings, empty, problem = False, False, ""
    for rule in rules:
        wrong = [one for one in (rule, *(getattr(rule, "prelude", None) or ())) if one.type == "error"]
        if wrong:
            problem = problem or f"line {wrong[0].source_line} of the style sheet cannot be read ({wrong[0].message})"
        elif rule.type == "qualified-rule":
            prelude: str = tinycss2.serialize(rule.prelude).strip()
            attributes |= {name.lower() for name in _ATTRIBUTE.findall(prelude)}
            siblings = siblings or bool(_SIBLINGS.search(_STRINGS.sub("", prelude)))
            empty = empty or ":empty" in prelude.lower()
            texts.append(f"{prelude}{{{_with_fallbacks(_declarations(rule.content))}}}")
        else:
            texts.append(rule.serialize())
    return Sheet("\n".join(texts), frozenset(attributes), siblings, empty, problem)


def rest_of(css: str) -> str:
    """Return what the inliner left of a sheet, each property under its own name."""
    return _FALLBACKS.sub("", css).strip()


@lru_cache(maxsize=_REMEMBERED)
def parted(style: str) -> tuple[str, str]:
    """Return the inliner's declarations for an element: those that were not ``!important``, and those that were.

    Fallbacks stand before all others, ``!important`` is taken off.
    """
    usual: tuple[list[str], list[str]] = [], []
    important: tuple[list[str], list[str]] = [], []
    for one in _declarations(style):
        name = _FALLBACKS.sub("", one.name)
        fallbacks, others = important if one.important else usual
        (others if name == one.name else fallbacks).append(f"{name}: {_value(one)}")
    return "; ".join([*usual[0], *usual[1]]), "; ".join([*important[0], *important[1]])


def _declarations(content: str | list[Any]) -> list[Any]:
    import tinycss2  # noqa: PLC0415 - of the extra `html`

    parsed = tinycss2.parse_declaration_list(content, skip_comments=True, skip_whitespace=True)
    return [one for one in parsed if one.type == "declaration"]


def _with_fallbacks(declarations: Iterable[Any]) -> str:
    listed = list(declarations)
    last = {(one.lower_name, one.important): n for n, one in enumerate(listed)}
    texts = []
    for n, one in enumerate(listed):
        name = one.name if last[one.lower_name, one.important] == n else f"{_FALLBACK}{n}-{one.name}"
        texts.append(f"{name}:{_value(one)}{'!important' if one.important else ''}")
    return ";".join(texts)


def _value(declaration: Any) -> str:
    return "".join(one.serialize() for one in declaration.value).strip()
