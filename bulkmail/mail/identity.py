"""What stays the same over every attempt at one recipient: its opaque token and its Message-ID.

Both are derived, not stored: a campaign has one random key, a recipient one number, and the token is a keyed
hash of the number. A retry, a restart and another machine therefore all write the same Message-ID, so a receiver
can drop a double. Another recipient's token cannot be guessed.
"""

from __future__ import annotations

import base64
import secrets
from hashlib import blake2b


def new_key() -> bytes:
    """A fresh campaign key: 32 random bytes, made once and kept in the spool."""
    return secrets.token_bytes(32)


def token(key: bytes, number: int) -> str:
    """The recipient's opaque token: 26 characters of a-z and 2-7, from 130 of 160 bits of a keyed BLAKE2b."""
    digest = blake2b(number.to_bytes(8, "big"), key=key, digest_size=20).digest()
    return base64.b32encode(digest)[:26].decode("ascii").lower()


def campaign_token(key: bytes) -> str:
    """Eight characters that name the campaign in its Message-IDs without telling its name."""
    return token(key, 0)[:8]


def message_id(key: bytes, number: int, domain: str) -> str:
    """``<campaign-token.recipient-token@from-domain>``, angle brackets included (RFC 5322 3.6.4)."""
    return f"<{campaign_token(key)}.{token(key, number)}@{domain}>"
