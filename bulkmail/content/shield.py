"""A template's own tags as signs that no text holds, so that its HTML can be read as HTML.

A sign is the number of a tag between two noncharacters, which are in no text (Unicode 23.7). The same tag has the same
number wherever it stands: ``<{{ tag }}>`` and ``</{{ tag }}>`` belong together.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from jinja2 import Environment

OPEN, CLOSE = "\ufdd0", "\ufdd1"
_OURS = re.compile("[\ufdd0-\ufdd3]")
SIGNED = f"{OPEN}[0-9]+{CLOSE}"
"""The pattern of a sign."""

SIGN = re.compile(f"{OPEN}([0-9]+){CLOSE}")
_WORD = re.compile(r"\{%\s*(\w+)")
_BLOCK_SET = re.compile(r"\{%\s*set\s+[\w.]+\s*(?:\||%\})")
_BRACE = "{{ '{' }}"
_ENCLOSING = frozenset({"if", "for", "with", "filter", "call", "block", "macro", "autoescape"})


def shielded(environment: Environment, source: str) -> tuple[str, list[str]]:
    """Return the source with each tag as a sign, and the tags by number. Comments go; ``raw`` is resolved."""
    text: list[str] = []
    numbers: dict[str, int] = {}
    tag: list[str] = []
    for _line, kind, value in environment.lex(source):
        if kind in ("block_begin", "variable_begin"):
            tag = [value.rstrip("-+")]
        elif kind in ("block_end", "variable_end"):
            tag.append(value.strip().lstrip("-+"))  # "-%}" would eat the line ends that are put in
            text.append(f"{OPEN}{numbers.setdefault(''.join(tag), len(numbers))}{CLOSE}")
            tag = []
        elif kind == "data":
            text.append(bare(value))
        elif tag:
            tag.append(value)
    return "".join(text), list(numbers)


def signed(environment: Environment, source: str) -> tuple[str, list[str]]:
    """Return the source with each tag and comment of Jinja2 as a sign of its own, and these in their order.

    Nothing is lost but white space that a tag asks to be taken away. Raises TemplateSyntaxError.
    """
    text: list[str] = []
    tags: list[str] = []
    tag: list[str] = []
    for _line, kind, value in environment.lex(source):
        if kind in ("data", "whitespace") and not tag:
            text.append(bare(value))
            continue
        tag.append(value)
        if kind == "raw_begin" or kind.endswith("_end"):
            text.append(f"{OPEN}{len(tags)}{CLOSE}")
            tags.append("".join(tag))
            tag = []
    return "".join(text), tags


def restored(text: str, tags: list[str]) -> str:
    """Return the source of a text with signs."""
    return SIGN.sub(lambda found: tags[int(found[1])], text)


def bare(text: str) -> str:
    """Return a text from outside without the characters that signs and marks are made of."""
    return _OURS.sub("", text)


def inert(text: str) -> str:
    """Return a text that Jinja2 will not read as a tag: a character reference may have hidden a brace from it."""
    return text.replace("{", _BRACE)


def plain(text: str) -> str:
    """Return the text that `inert` was given, for one that is not rendered."""
    return text.replace(_BRACE, "{")


def word_of(tag: str) -> str:
    """Return the word of a ``{% %}``, and "" for a ``{{ }}``. ``set`` with a body is ``block set``."""
    found = _WORD.match(tag)
    if found is None:
        return ""
    return "block set" if found[1] == "set" and _BLOCK_SET.match(tag) else found[1]


def ending_of(word: str) -> str:
    """Return the word that ends what ``word`` begins; "" when it encloses nothing."""
    if word == "block set":
        return "endset"
    return f"end{word}" if word in _ENCLOSING else ""


class Tags:
    """The tags of one template, by the numbers that stand in their signs."""

    def __init__(self, tags: Sequence[str]) -> None:
        self._tags = tags

    def pieces(self, data: str) -> Iterable[tuple[str, str]]:
        """Yield ``data`` as pairs of a text and the tag behind it: "" for the last one, and for an unknown number."""
        parts = SIGN.split(data)
        parts.append("")
        for at in range(0, len(parts) - 1, 2):
            number = parts[at + 1]
            yield parts[at], self._tags[int(number)] if number and int(number) < len(self._tags) else ""

    def blocks(self, data: str) -> list[str]:
        """Return the ``{% %}`` in ``data``."""
        return [tag for _text, tag in self.pieces(data) if tag.startswith("{%")]

    def restored(self, data: str) -> str:
        """Return ``data`` with its tags put back."""
        return "".join(inert(text) + tag for text, tag in self.pieces(data))


def balanced(tags: Iterable[str]) -> bool:
    """Return whether each tag that encloses something is ended, in its order, by one of ``tags``."""
    waiting: list[str] = []
    for tag in tags:
        word = word_of(tag)
        if ending_of(word):
            waiting.append(ending_of(word))
        elif word in ("elif", "else"):
            if not waiting:
                return False
        elif word.startswith("end") and (not waiting or waiting.pop() != word):
            return False
    return not waiting
