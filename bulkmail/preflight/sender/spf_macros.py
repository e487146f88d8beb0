"""The macros of SPF (RFC 7208 section 7): checked, and expanded into domain names."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import quote

_LONGEST = 253  # characters of a domain name; longer ones lose labels at their left (RFC 7208 7.3)
_MACRO = re.compile(r"%(?:([%_-])|\{([A-Za-z])([0-9]*)([rR]?)([-.+,/_=]*)\})")
_LITERAL = re.compile(r"[\x21-\x24\x26-\x7e]*")
_LETTERS = frozenset("slodiphv")
_EXPLAINING = frozenset("crt")  # only in the text of an explanation


@dataclass(frozen=True)
class MacroValues:
    """What the letters stand for. ``domain`` is the one whose record is being evaluated."""

    ip: ipaddress.IPv4Address | ipaddress.IPv6Address
    local: str
    sender_domain: str
    domain: str
    helo: str
    validated: str = "unknown"  # the domain of %{p}


def check_macros(text: str) -> str:
    """Say what is wrong with a macro-string that is to become a domain; "" where nothing is."""
    rest = _MACRO.sub("", text)
    if _LITERAL.fullmatch(rest) is None:
        return "a % begins no macro" if rest.isascii() and rest.isprintable() else "has a character that is not ASCII"
    for found in _MACRO.finditer(text):
        letter = (found[2] or "").lower()
        if letter in _EXPLAINING:
            return f"the macro {found[0]} may stand in an explanation only"
        if letter and letter not in _LETTERS:
            return f"there is no macro {found[0]}"
        if found[3] and re.fullmatch(r"0*[1-9][0-9]{0,2}", found[3]) is None:
            return f"the macro {found[0][:20]} keeps no number of labels from 1 to 999"
    return ""


def ends_in_macro(text: str) -> bool:
    """Return whether a domain-spec ends with a macro-expand, behind which no top label is needed."""
    last = None
    for last in _MACRO.finditer(text):  # noqa: B007 - the last one is meant
        pass
    return last is not None and last.end() == len(text)


def uses_validated(text: str) -> bool:
    """Return whether it has the macro ``p``, which costs a PTR lookup."""
    return any((found[2] or "").lower() == "p" for found in _MACRO.finditer(text))


def expand(text: str, values: MacroValues) -> str:
    """Return the domain name that a checked domain-spec stands for, at most 253 characters, no dot at its end."""
    name = _MACRO.sub(lambda found: _expanded(found, values), text).removesuffix(".")
    while len(name) > _LONGEST and "." in name:
        name = name.partition(".")[2]
    return name


def _expanded(found: re.Match[str], values: MacroValues) -> str:
    if found[1]:
        return {"%": "%", "_": " ", "-": "%20"}[found[1]]
    letter = found[2].lower()
    value = _value(letter, values)
    if found[3] or found[4] or found[5]:
        parts = re.split(f"[{re.escape(found[5] or '.')}]", value)
        if found[4]:
            parts.reverse()
        if found[3]:
            parts = parts[-int(found[3]) :]
        value = ".".join(parts)
    return quote(value, safe="-._~") if found[2].isupper() else value


def _value(letter: str, values: MacroValues) -> str:
    four = isinstance(values.ip, ipaddress.IPv4Address)
    return {
        "s": f"{values.local}@{values.sender_domain}",
        "l": values.local,
        "o": values.sender_domain,
        "d": values.domain,
        "i": str(values.ip) if four else ".".join(values.ip.exploded.replace(":", "")),
        "p": values.validated,
        "v": "in-addr" if four else "ip6",
        "h": values.helo,
    }[letter]
