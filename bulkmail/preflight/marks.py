"""Marks of templates that stand in a finished letter: of Jinja2, or of another program that it was written for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from bulkmail.preflight.kinds import Kind, error, warning

_SIGNS = ("{{", "{%", "%}", "%%", "*|", "|*", "[[", "${", "{!")  # nothing is looked for where none of them is
_PERCENT = re.compile(r"%[A-Z][A-Z_]+%").search
_MARKS = (  # what it looks like, whose it is
    (re.compile(r"\{\{[^{}\n]{1,80}\}\}"), "a mark of Jinja2 or another tool"),
    (re.compile(r"\{%[^{}\n]{1,80}%\}"), "a tag of Jinja2 or another tool"),
    (re.compile(r"\*\|[^|\n]{1,80}\|\*"), "a mark of Mailchimp"),
    (re.compile(r"%%[\w .-]{1,80}%%"), "a mark of Salesforce or another tool"),
    (re.compile(r"%[A-Z][A-Z_]{2,40}%"), "a mark of another tool"),
    (re.compile(r"\[\[[^\[\]\n]{1,80}\]\]"), "a mark of another tool"),
    (re.compile(r"\$\{[\w. ]{1,80}\}"), "a mark of another tool"),
    (re.compile(r"\{![\w. ]{1,80}\}"), "a mark of Salesforce"),
)
_HALVES = re.compile(r"\{\{|\{%|%\}|\*\||\|\*|%%|\[\[")
_REMEDY = "write it as Jinja2 does, for example {{ first_name }}, or remove it"
_LINES = 20_000  # lines without a mark that are remembered


def marks_in(where: str, text: str) -> list[Kind]:
    """Return the marks that stand in ``text``, each once; ``where``: subject, html or text."""
    if not any(sign in text for sign in _SIGNS) and not _PERCENT(text):
        return []
    found: dict[str, Kind] = {}
    rest = text
    for pattern, whose in _MARKS:
        for mark in pattern.findall(rest):
            words = f"`{mark}` stands in the finished letter as it is: {whose}"
            found[mark] = error("leftover", where, words, _REMEDY)
        rest = pattern.sub("", rest)
    for mark in _HALVES.findall(rest):
        words = f"`{mark}` stands in the finished letter, and may be a part of a broken tag"
        found[mark] = warning("leftover", where, words, "look at the letter there")
    return list(found.values())


def of_data(kind: Kind, values: Sequence[str]) -> Kind:
    """Return the kind of a mark that stands so in the row's own ``values``: it is no mistake of the letter."""
    _, code, where, message, _ = kind
    mark = _squeezed(message[1 : message.rindex("` stands in")])
    if not any(mark in _squeezed(value) for value in values):
        return kind
    words = f"`{mark}` stands in the finished letter as it is, for it stands so in the row"
    return warning(code, where, words, "look at the row; whoever signs up by a form may have written it")


def _squeezed(text: str) -> str:
    return " ".join(text.split())


class TextMarks:
    """Finds marks in the text parts of one campaign, most lines of which are the same in every row."""

    def __init__(self) -> None:
        self._fine: set[str] = set()

    def kinds(self, text: str) -> list[Kind]:
        """Return the marks that stand in the text part of one letter."""
        found: list[Kind] = []
        for line in set(text.split("\n")) - self._fine:
            marks = marks_in("text", line)
            found += marks
            if not marks and len(self._fine) < _LINES:
                self._fine.add(line)
        return found


def once(kinds: Iterable[Kind]) -> list[Kind]:
    """Of one mark in several places the first, and no more than five of one letter."""
    return list({kind[3]: kind for kind in reversed(list(kinds))}.values())[::-1][:_MOST]


_MOST = 5
