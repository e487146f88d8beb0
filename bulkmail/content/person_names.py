"""The filter ``person``: a name that is written in capitals, or without any, as people write names.

A name with both is its owner's own way of writing it, and stays. The rules are those of names in Latin letters:
particles (``van der``, ``de la``) stay small, ``O'Neil``, ``D'Angelo`` and ``McDonald`` have two capitals, what a
hyphen joins are two names. ``Mac`` is left alone, for Macey and MacKay cannot be told apart. A name in capitals with an
``İ`` is Turkish or Azerbaijani, so its ``I`` is an ``ı``.
"""

from __future__ import annotations

import re

_PARTICLES = frozenset({
    "van", "von", "vom", "der", "den", "dem", "des", "de", "del", "della", "di", "da", "do", "dos", "das", "du", "la",
    "le", "les", "lo", "ten", "ter", "tot", "zu", "zum", "zur", "af", "av", "y", "e", "und", "bin", "ibn", "el", "al",
})  # fmt: skip
_NUMERALS = frozenset({"ii", "iii", "iv", "vi", "vii", "viii"})
_WORD = re.compile(r"[^\s-]+")
_PARTED = re.compile("([a-z]{1,2})(['\u2019])(?=\\w{2})(.+)", re.DOTALL)
_SCOTTISH = re.compile(r"mc(?=\w{2})", re.ASCII)
_DOTTED = "İ"
_SMALL_TURKISH = str.maketrans({_DOTTED: "i", "I": "ı"})
_SMALL_BEFORE = frozenset({"d", "l", "t"})  # d'Artagnan behind a first name; D'Angelo alone


def person(value: object) -> str:
    """Return a name as people write it. ``JOHN MCDONALD`` is John McDonald, ``vincent VAN GOGH`` stays."""
    text = str(value)
    if text != text.lower() and text != text.upper():
        return text
    words = _WORD.findall(text)
    alone = len(words) == 1

    turkish = _DOTTED in text

    def written(found: re.Match[str]) -> str:
        capitals = found[0]
        small = capitals.translate(_SMALL_TURKISH) if turkish else capitals
        word = _word(small.lower(), alone=alone)
        return _DOTTED + word[1:] if word[:1] == "I" and capitals[0] == _DOTTED else word

    return _WORD.sub(written, text)


def _word(word: str, *, alone: bool) -> str:
    if word in _PARTICLES and not alone:
        return word
    if word in _NUMERALS and not alone:
        return word.upper()
    parted = _PARTED.fullmatch(word)
    if parted is not None:
        first = parted[1] if parted[1] in _SMALL_BEFORE and not alone else _capital(parted[1])
        return first + parted[2] + _capital(parted[3])
    if _SCOTTISH.match(word):
        return "Mc" + _capital(word[2:])
    return _capital(word)


def _capital(word: str) -> str:
    """Return a word with a capital as its first letter; quotes and brackets may stand before it."""
    for at, character in enumerate(word):
        if character.isalpha():
            return word[:at] + character.title() + word[at + 1 :]
    return word
