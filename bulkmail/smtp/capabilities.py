"""What a server offers, from its reply to EHLO (RFC 5321 4.1.1.1). What does not parse is not offered."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Capabilities:
    """The extensions that change what we write. ``size`` is the largest message in bytes, 0 for no stated limit.

    ``mails``, ``recipients`` and ``domains``: so many transactions a session, recipients a transaction and domains
    among these (RFC 9422), 0 for no stated limit.
    """

    size_offered: bool = False
    size: int = 0
    eight_bit: bool = False
    pipelining: bool = False
    starttls: bool = False
    chunking: bool = False
    smtputf8: bool = False
    enhanced_codes: bool = False
    dsn: bool = False
    mails: int = 0
    recipients: int = 0
    domains: int = 0
    auth: tuple[str, ...] = ()  # SASL mechanisms, in the server's order


NONE = Capabilities()

_PLAIN = {
    "8BITMIME": "eight_bit",
    "PIPELINING": "pipelining",
    "STARTTLS": "starttls",
    "CHUNKING": "chunking",
    "SMTPUTF8": "smtputf8",
    "ENHANCEDSTATUSCODES": "enhanced_codes",
    "DSN": "dsn",
}
_LIMITS = {"MAILMAX": "mails", "RCPTMAX": "recipients", "RCPTDOMAINMAX": "domains"}


def parse_capabilities(lines: Iterable[str]) -> Capabilities:
    """Return the capabilities in the lines after the greeting line, keywords in any case; repeated ones count once."""
    found: dict[str, Any] = {}
    size = 0
    size_offered = False
    auth: dict[str, None] = {}
    for line in lines:
        keyword, _, rest = line.partition(" ")
        keyword = keyword.upper()
        if keyword == "AUTH" or keyword.startswith("AUTH="):  # AUTH=LOGIN: from before RFC 2554, and still said
            auth |= dict.fromkeys(f"{keyword[5:]} {rest.upper()}".split())
        if keyword in _PLAIN:
            found[_PLAIN[keyword]] = True
        elif keyword == "SIZE":
            number = rest.strip()
            if not number:
                size_offered = True  # RFC 1870 4: no number, no stated limit
            elif len(number) <= 20 and number.isascii() and number.isdigit():
                size_offered = True
                size = int(number)
        elif keyword == "LIMITS":
            found.update(_limits(rest))
    return Capabilities(size_offered=size_offered, size=size, auth=tuple(auth), **found)


def _limits(text: str) -> dict[str, int]:
    """Read ``name=value`` words (RFC 9422 3): 1 to 6 digits that do not begin with 0. Unknown names are passed over."""
    limits: dict[str, int] = {}
    for word in text.split():
        name, _, number = word.partition("=")
        known = _LIMITS.get(name.upper())
        if known and len(number) <= 6 and number.isascii() and number.isdigit() and number[0] != "0":
            limits[known] = int(number)
    return limits
