"""Marks by which other tools print a value, left in a template: here they go out as they stand.

A mark whose name is a column's, or that means nothing else in any letter, is a mistake; of the others one cannot be
sure, and they are told.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import NamedTuple

from bulkmail.content.mistakes import Places, meant, shown, tags
from bulkmail.mail import variable_name

_STYLE = re.compile(r"<(/?)style\b", re.IGNORECASE)
_LINE_END = re.compile(r"[^\n]")
_KNOWN = {
    "fname": "first_name",
    "lname": "last_name",
    "firstname": "first_name",
    "lastname": "last_name",
    "mail": "email",
    "email_address": "email",
}
_NAME = r"[^\W\d][\w .:-]{0,60}?"


class _Form(NamedTuple):
    """How a tool writes a value.

    ``sure``: it means nothing else in a letter; ``of_columns``: it is a mark only where the name is a column's;
    ``never_sure``: even then it may be meant as it stands.
    """

    tool: str
    pattern: re.Pattern[str]
    sure: bool = False
    of_columns: bool = False
    never_sure: bool = False


_FORMS = (
    _Form("Mailchimp", re.compile(rf"\*\|\s*({_NAME})\s*\|\*"), sure=True),
    _Form("Salesforce Marketing Cloud", re.compile(rf"%%\s*=?\s*({_NAME})\s*=?%%")),
    _Form("Mailjet", re.compile(rf"\[\[\s*(?:var:|data:)?({_NAME})(?::[^\]]{{0,200}})?\s*\]\]")),
    _Form("ERB or EJS", re.compile(rf"<%[=-]?\s*({_NAME})\s*-?%>")),
    _Form("JavaScript or Marketo", re.compile(rf"\$\{{\s*({_NAME})\s*\}}")),
    _Form("MailerLite or Smarty", re.compile(rf"\{{\$\s*({_NAME})\s*\}}")),
    _Form("Mailgun", re.compile(r"%recipient\.(\w{1,60})%")),
    _Form("ActiveCampaign", re.compile(r"(?<![\w%])%([A-Z][A-Z_]{1,60})%(?![\w%])"), of_columns=True),
    _Form("another tool", re.compile(rf"(?<![{{$])\{{\s*({_NAME})\s*\}}(?!\}})"), of_columns=True),
    _Form("another tool", re.compile(rf"(?<!\[)\[\s*({_NAME})\s*\](?![\](])"), of_columns=True, never_sure=True),
)


class Mark(NamedTuple):
    """One mark. ``line`` and ``column`` from 1; ``sure``: nothing else can be meant."""

    line: int
    column: int
    words: str
    sure: bool


def foreign_marks(source: str, columns: Collection[str]) -> Iterator[Mark]:
    """Yield other tools' marks in a template, outside of its tags, in order. ``columns``: as templates print them."""
    text, places = _outside(source), Places(source)
    found = sorted(
        (match.start(), number, match[0], match[1])
        for number, form in enumerate(_FORMS)
        for match in form.pattern.finditer(text)
    )
    end = 0
    for start, number, mark, name in found:
        form = _FORMS[number]
        is_column = variable_name(name) in columns
        if start < end or (form.of_columns and not is_column):
            continue
        end = start + len(mark)
        said = f"`{shown(mark)}` is how {form.tool} prints a value, and goes out as it stands; {_remedy(name, columns)}"
        yield Mark(*places.of(start), said, form.sure or (is_column and not form.never_sure))


def _outside(source: str) -> str:
    """Return the source with blanks in the place of its tags and style sheets; lines and columns stay."""
    pieces, at = [], 0
    for tag in tags(source):
        pieces += [source[at : tag.start], _LINE_END.sub(" ", source[tag.start : tag.end])]
        at = tag.end
    text = "".join([*pieces, source[at:]])
    pieces, at, begun = [], 0, -1
    for found in _STYLE.finditer(text):
        if not found[1] and begun < 0:
            begun = found.start()
        elif found[1] and begun >= 0:
            pieces += [text[at:begun], _LINE_END.sub(" ", text[begun : found.start()])]
            at, begun = found.start(), -1
    return "".join([*pieces, text[at:]])


def _remedy(name: str, columns: Collection[str]) -> str:
    if "unsub" in name.lower():
        return "write {{ unsubscribe_url }}"
    wanted = _KNOWN.get(variable_name(name.rpartition(".")[2]), name.rpartition(".")[2])
    near = meant(wanted, columns)
    if near:
        return f"write {{{{ {near} }}}}"
    names = ", ".join(sorted(filter(str.isidentifier, columns)))
    return f"write the column's name between two braces; the columns are {names}"
