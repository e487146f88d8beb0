"""SASL mechanisms (RFC 4422) as pure functions: what to say to the challenges heard so far.

A password is shown to the server by PLAIN and LOGIN, an access token by XOAUTH2: never in clear. CRAM-MD5 and
SCRAM-SHA-256 show a proof of it, and with SCRAM the server proves that it knows the password too.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import stringprep
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from bulkmail.mail import BulkmailError

SCRAM, CRAM, PLAIN, LOGIN, XOAUTH2 = "SCRAM-SHA-256", "CRAM-MD5", "PLAIN", "LOGIN", "XOAUTH2"
BY_STRENGTH = (SCRAM, CRAM, PLAIN, LOGIN)
HIDING = frozenset({SCRAM, CRAM})  # a listener does not learn the password from them
MECHANISMS = (*BY_STRENGTH, XOAUTH2)
_FEWEST, _MOST = 4096, 200_000  # rounds of a SCRAM hash: RFC 7677 4; more would stop everything else for too long


class SaslError(BulkmailError):
    """The server's part of the dialogue is not what the mechanism asks for; the rest of "the server ..."."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who we are. ``mechanism`` ``""``: the strongest that is offered. ``nonce``: printable, fresh for each session."""

    username: str
    secret: str = field(repr=False)  # the password, or with XOAUTH2 the access token
    mechanism: str = ""
    nonce: str = field(default="", repr=False)


def choose(credentials: Credentials, offered: Sequence[str], *, secure: bool) -> str:
    """Return the mechanism to use, ``""`` where none fits: none that shows the secret on a line that is not secure."""
    wanted = (credentials.mechanism,) if credentials.mechanism else BY_STRENGTH
    return next((name for name in wanted if name in offered and (secure or name in HIDING)), "")


def initial(mechanism: str, credentials: Credentials) -> bytes | None:
    """Return what is said before any challenge; None where the server speaks first."""
    user, secret = credentials.username.encode(), credentials.secret.encode()
    if mechanism == PLAIN:  # RFC 4616
        return b"\0" + user + b"\0" + secret
    if mechanism == XOAUTH2:
        return b"user=" + user + b"\x01auth=Bearer " + secret + b"\x01\x01"
    return b"n,," + _scram_bare(credentials) if mechanism == SCRAM else None


def answer(mechanism: str, credentials: Credentials, challenges: Sequence[bytes]) -> bytes:
    """Return the answer to the last of all challenges of this dialogue. Raises SaslError."""
    steps = _STEPS[mechanism]
    if len(challenges) > len(steps):
        raise SaslError(f"asks for more than {mechanism} knows")
    return steps[len(challenges) - 1](credentials, challenges)


def proven(mechanism: str, challenges: Sequence[bytes]) -> bool:
    """Return whether a success may be believed now: with SCRAM not before the server has shown its own proof."""
    return mechanism != SCRAM or len(challenges) == len(_STEPS[SCRAM])


# -- the steps of each mechanism


def _cram(credentials: Credentials, challenges: Sequence[bytes]) -> bytes:
    """Answer with the HMAC-MD5 of the challenge (RFC 2195)."""
    digest = hmac.new(credentials.secret.encode(), challenges[0], hashlib.md5).hexdigest()
    return f"{credentials.username} {digest}".encode()


def _scram_bare(credentials: Credentials) -> bytes:
    name = prepared(credentials.username).replace("=", "=3D").replace(",", "=2C")
    return f"n={name},r={credentials.nonce}".encode()


def _scram_final(credentials: Credentials, challenges: Sequence[bytes]) -> bytes:
    """Prove that we know the password without showing it (RFC 5802 3, RFC 7677)."""
    first = challenges[0]
    facts = _attributes(first)
    nonce, rounds = facts.get("r", ""), facts.get("i", "")
    if not nonce.startswith(credentials.nonce) or nonce == credentials.nonce:
        raise SaslError("answers SCRAM with a nonce that is not made from ours")
    if not (rounds.isascii() and rounds.isdigit() and len(rounds) < 10 and _FEWEST <= int(rounds) <= _MOST):
        raise SaslError(f"asks for {rounds[:20] or 'no'} rounds of SCRAM, not for {_FEWEST} to {_MOST}")
    if not facts.get("s"):
        raise SaslError("sends no salt with SCRAM")
    salted = _salted(prepared(credentials.secret), unbase64(facts["s"].encode()), int(rounds))
    without_proof = b"c=biws,r=" + nonce.encode()  # biws is "n,,": no channel binding
    said = b",".join((_scram_bare(credentials), first, without_proof))
    client_key = _hash(salted, b"Client Key")
    signature = _hash(hashlib.sha256(client_key).digest(), said)
    proof = bytes(one ^ other for one, other in zip(client_key, signature, strict=True))
    return without_proof + b",p=" + base64.b64encode(proof)


def _scram_verify(credentials: Credentials, challenges: Sequence[bytes]) -> bytes:
    first, last = challenges
    facts, end = _attributes(first), _attributes(last)
    if "e" in end:
        raise SaslError(f"says with SCRAM: {end['e'][:80]}")
    salted = _salted(prepared(credentials.secret), unbase64(facts["s"].encode()), int(facts["i"]))
    said = b",".join((_scram_bare(credentials), first, b"c=biws,r=" + facts["r"].encode()))
    if not hmac.compare_digest(_hash(_hash(salted, b"Server Key"), said), unbase64(end.get("v", "").encode())):
        raise SaslError("did not prove that it knows the password")
    return b""


_Step = Callable[[Credentials, Sequence[bytes]], bytes]
_STEPS: dict[str, tuple[_Step, ...]] = {
    PLAIN: (),
    XOAUTH2: (lambda _credentials, _challenges: b"",),  # why it was refused; the refusal itself comes then
    LOGIN: (lambda who, _challenges: who.username.encode(), lambda who, _challenges: who.secret.encode()),
    CRAM: (_cram,),
    SCRAM: (_scram_final, _scram_verify),
}


# -- what they are made of


def unbase64(text: bytes) -> bytes:
    """Decode strictly. Raises SaslError."""
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise SaslError("says something that is not base64") from None


def prepared(text: str) -> str:
    """Prepare a text by SASLprep (RFC 4013), one spelling for what people type; prohibited characters stay."""
    mapped = "".join(" " if stringprep.in_table_c12(c) else c for c in text if not stringprep.in_table_b1(c))
    return unicodedata.normalize("NFKC", mapped)


def _hash(key: bytes, text: bytes) -> bytes:
    return hmac.new(key, text, hashlib.sha256).digest()


@lru_cache(maxsize=4)
def _salted(password: str, salt: bytes, rounds: int) -> bytes:
    """Hash the password (RFC 5802 5.1): some milliseconds of work, the same for each session."""
    return hashlib.pbkdf2_hmac("sha256", password.encode(), salt, rounds)


def _attributes(message: bytes) -> dict[str, str]:
    try:
        parts = [part.partition("=") for part in message.decode().split(",")]
    except UnicodeDecodeError:
        raise SaslError("says something that is not text") from None
    if "m" in (name for name, _, _ in parts):
        raise SaslError("asks for an extension of SCRAM")
    return {name: value for name, _, value in parts}
