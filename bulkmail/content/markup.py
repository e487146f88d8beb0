"""HTML cut into tags, texts and comments by the rules of the HTML standard (13.2.5), the same on every Python.

Three things make the standard library's parser unfit: before Python 3.14 it takes ``&region=`` in a link for ``®ion=``,
its reading of comments and of ``<title>`` depends on the version, and before 3.13.6 an unclosed construct costs the
square of the length. Here each character is looked at a bounded number of times.

A template's own tags have been replaced by signs (`bulkmail.content.shield`). A sign may stand in the place of a tag's
name, of an attribute or of a part of either.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from html.entities import html5
from typing import NamedTuple

_RAW = ("style", "script", "xmp", "iframe", "noembed", "noframes", "title", "textarea")
_RAW_ENDS = {name: re.compile(rf"</{name}(?=[ \t\n\f\r/>])", re.IGNORECASE) for name in _RAW}
_TAG = re.compile(r"<(/?)([a-zA-Z][^ \t\n\f\r/>]*)")
_SIGN = "\ufdd0[0-9]+\ufdd1"
_SIGN_TAG = re.compile(rf"<(/?)({_SIGN}[^ \t\n\f\r/<>]*)(?=[^<>]*>)")
_GAP = re.compile(r"[ \t\n\f\r/]*")
_NAME = re.compile(rf"{_SIGN}|=?[^ \t\n\f\r/>=\ufdd0]*")
_EQUALS = re.compile(r"[ \t\n\f\r]*=[ \t\n\f\r]*")
_UNQUOTED = re.compile(r"[^ \t\n\f\r>]*")
_COMMENT_END = re.compile("--!?>")
_REFERENCE = re.compile(r"&(?:#[0-9]+;?|#[xX][0-9a-fA-F]+;?|([a-zA-Z][a-zA-Z0-9]*+(?:;|(?![=\ufdd0]))))")
_HUGE = re.compile(r"&#(?:[xX]0*[0-9a-fA-F]{7,}|0*[0-9]{8,});?")  # beyond Unicode; int() refuses 4,300 digits


class Token(NamedTuple):
    """A piece of a document.

    ``kind`` is ``text``, ``start``, ``end`` or ``comment``; ``data`` the text as it is written (see `text_value`), the
    element's name in lower case, or what stands in the comment. ``attributes`` are resolved.
    """

    kind: str
    data: str
    attributes: tuple[tuple[str, str], ...] = ()


class Written(NamedTuple):
    """An attribute as it is written: its name in lower case, and where it, and its value without quotes, stand."""

    name: str
    at: int
    value_at: int
    value_end: int
    end: int


def tokens(source: str) -> Iterator[Token]:
    """Return the document ``source`` in its order. What is never closed reaches to the end, as in a browser."""
    return (token for token, _at, _end in placed_tokens(source))


def placed_tokens(source: str) -> Iterator[tuple[Token, int, int]]:
    """Yield the tokens, each with the index at which it begins and that at which the next one begins."""
    at = 0
    while at < len(source):
        start = source.find("<", at)
        if start < 0:
            start = len(source)
        if start > at:
            yield Token("text", source[at:start]), at, start
            at = start
            continue
        found = _TAG.match(source, at) or _SIGN_TAG.match(source, at)
        if found is None:
            token, end = _other(source, at)
            yield token, at, end
            at = end
            continue
        closing, name = found[1], found[2].lower()
        attributes, end = _attributes(source, found.end())
        if end < 0:
            yield Token("comment", source[at:]), at, len(source)
            return
        yield Token("end" if closing else "start", name, attributes), at, end
        at = end
        if name == "svg" and source[at - 2] == "/":
            yield Token("end", name), at, at
        if not closing and name in _RAW_ENDS:
            last = _RAW_ENDS[name].search(source, at)
            until = last.start() if last else len(source)
            yield Token("text", source[at:until]), at, until
            at = until


def written_attributes(source: str, at: int) -> list[Written]:
    """Return the attributes, as they are written, of the start tag that begins at the index ``at``."""
    found = _TAG.match(source, at) or _SIGN_TAG.match(source, at)
    return _written(source, found.end())[0] if found else []


def text_value(source: str) -> str:
    """Return a text with its character references resolved."""
    return html.unescape(_HUGE.sub("\ufffd", source)) if "&" in source else source


def attribute_value(source: str) -> str:
    """Return an attribute's value with its references resolved (13.2.5.73).

    A name without ``;`` before ``=``, a letter or a digit is no reference there: ``?a=1&region=eu`` stays as it is.
    """
    return _REFERENCE.sub(_resolved, source) if "&" in source else source


def attribute_places(source: str) -> tuple[str, Sequence[int]]:
    """Return an attribute's value, and for each of its characters, and for its end, the place where it is written."""
    if "&" not in source:
        return source, range(len(source) + 1)
    value: list[str] = []
    places: list[int] = []
    done = 0
    for found in _REFERENCE.finditer(source):
        value += source[done : found.start()]
        places += range(done, found.start())
        character = _resolved(found)
        value += character
        same = character == found[0]
        places += range(found.start(), found.end()) if same else [found.start()] * len(character)
        done = found.end()
    return "".join([*value, source[done:]]), [*places, *range(done, len(source) + 1)]


def _resolved(found: re.Match[str]) -> str:
    name = found[1]
    return text_value(found[0]) if name is None or name in html5 else found[0]


def _other(source: str, at: int) -> tuple[Token, int]:
    """Return what begins with ``<`` and is no tag, and where it ends."""
    if source.startswith("<!--", at):
        found = _COMMENT_END.search(source, at + 2)  # "<!-->" is a whole comment
        end = found.end() if found else len(source)
        return Token("comment", source[at + 4 : end]), end
    following = source[at + 1 : at + 3]
    if following[:1] in ("!", "?") or (following[:1] == "/" and following[1:] not in ("", "\ufdd0")):
        end = source.find(">", at) + 1 or len(source)
        return Token("comment", source[at:end]), end
    return Token("text", "<"), at + 1


def _attributes(source: str, at: int) -> tuple[tuple[tuple[str, str], ...], int]:
    """Return the attributes of a tag and where it ends; -1 when it does not."""
    written, end = _written(source, at)
    return tuple((one.name, attribute_value(source[one.value_at : one.value_end])) for one in written), end


def _written(source: str, at: int) -> tuple[list[Written], int]:
    """Return the attributes of a tag as they are written, and where it ends; -1 when it does not."""
    found: list[Written] = []
    while True:
        at = _end(_GAP, source, at)
        if at >= len(source):
            return [], -1
        if source[at] == ">":
            return found, at + 1
        start, stop = at, _end(_NAME, source, at) or at
        stop = stop if stop > at else at + 1  # a lone opening half of a sign
        name, at = source[at:stop].lower(), stop
        equals = _EQUALS.match(source, at)
        value_at = value_end = at
        if equals:
            at = value_at = equals.end()
            quote = source[at : at + 1]
            if quote in ('"', "'"):
                value_at, value_end = at + 1, source.find(quote, at + 1)
                if value_end < 0:
                    return [], -1
                at = value_end + 1
            else:
                at = value_end = _end(_UNQUOTED, source, at)
        found.append(Written(name, start, value_at, value_end, at))


def _end(pattern: re.Pattern[str], source: str, at: int) -> int:
    found = pattern.match(source, at)
    return found.end() if found else at
