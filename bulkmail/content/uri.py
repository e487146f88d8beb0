"""URLs as they may stand in a header field: ASCII, a host that resolvers know, every ``%`` an escape (RFC 3986)."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

from bulkmail.content.headers import controls_in
from bulkmail.mail import AddressError, domain_key, parse_address

_CHARACTERS = r"[A-Za-z0-9._~/?#\[\]@!$&'()*+,;=:-]*"  # RFC 3986 2, but for the escapes
_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"  # with the underscore that some hosts have
_NAME = rf"{_LABEL}(?:\.{_LABEL})*\.?"
_PLAIN = re.compile(  # a URL that needs none of the steps below
    rf"https://{_NAME}(?::[0-9]{{1,4}})?(?:[/?#]{_CHARACTERS}(?:%[0-9A-Fa-f]{{2}}{_CHARACTERS})*)?", re.ASCII
)
_HOST = re.compile(rf"{_NAME}|\[[0-9A-Fa-f:.]+\]", re.ASCII)
_FORBIDDEN = re.compile(r"[\s<>\"\\^`{|}]")
_STRAY = re.compile(r"%(?![0-9A-Fa-f]{2}).{0,2}", re.DOTALL)
_PARTS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*:)(?://([^/?#]*))?(.*)", re.DOTALL)
_HOST_PORT = re.compile(r"(\[[^\]]*\]|[^:]*)(?::([0-9]*))?", re.ASCII)
_HIGHEST_PORT = 65535
_KEPT = "!#$%&'()*+,/:;=?@[]~"
LOCAL = "!$'*+-._~"
"""What stands as it is in the local part of an address in a ``mailto:`` URL (RFC 6068 2); the rest is %-encoded."""

ENCODE = "use {{ value|urlencode }}"
"""The remedy for a value that breaks a URL."""


def stray_percent(text: str) -> str:
    """Return the first ``%`` of ``text`` that begins no escape, with the two characters behind it, or ``""``."""
    found = _STRAY.search(text)
    return found[0] if found else ""


def ascii_url(text: str) -> str:
    """Return a URL in ASCII: the host in A-labels, other letters %-encoded (RFC 3987 3.1). Raises ValueError.

    A host that is %-encoded is decoded first: clients look it up as it stands, and find nothing (RFC 3986 3.2.2).
    """
    if _PLAIN.fullmatch(text):
        return text
    text = text.strip()
    found = _FORBIDDEN.search(text)
    wrong = controls_in(text) or (repr(found[0]) if found else "")
    if wrong:
        raise ValueError(f"the URL has {wrong} in it; {ENCODE}")
    if stray := stray_percent(text):
        raise ValueError(f"the URL has a % that begins no escape ({stray!r}); {ENCODE}, or write %25")
    parts = _PARTS.fullmatch(text)
    if parts is None:
        raise ValueError(f"{text!r} is not a URL; it begins with https: or mailto:")
    scheme, authority, rest = parts.groups()
    if scheme.lower() == "mailto:":
        return scheme + _mail(rest)
    if authority is None and scheme.lower() in {"http:", "https:"}:
        raise ValueError(f"the URL has no host; write {scheme}//host")
    if authority is not None:
        scheme += f"//{_authority(authority)}"
    return scheme + (rest if rest.isascii() else quote(rest, safe=_KEPT))


def _authority(text: str) -> str:
    """Return ``user@host:port`` with the host in A-labels (RFC 3986 3.2). Raises ValueError."""
    user, at, rest = text.rpartition("@")
    found = _HOST_PORT.fullmatch(rest)
    if found is None or int(found[2] or 0) > _HIGHEST_PORT:
        raise ValueError(f"the URL has no port in {rest!r}; write host:port, with a port from 1 to {_HIGHEST_PORT}")
    host, port = found[1], found[2]
    if not host:
        raise ValueError("the URL has no host")
    if not host.isascii() or "%" in host:
        host = _domain(host)
    elif _HOST.fullmatch(host) is None:
        raise ValueError(
            f"the URL's host {host!r} is none: between dots stand letters, digits and inner hyphens, up to 63"
        )
    return quote(user, safe=_KEPT) + at + host + ("" if port is None else f":{port}")


def _domain(text: str) -> str:
    try:
        return domain_key(unquote(text, errors="strict"))
    except (AddressError, UnicodeDecodeError) as error:
        raise ValueError(f"the URL's host: {error}") from None


def _mail(text: str) -> str:
    """Return what stands behind ``mailto:`` (RFC 6068): addresses, then perhaps a query."""
    addresses, mark, query = text.partition("?")
    try:
        found = [parse_address(unquote(address, errors="strict")) for address in addresses.split(",")]
    except (AddressError, UnicodeDecodeError) as error:
        raise ValueError(f"the mailto URL: {error}") from None
    written = ",".join(f"{quote(address.local, safe=LOCAL)}@{address.domain}" for address in found)
    return written + mark + (query if query.isascii() else quote(query, safe=_KEPT))
