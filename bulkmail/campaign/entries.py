"""What one entry of a suppress list means: the keys that it stops.

Lists of people who said no come from many programs, so an entry is taken for what it plainly means: ``*@a.example``,
``@a.example`` and ``a.example.`` are the domain, ``mailto:bob@a.example``, ``Bob <bob@a.example>`` and an address with
an invisible character in it are bob. Where that could be either of two addresses, both are stopped. What cannot be told
(``b*b@a.example``) is refused, for such an entry would otherwise stop no address.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

from bulkmail.mail import AddressError, domain_key, parse_address, unguarded, without_invisible

_ANGLED = re.compile(r"[^<>]*<([^<>]*)>")
_ENCLOSED = re.compile(r"\"([^\"]*)\"|'([^']*)'")
_WHOLE_DOMAIN = re.compile(r"[*%]?@")
_WIDE = str.maketrans("＊％？＠．", "*%?@.")  # as keyboards of East Asia write these signs
_PATTERN = re.compile(r"[*?]|^%|%$")


def keys_of(entry: str) -> set[str]:
    """Return the keys an entry stops: of addresses (`Address.key`), or ``@`` and a domain's. Raises AddressError."""
    keys: set[str] = set()
    # several addresses in one cell, as address books write them
    for part in list(filter(str.strip, entry.split(":::"))) or [entry]:
        bare = _bare(part)
        try:
            keys.add(_key(unguarded(bare)))
        except AddressError:
            seen = without_invisible(bare)
            if seen == bare:
                raise
            keys.add(_key(unguarded(seen)))
        if bare.startswith("'"):
            keys |= _also(bare) | _also(bare.lstrip("'"))
    return keys


def _bare(text: str) -> str:
    """Return the entry without what programs and people put around an address."""
    text = text.translate(_WIDE).strip().rstrip(",;").rstrip()
    enclosed = _ENCLOSED.fullmatch(text)
    if enclosed is not None:
        text = (enclosed[1] or enclosed[2] or "").strip()
    angled = _ANGLED.fullmatch(text)
    if angled is not None:
        text = angled[1].strip()
    if text[:7].lower() == "mailto:":
        text = unquote(text[7:].partition("?")[0])
    return text


def _key(text: str) -> str:
    whole = _WHOLE_DOMAIN.match(text)
    domain = text[whole.end() :] if whole is not None else "" if "@" in text else text
    if domain:
        if domain.startswith("*"):
            raise AddressError(f"{text!r}: a star for the names below a domain is not taken; list each domain")
        return f"@{domain_key(domain)}"
    address = parse_address(text)
    if not text.startswith('"') and _PATTERN.search(address.local):
        raise AddressError(
            f"{text!r} looks like a pattern, and patterns are not taken; list the addresses or the whole domain (for "
            f'an address that is written so: "{address.local}"@{address.domain})'
        )
    return address.key


def _also(text: str) -> set[str]:
    """Return the key of another reading, where it is one."""
    try:
        return {_key(text)}
    except AddressError:
        return set()
