"""Marks of templates that stand in a finished letter: of Jinja2, or of another program that it was written for."""

from __future__ import annotations

import re

from bulkmail.preflight.kinds import Kind, error, warning
from bulkmail.preflight.letter import Letter

_LOOK = re.compile(r"\{\{|\}\}|\{%|%\}|%%|\*\||\|\*|\[\[|\]\]|\$\{|\{!|%[A-Z_]{3,}%").search
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
_CODE = re.compile(r"<(style|script)\b.*?</\1\s*>|<!--.*?-->", re.IGNORECASE | re.DOTALL)
_REMEDY = "write it as Jinja2 does, for example {{ first_name }}, or remove it"
_MOST = 5  # of one message


def marks_in(letter: Letter) -> list[Kind]:
    """Return the marks that stand in the subject, the HTML or the text of a letter, each once."""
    found: dict[str, Kind] = {}
    for where, text in (("subject", letter.field(b"subject")), ("html", letter.html), ("text", letter.text)):
        if text and _LOOK(text):
            _collect(where, _CODE.sub("", text) if where == "html" else text, found)
    return list(found.values())[:_MOST]


def _collect(where: str, text: str, found: dict[str, Kind]) -> None:
    rest = text
    for pattern, whose in _MARKS:
        for mark in dict.fromkeys(pattern.findall(rest)):
            words = f"`{mark}` stands in the finished letter as it is: {whose}"
            found.setdefault(mark, error("leftover", where, words, _REMEDY))
        rest = pattern.sub("", rest)
    for mark in dict.fromkeys(_HALVES.findall(rest)):
        words = f"`{mark}` stands in the finished letter, and may be a part of a broken tag"
        found.setdefault(mark, warning("leftover", where, words, "look at the letter there"))
