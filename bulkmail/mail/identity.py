"""What stays the same over every attempt at one recipient: its opaque token and its Message-ID.

Both are derived, not stored: a campaign has one random key, a recipient one number, and the token is a keyed
hash of the number. A retry, a restart and another machine therefore all write the same Message-ID, so a receiver
can drop a double; and nobody can guess another recipient's token.
"""

from __future__ import annotations

import secrets
from hashlib import blake2b

# Base32 (RFC 4648 6, in lower case) by hand, two characters at a time: Python's own takes longer than the hash
_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
_PAIRS = [one + other for one in _ALPHABET for other in _ALPHABET]
_PLACES = range(150, 20, -10)  # of the 13 pairs in 160 bits


def new_key() -> bytes:
    """A fresh campaign key: 32 random bytes, made once and kept in the spool."""
    return secrets.token_bytes(32)


def token(key: bytes, number: int) -> str:
    """The recipient's opaque token: 26 characters of a-z and 2-7, from 130 of 160 bits of a keyed BLAKE2b."""
    bits = int.from_bytes(blake2b(number.to_bytes(8, "big"), key=key, digest_size=20).digest(), "big")
    return "".join([_PAIRS[bits >> place & 1023] for place in _PLACES])


def campaign_token(key: bytes) -> str:
    """Eight characters that name the campaign in its Message-IDs without telling its name."""
    return token(key, 0)[:8]


def message_id(key: bytes, number: int, domain: str) -> str:
    """``<campaign-token.recipient-token@from-domain>``, angle brackets included (RFC 5322 3.6.4)."""
    return f"<{campaign_token(key)}.{token(key, number)}@{domain}>"
