"""The words of the page in each language: those that are shipped, and the operator's over them.

A language is a file ``<code>.yaml``, such as ``de.yaml``. The operator's need not have every key: what is left out is
as shipped, and in a language that is not shipped, English.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Annotated

from pydantic import Field

from bulkmail.mail import Problem, Refused
from bulkmail.yamlfile import Line, Section, load, validate

SHIPPED = ("de", "en", "es", "fr", "it", "nl", "pl", "pt")
DEFAULT = "en"
LIST = "{list}"
"""Stands for the name of the list in a text."""

_FOLDER = os.path.join(os.path.dirname(__file__), "texts")
_CODE = re.compile(r"([a-z]{2,3}(?:-[a-z0-9]{2,8})*)\.yaml")
_MOST_FILES = 200
_MOST_HEADER = 1000
_MOST_TAGS = 30

Text = Annotated[Line, Field(min_length=1, max_length=500)] | None


class Texts(Section):
    """One language; what a key is for stands in docs/unsubscribe.md. None: as shipped."""

    title: Text = None
    ask: Text = None
    ask_text: Text = None
    leave: Text = None
    left: Text = None
    left_text: Text = None
    mistake: Text = None
    return_: Annotated[Text, Field(alias="return")] = None
    back: Text = None
    back_text: Text = None
    address: Text = None
    unknown: Text = None
    unknown_text: Text = None
    later: Text = None
    later_text: Text = None
    nothing: Text = None
    nothing_text: Text = None
    test: Text = None
    test_list: Text = None


Words = Mapping[str, str]
"""Key -> text, every key of `Texts`."""


@cache
def shipped() -> Mapping[str, Words]:
    """Return the shipped texts by the language's code."""
    return {code: _read(os.path.join(_FOLDER, f"{code}.yaml")) for code in SHIPPED}


def texts(folder: str | None = None) -> Mapping[str, Words]:
    """Return the texts by the language's code, in lower case; those in ``folder`` count first.

    Raises Refused with all that is wrong with its files.
    """
    known = dict(shipped())
    problems: list[Problem] = []
    for name in _names(folder) if folder is not None else ():
        found = _CODE.fullmatch(name.lower())
        path = os.path.join(folder or "", name)
        if found is None:
            words = "the name of a file of texts is the code of its language, such as de.yaml or pt-br.yaml"
            problems.append(Problem(path, 0, 0, words))
            continue
        code = found[1]
        try:
            known[code] = {**known.get(code, known.get(code[:2], known[DEFAULT])), **_read(path)}
        except Refused as refused:
            problems += refused.problems
    if problems:
        raise Refused(problems)
    return known


def _names(folder: str) -> list[str]:
    try:
        names = sorted(name for name in os.listdir(folder) if not name.startswith("."))
    except OSError as error:
        raise Refused([Problem(folder, 0, 0, f"the folder of texts cannot be read ({error.strerror})")]) from None
    if len(names) > _MOST_FILES:
        raise Refused([Problem(folder, 0, 0, f"the folder of texts has more than {_MOST_FILES} files")])
    return names


def _read(path: str) -> Words:
    given = validate(load(path), Texts).model_dump(by_alias=True, exclude_none=True)
    return {key: str(value) for key, value in given.items()}


def chosen(known: Iterable[str], accept_language: str, said: str = "") -> str:
    """Return the language to answer in: of those that are known the one that is ``said``, a tag, or "" for none.

    Else it is that which the browser likes best (RFC 9110 12.5.4).
    """
    codes = set(known)
    for tag in (said, *_preferred(accept_language)):
        code = tag.strip().lower()
        while code:
            if code in codes:
                return code
            code = code.rpartition("-")[0]
    return DEFAULT


def _preferred(header: str) -> list[str]:
    """Return the tags of Accept-Language, the best first."""
    weighed = []
    for item in header[:_MOST_HEADER].split(",")[:_MOST_TAGS]:
        tag, _, rest = item.partition(";")
        found = re.fullmatch(r"\s*q\s*=\s*([01](?:\.\d{0,3})?)\s*", rest, re.ASCII | re.IGNORECASE)
        weight = float(found[1]) if found else 1.0
        if weight > 0:
            weighed.append((weight, tag))
    return [tag for _, tag in sorted(weighed, key=lambda one: -one[0])]
