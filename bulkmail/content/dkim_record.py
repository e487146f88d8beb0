"""The DNS record of a DKIM key: made, written for a zone file, and compared with what is published.

RFC 6376 3.6.1 describes the record, RFC 8463 section 4.2 its ``p=`` for Ed25519: the 32 bytes of the key, where for RSA
it is a SubjectPublicKeyInfo. What verifiers take in spite of the letter (another order, blanks, a missing ``v=`` or
``k=``) is no difference: only the key and what forbids its use count.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Sequence
from enum import Enum
from hashlib import sha256
from typing import NamedTuple

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_public_key,
)

from bulkmail.content.dkim import load_key

RSA_BITS = 2048
"""RFC 8301 3.2: at least 1024, better 2048; longer ones do not fit every verifier."""

_STRING = 255  # bytes of one string of a TXT record (RFC 1035 3.3)
_BARE = 32  # bytes of an Ed25519 public key
_TAG = re.compile(r"\s*([A-Za-z][A-Za-z0-9_]*)\s*=(.*)", re.DOTALL)

Public = RSAPublicKey | Ed25519PublicKey


class Published(Enum):
    """Whether verifiers find a key in what is published: all of them, some of them, or none."""

    RIGHT = "right"
    ODD = "odd"
    WRONG = "wrong"


class _Published(NamedTuple):
    key: Public
    usual: bool  # whether ``p=`` has the form that verifiers expect


def new_pem(kind: str) -> bytes:
    """Return a new private key, ``rsa`` or ``ed25519``, as PEM (PKCS#8, without a password)."""
    key = Ed25519PrivateKey.generate() if kind == "ed25519" else generate_private_key(65537, RSA_BITS)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def record(pem: bytes) -> str:
    """Return the text of the TXT record for a private key. Raises DkimKeyError where it is none."""
    key = load_key(pem).public_key()
    kind = "rsa" if isinstance(key, RSAPublicKey) else "ed25519"
    return f"v=DKIM1; k={kind}; p={b64encode(_bytes_of(key)).decode('ascii')}"


def record_name(domain: str, selector: str) -> str:
    """Return the domain name under which the record stands (RFC 6376 3.6.2.1)."""
    return f"{selector}._domainkey.{domain}"


def zone_lines(domain: str, selector: str, pem: bytes) -> str:
    """Return the record as a zone file has it, cut into strings of at most 255 bytes. Raises DkimKeyError."""
    text = record(pem)
    strings = [f'"{text[at : at + _STRING]}"' for at in range(0, len(text), _STRING)]
    joined = strings[0] if len(strings) == 1 else "(\n  " + "\n  ".join(strings) + "\n)"
    return f"{record_name(domain, selector)}. IN TXT {joined}"


def key_in_words(key: Public | RSAPrivateKey | Ed25519PrivateKey) -> str:
    """Return a key for people, ``RSA-2048 3f0c7a9be1d2``: its kind and how the SHA-256 of its ``p=`` begins."""
    public = key if isinstance(key, RSAPublicKey | Ed25519PublicKey) else key.public_key()
    kind = f"RSA-{public.key_size}" if isinstance(public, RSAPublicKey) else "Ed25519"
    return f"{kind} {sha256(_bytes_of(public)).hexdigest()[:12]}"


def wrong_with(texts: Sequence[str], pem: bytes) -> str:
    """Return what is wrong with the TXT records found under the key's name, ``""`` where verifiers find the key.

    ``texts``: each record, its strings put together. Raises DkimKeyError where ``pem`` is no key.
    """
    return compare_published(texts, pem)[1]


def compare_published(texts: Sequence[str], pem: bytes) -> tuple[Published, str]:
    """Compare the public half of a key with the TXT records under its name, and say what is wrong, "" for nothing.

    ``texts``: each record, its strings put together. Raises DkimKeyError where ``pem`` is no key.
    """
    ours = load_key(pem).public_key()
    if not texts:
        return Published.WRONG, "there is no such record"
    if len(texts) == 1:
        return _compared(texts[0], ours)
    words = f"there are {len(texts)} TXT records under this name, and verifiers want one; remove the others"
    found = any(_compared(text, ours)[0] is not Published.WRONG for text in texts)
    return Published.ODD if found else Published.WRONG, words


def _compared(text: str, ours: Public) -> tuple[Published, str]:
    """Compare one record with a public key."""
    tags = _tags(text)
    if tags is None or "p" not in tags:
        return Published.WRONG, f"the record is no DKIM record: {text[:80]!r}{_pasted(text)}"
    wrong = ""
    if tags.get("v", "DKIM1") != "DKIM1":
        wrong = f"the record says v={tags['v'][:20]}, and verifiers want v=DKIM1"
    elif not tags["p"]:
        wrong = "the record has an empty p=, which revokes the key"
    found = None if wrong else _published(tags)
    if wrong:
        return Published.WRONG, wrong
    if found is None:
        return Published.WRONG, f"its p= is no {tags.get('k', 'rsa')[:20]} key"
    if _bytes_of(found.key) != _bytes_of(ours):
        words = f"the record has another key ({key_in_words(found.key)}) than the file ({key_in_words(ours)})"
        return Published.WRONG, words
    forbidden = _forbidden(tags)
    if forbidden:
        return Published.WRONG, forbidden
    if not found.usual:
        return Published.ODD, "its p= has the key in a form that most verifiers do not read"
    return Published.RIGHT, ""


def _pasted(text: str) -> str:
    """Return what a form of a DNS provider has kept although it belongs to the zone file's form."""
    marks = [mark for mark in ('"', "\\") if mark in text]
    return f"; {' and '.join(marks)} must not stand in the record itself" if marks else ""


def _forbidden(tags: dict[str, str]) -> str:
    """Return what else in the record keeps mail from being verified with the key."""
    hashes = {text.strip().lower() for text in tags["h"].split(":")} if "h" in tags else {"sha256"}
    if "sha256" not in hashes:
        return f"the record says h={tags['h'][:40]}, and we sign with sha256"
    services = {text.strip() for text in tags.get("s", "*").split(":")}
    if not services & {"*", "email"}:
        return f"the record says s={tags['s'][:40]}, which is not for mail"
    return ""


def _tags(text: str) -> dict[str, str] | None:
    """Return the tags of a record (RFC 6376 3.2), or None where it is no tag list."""
    tags: dict[str, str] = {}
    for part in text.rstrip("; \t\r\n").split(";"):
        found = _TAG.fullmatch(part)
        if found is None or found[1] in tags:
            return None
        tags[found[1]] = "".join(found[2].split()) if found[1] == "p" else found[2].strip()
    return tags


def _published(tags: dict[str, str]) -> _Published | None:
    """Return the key in ``p=``, in whatever form it is there."""
    kind = tags.get("k", "rsa").lower()
    try:
        data = b64decode(tags["p"] + "=" * (-len(tags["p"]) % 4), validate=True)
        if kind == "ed25519" and len(data) == _BARE:
            return _Published(Ed25519PublicKey.from_public_bytes(data), usual=True)
        key = load_der_public_key(data)  # also the bare RSAPublicKey of PKCS#1
    except (ValueError, Base64Error, UnsupportedAlgorithm):
        return None
    if kind == "rsa" and isinstance(key, RSAPublicKey):
        return _Published(key, usual=data == _bytes_of(key))
    if kind == "ed25519" and isinstance(key, Ed25519PublicKey):
        return _Published(key, usual=False)
    return None


def _bytes_of(key: Public) -> bytes:
    """Return what ``p=`` holds, before base64."""
    if isinstance(key, RSAPublicKey):
        return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)
