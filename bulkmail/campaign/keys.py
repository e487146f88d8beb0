"""What identifies a recipient while lists are read: the key of the address, computed fast, and 16 bytes of its hash."""

from __future__ import annotations

import re
from hashlib import blake2b

from bulkmail.mail import address_in

QUICK_LENGTH = 64
quick = re.compile(
    r"[A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*@((?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63})",
    re.ASCII,
).fullmatch
"""Matches, up to `QUICK_LENGTH` characters, only what `address_in` takes; its key is then its lower case."""


def read_address(text: str) -> tuple[str, str]:
    """Return (key, domain) of the address in the cell ``text``. Raises AddressError."""
    found = quick(text) if len(text) <= QUICK_LENGTH else None
    if found is not None:
        return text.lower(), found[1].lower()
    address = address_in(text)
    return address.key, address.domain


def digest_of(key: str) -> bytes:
    """Return 16 bytes by which addresses and domains are told apart: of ``Address.key``, or ``@`` and a domain key."""
    return blake2b(key.encode(), digest_size=16).digest()
