"""Passwords as they are kept: hashed by scrypt (RFC 7914), with a salt of their own."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import unicodedata

SALT = 16  # octets
MOST = 1024  # octets of a password
_LOG_N, _R, _P = 15, 8, 1  # 32 MB of memory, and some 80 ms of a core
_HASH = 32  # octets
_MOST_MEMORY = 256 * 1024 * 1024
_MOST_LOG_N = 17


def hash_password(password: str, salt: bytes) -> str:
    """Return ``scrypt:15:8:1:SALT:HASH``. ``salt``: `SALT` random octets. It takes time: not for the event loop."""
    return ":".join(["scrypt", str(_LOG_N), str(_R), str(_P), _text(salt), _text(_derived(password, salt, _LOG_N))])


def is_hash(text: str) -> bool:
    """Return whether this is what `hash_password` gives."""
    return _parts(text) is not None


def verify(password: str, kept: str) -> bool:
    """Return whether ``kept`` is of this password. It takes time: not for the event loop.

    A password that is longer than `MOST` octets is no one's.
    """
    parts = _parts(kept)
    if parts is None or len(password.encode("utf-8", "replace")) > MOST:
        return False
    log_n, salt, wanted = parts
    return hmac.compare_digest(_derived(password, salt, log_n), wanted)


def _derived(password: str, salt: bytes, log_n: int) -> bytes:
    # NFC: the same letters may come as other octets from another keyboard (RFC 8265 4.2.2)
    octets = unicodedata.normalize("NFC", password).encode("utf-8", "replace")
    return hashlib.scrypt(octets, salt=salt, n=1 << log_n, r=_R, p=_P, maxmem=_MOST_MEMORY, dklen=_HASH)


def _parts(text: str) -> tuple[int, bytes, bytes] | None:
    kind, *rest = text.split(":")
    if kind != "scrypt" or len(rest) != 5 or rest[1:3] != [str(_R), str(_P)] or not rest[0].isdecimal():
        return None
    try:
        salt, derived = (base64.b64decode(part, validate=True) for part in rest[3:])
    except binascii.Error:
        return None
    log_n = int(rest[0])
    fine = 10 <= log_n <= _MOST_LOG_N and len(derived) == _HASH and len(salt) >= 8
    return (log_n, salt, derived) if fine else None


def _text(octets: bytes) -> str:
    return base64.b64encode(octets).decode("ascii")
