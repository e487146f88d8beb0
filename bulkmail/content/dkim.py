"""DKIM signatures (RFC 6376), with RSA and with Ed25519 (RFC 8463): relaxed/relaxed, SHA-256.

The signature is nine tenths of what a message costs, so everything around it is kept small: fields arrive already
in canonical form, bodies too (see mime.py), and `bytes.replace` does the rest. Both algorithms are deterministic, and
``t=`` is the message's own date: a retry has the same bytes.
"""

from __future__ import annotations

from binascii import b2a_base64
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from hashlib import sha256
from typing import Any, NamedTuple

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from bulkmail.content.rsa_batch import BATCH_MIN, PADDING, SHA256, BatchSigner
from bulkmail.mail import AddressError, BulkmailError, domain_key

SIGNED = (
    "from",
    "to",
    "subject",
    "date",
    "message-id",
    "reply-to",
    "mime-version",
    "content-type",
    "content-transfer-encoding",
    "list-unsubscribe",
    "list-unsubscribe-post",
    "list-id",
    "feedback-id",
    "cfbl-address",
    "cfbl-feedback-id",
)
"""Fields signed when present."""

ONCE = ("from", *SIGNED[SIGNED.index("list-unsubscribe") :])
"""Those of them signed once more than they occur, so that no second one can be added (RFC 6376 8.15).

A second From deceives the reader; one of the others leads requests to unsubscribe, or complaints, elsewhere.
"""

_SMALLEST_RSA = 1024  # RFC 8301 3.2: verifiers must not accept less
_LINE = 72


class DkimKeyError(BulkmailError):
    """The DKIM key cannot be used."""


class SigningKey(NamedTuple):
    """A private key with the names of its DNS record, ``<selector>._domainkey.<domain>``."""

    domain: str
    selector: str
    algorithm: str  # the a= tag
    key: RSAPrivateKey | Ed25519PrivateKey

    def sign(self, data: bytes) -> bytes:
        """Sign: by RSA with PKCS#1 v1.5 over SHA-256 (RFC 6376 3.3.1), by Ed25519 the SHA-256 digest (RFC 8463 3)."""
        if isinstance(self.key, RSAPrivateKey):
            return self.key.sign(data, PADDING, SHA256)
        return self.key.sign(sha256(data).digest())

    def sign_each(self, data: Sequence[bytes]) -> list[bytes]:
        """Sign many texts, eight at a time where that can be done; return the signatures in their order."""
        batch = _batch_signer(self.key) if len(data) >= BATCH_MIN and isinstance(self.key, RSAPrivateKey) else None
        return [self.sign(one) for one in data] if batch is None else batch.sign(data)


class Unsigned(NamedTuple):
    """A signature field but for its last value, and what that is a signature of."""

    key: SigningKey
    field: bytes
    data: bytes


@lru_cache(maxsize=64)
def _batch_signer(key: RSAPrivateKey) -> BatchSigner | None:
    return BatchSigner.load(key)


@lru_cache(maxsize=64)
def load_key(pem: bytes) -> RSAPrivateKey | Ed25519PrivateKey:
    """Return the private key in ``pem``. Raises DkimKeyError with a sentence when there is none that DKIM can use."""
    if b"-----BEGIN" not in pem:
        raise DkimKeyError("the file is not a key in PEM form (it has no -----BEGIN ... PRIVATE KEY----- line)")
    if b"PRIVATE KEY-----" not in pem:
        raise DkimKeyError("the file has no private key (a public key or a certificate cannot sign)")
    try:
        key = load_pem_private_key(pem, password=None)
    except TypeError:
        raise DkimKeyError("the key is protected by a password; store it without one, readable by this user") from None
    except (ValueError, UnsupportedAlgorithm):
        raise DkimKeyError("the file looks like a private key but cannot be read (damaged or cut short?)") from None
    if isinstance(key, RSAPrivateKey):
        if key.key_size < _SMALLEST_RSA:
            raise DkimKeyError(f"the RSA key has {key.key_size} bits; receivers want at least 1024, better 2048")
        return key
    if isinstance(key, Ed25519PrivateKey):
        return key
    raise DkimKeyError("the key is neither RSA nor Ed25519, the two that DKIM knows")


def signing_key(entry: Mapping[str, Any]) -> SigningKey:
    """Return the key of one ``{"domain", "selector", "pem"}``. Raises DkimKeyError."""
    key, selector = load_key(entry["pem"]), entry["selector"]
    try:
        domain = domain_key(entry["domain"])
        domain_key(f"{selector}._domainkey.{domain}")
    except AddressError as error:
        raise DkimKeyError(f"no name for its DNS record: {error}") from None
    return SigningKey(domain, selector, "rsa-sha256" if isinstance(key, RSAPrivateKey) else "ed25519-sha256", key)


def keys_for(domain: str, entries: Iterable[Mapping[str, Any]]) -> list[SigningKey]:
    """Return the keys that sign for ``domain`` (A-labels): for each algorithm the nearest one, its own or a parent's.

    Keys of other domains are not even loaded. Raises DkimKeyError.
    """
    nearest: dict[str, SigningKey] = {}
    for entry in entries:
        if not matches(domain, entry["domain"]):
            continue
        found = signing_key(entry)
        if found.algorithm not in nearest or len(found.domain) > len(nearest[found.algorithm].domain):
            nearest[found.algorithm] = found
    return sorted(nearest.values(), key=lambda key: key.algorithm, reverse=True)  # RSA first: all verifiers know it


def matches(domain: str, key_domain: str) -> bool:
    """Return whether a key of ``key_domain`` may sign for ``domain``: DMARC's alignment wants a common parent."""
    key_domain = key_domain.strip().rstrip(".").lower()
    if not key_domain.isascii():
        try:
            key_domain = domain_key(key_domain)
        except AddressError:
            return False
    return domain == key_domain or domain.endswith("." + key_domain)


def relaxed_field(field: bytes) -> bytes:
    """Return a whole header field (name to CRLF) in relaxed form (RFC 6376 3.4.2): ``subject:the words`` and CRLF."""
    name, _, value = field.partition(b":")
    value = value.replace(b"\r\n", b"").replace(b"\t", b" ")
    while b"  " in value:
        value = value.replace(b"  ", b" ")
    return name.strip().lower() + b":" + value.strip(b" ") + b"\r\n"


def relaxed_end(body: bytes) -> bytes:
    """Return a body in relaxed form without the empty lines at its end, with one CRLF there; an empty one stays empty.

    CR and LF stand only as CRLF in what we send, so one `rstrip` takes whole line ends.
    """
    if body.endswith(b"\r\n") and not body.endswith(b"\n\r\n") and len(body) > 2:
        return body
    body = body.rstrip(b"\r\n")
    return body + b"\r\n" if body else b""


class Signer:
    """Signs the messages of one campaign with one or two keys."""

    def __init__(self, keys: Sequence[SigningKey]) -> None:
        self._keys = tuple(keys)

    def __bool__(self) -> bool:
        return bool(self._keys)

    def sign(self, fields: Mapping[str, bytes], body: bytes, at: int) -> bytes:
        """Return the DKIM-Signature fields, to be put on top. Arguments as for `prepare`."""
        return signed(self.prepare(fields, body, at))

    def prepare(self, fields: Mapping[str, bytes], body: bytes, at: int) -> list[Unsigned]:
        """Return what is to be signed, by each key.

        ``fields``: lower-case name -> relaxed form, one of each name; those outside `SIGNED` are not signed.
        ``body``: its relaxed form but for the end. ``at``: epoch seconds for ``t=``.
        """
        names = tuple([name for name in SIGNED if name in fields])
        data = b"".join([fields[name] for name in names])
        body_hash = b2a_base64(sha256(relaxed_end(body)).digest(), newline=False)
        tail = b" t=%d; bh=%b;" % (at, body_hash)
        unsigned = []
        for key in self._keys:
            head, relaxed = _head(key.algorithm, key.domain, key.selector, names)
            # Every fold is CRLF and one space, so the relaxed form of what we write is the same with plain spaces
            unsigned.append(Unsigned(key, head + tail + b"\r\n b=", data + relaxed + tail + b" b="))
        return unsigned


def signed(unsigned: Sequence[Unsigned]) -> bytes:
    """Return the DKIM-Signature fields of one message."""
    return sign_each([unsigned])[0]


def sign_each(messages: Sequence[Sequence[Unsigned]]) -> list[bytes]:
    """Return the DKIM-Signature fields of each message; all of them have the same keys.

    Apart from `Signer.prepare`, so that the signatures of a batch are made together: RSA and the rest would throw
    each other out of the processor's caches again and again.
    """
    fields = [b""] * len(messages)
    for same_key in zip(*messages, strict=True):
        signatures = same_key[0].key.sign_each([one.data for one in same_key])
        for at, (one, signature) in enumerate(zip(same_key, signatures, strict=True)):
            value = b2a_base64(signature, newline=False)
            lines = b"\r\n ".join([value[i : i + _LINE] for i in range(0, len(value), _LINE)])
            fields[at] += one.field + lines + b"\r\n"
    return fields


@lru_cache(maxsize=256)
def _head(algorithm: str, domain: str, selector: str, names: tuple[str, ...]) -> tuple[bytes, bytes]:
    """Return the part of a signature field that all messages share, folded, up to h=; and its relaxed form."""
    lines = [f"v=1; a={algorithm}; c=relaxed/relaxed;", f"d={domain}; s={selector};"]
    if len(lines[1]) > _LINE:
        lines[1:] = [f"d={domain};", f"s={selector};"]
    first, *rest = [name for name in names for _ in range(2 if name in ONCE else 1)]
    line = f"h={first}"
    for name in rest:  # RFC 6376 5.4.2: one that is missing is read as empty
        if len(line) + len(name) + 2 > _LINE:
            lines.append(line + ":")
            line = name
        else:
            line += ":" + name
    field = "\r\n ".join([*lines, line + ";"])
    relaxed = "dkim-signature:" + field.replace("\r\n ", " ")
    return f"DKIM-Signature: {field}\r\n".encode("ascii"), relaxed.encode("ascii")
