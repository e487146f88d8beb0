"""What stays the same over every attempt at one recipient: its opaque token and its Message-ID.

Both are derived, not stored, so a retry, a restart and another machine write the same Message-ID and a receiver can
drop a double. A token also finds its row again, without a table of tokens: it is the row's campaign and number,
encrypted and authenticated with the key of the spool. The scheme is a synthetic IV (RFC 5297 describes the
construction) of two keyed BLAKE2b hashes: 64 bits of tag, then the 64 bits of campaign and number, masked with a hash
of the tag. Another recipient's token cannot be guessed: 1 of 2^64 texts of the right form is one.

A key of a spool has 32 bytes, a campaign's 40: the spool's and the campaign's id. A key of 32 bytes alone, of a trial
or of a campaign that began before tokens could be read, makes tokens that lead nowhere.
"""

from __future__ import annotations

import base64
import binascii
import secrets
from hashlib import blake2b

KEY_SIZE = 32
"""Bytes of a spool's key."""

TOKEN_SIZE = 26
"""Characters of a token: a-z and 2-7."""

BOUNCES, COMPLAINTS, UNSUBSCRIBE = "bounces", "complaints", "unsubscribe"
"""What our own addresses begin with: where reports of failures, complaints, and requests to unsubscribe come back."""

_TAG, _MASK, _ADDRESS = b"token tag", b"token mask", b"address"
_ENVELOPE_TAG, _ENVELOPE_MASK = b"envelope tag", b"envelope mask"
_CAMPAIGN, _NUMBER = 3, 5  # bytes: an id of a recipient has 23 bits and 40
_SPAN = 4  # bytes: how far the last row of a transaction may be behind its first
_ENVELOPE = 32  # characters
# Base32 (RFC 4648 6) in either case as the digits that int() takes, 0-9 and a-v; all else as what is no digit
_DIGITS = bytes(
    int.from_bytes(b"!" if at < 0 else b"0123456789abcdefghijklmnopqrstuv"[at : at + 1])
    for at in (b"abcdefghijklmnopqrstuvwxyz234567".find(bytes([octet]).lower()) for octet in range(256))
)


def new_key() -> bytes:
    """Return a fresh key: 32 random bytes."""
    return secrets.token_bytes(KEY_SIZE)


def campaign_key(spool_key: bytes, campaign_id: int) -> bytes:
    """Return the key of a campaign, whose tokens `read_token` can read with the spool's."""
    return spool_key + campaign_id.to_bytes(8, "big")


def token(key: bytes, number: int) -> str:
    """Return the recipient's opaque token: 26 characters of a-z and 2-7."""
    return base64.b32encode(token_bytes(key, number))[:TOKEN_SIZE].decode("ascii").lower()


def token_bytes(key: bytes, number: int) -> bytes:
    """Return the token before Base32: its first 130 bits are those of the text; 20 bytes."""
    if len(key) == KEY_SIZE:
        return blake2b(number.to_bytes(8, "big"), key=key, digest_size=20).digest()
    spool_key = key[:KEY_SIZE]
    plain = key[-_CAMPAIGN:] + number.to_bytes(_NUMBER, "big")
    tag = blake2b(plain, key=spool_key, digest_size=8, person=_TAG).digest()
    mask = blake2b(tag, key=spool_key, digest_size=8, person=_MASK).digest()
    masked = int.from_bytes(plain, "big") ^ int.from_bytes(mask, "big")
    return tag + masked.to_bytes(8, "big") + bytes(4)


def read_token(spool_key: bytes, text: str) -> tuple[int, int] | None:
    """Return the campaign's id and the row's number that a token, in any case, stands for; None for any other text.

    The number is 0 in the token of a message that is the same for all recipients.
    """
    if len(text) != TOKEN_SIZE or not text.isascii():
        return None
    try:
        value = int(text.encode("ascii").translate(_DIGITS), 32)
    except ValueError:
        return None
    if value & 3:  # the last character has two spare bits
        return None
    data = (value >> 2).to_bytes(16, "big")
    tag, masked = data[:8], data[8:]
    mask = blake2b(tag, key=spool_key, digest_size=8, person=_MASK).digest()
    plain = (int.from_bytes(masked, "big") ^ int.from_bytes(mask, "big")).to_bytes(8, "big")
    if not secrets.compare_digest(tag, blake2b(plain, key=spool_key, digest_size=8, person=_TAG).digest()):
        return None
    return int.from_bytes(plain[:_CAMPAIGN], "big"), int.from_bytes(plain[_CAMPAIGN:], "big")


def envelope_id(key: bytes, first: int, last: int) -> str:
    """Return the ENVID (RFC 3461 4.4) of a transaction of rows ``first`` to ``last``: 32 characters of a-z and 2-7.

    It stands in no message, so those who get one do not know it: the servers do that the transaction went through. It
    is no token. "" with a key that makes none which could be read, and for rows that lie too far apart.
    """
    if len(key) == KEY_SIZE or not 0 <= last - first < 1 << 8 * _SPAN:
        return ""
    plain = key[-_CAMPAIGN:] + first.to_bytes(_NUMBER, "big") + (last - first).to_bytes(_SPAN, "big")
    return base64.b32encode(_sealed(key[:KEY_SIZE], plain)).decode("ascii").lower()


def read_envelope_id(spool_key: bytes, text: str) -> tuple[int, int, int] | None:
    """Return the campaign's id and first and last row's number of an `envelope_id`, in any case; else None."""
    if len(text) != _ENVELOPE:
        return None
    try:
        data = base64.b32decode(text, casefold=True)
    except (binascii.Error, ValueError):
        return None
    tag, masked = data[:8], data[8:]
    plain = _masked(spool_key, tag, masked)
    if not secrets.compare_digest(data, _sealed(spool_key, plain)):
        return None
    first = int.from_bytes(plain[_CAMPAIGN : _CAMPAIGN + _NUMBER], "big")
    return int.from_bytes(plain[:_CAMPAIGN], "big"), first, first + int.from_bytes(plain[-_SPAN:], "big")


def _sealed(spool_key: bytes, plain: bytes) -> bytes:
    tag = blake2b(plain, key=spool_key, digest_size=8, person=_ENVELOPE_TAG).digest()
    return tag + _masked(spool_key, tag, plain)


def _masked(spool_key: bytes, tag: bytes, data: bytes) -> bytes:
    mask = blake2b(tag, key=spool_key, digest_size=len(data), person=_ENVELOPE_MASK).digest()
    return bytes(one ^ other for one, other in zip(data, mask, strict=True))


def address_hash(spool_key: bytes, address_key: str) -> int:
    """Return the number by which a spool knows an address (`Address.key`) or a domain ("@" and its `domain_key`).

    63 bits of a keyed BLAKE2b, so that a signed column of any database takes it: 0 to 2^63 - 1. Without the key the
    address cannot be found again by trying addresses. Among 10 million addresses, an innocent one has the number of
    another once in 10^12 questions.
    """
    data = address_key.encode("utf-8", "surrogatepass")
    digest = blake2b(data, key=spool_key, digest_size=8, person=_ADDRESS).digest()
    return int.from_bytes(digest, "big") >> 1


def campaign_token(key: bytes) -> str:
    """Eight characters that name the campaign in its Message-IDs without telling its name."""
    return token(key, 0)[:8]


def message_id(key: bytes, number: int, domain: str) -> str:
    """Return ``<campaign-token.recipient-token@from-domain>``, angle brackets included (RFC 5322 3.6.4)."""
    return f"<{campaign_token(key)}.{token(key, number)}@{domain}>"


def own_address(purpose: str, token: str, domain: str) -> str:
    """Return the address at which one recipient's messages come back: ``bounces+<token>@<domain>`` (RFC 5233)."""
    return f"{purpose}+{token}@{domain}"
