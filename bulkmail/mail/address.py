"""Mail addresses: the strict subset that can be sent to, and the key that makes two spellings one recipient.

Taken: ``local@domain`` with a dot-atom or quoted local part (RFC 5321 4.1.2), ASCII or, for SMTPUTF8 (RFC 6531),
with non-ASCII letters; domains in ASCII or as IDN, normalised to A-labels (RFC 5891). Refused with a sentence:
address literals, source routes, comments, display names, and everything that could break a command line.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

import idna

from bulkmail.mail.errors import AddressError

_ATEXT = r"A-Za-z0-9!#$%&'*+/=?^_`{|}~-"
_LOCAL = re.compile(rf"[{_ATEXT}]+(?:\.[{_ATEXT}]+)*", re.ASCII)
_ATOM_UTF8 = r'[^\x00-\x20"(),.:;<>@\[\\\]\x7f-\x9f\s\u2028\u2029\ufeff\ufffe\uffff]+'
_LOCAL_UTF8 = re.compile(rf"{_ATOM_UTF8}(?:\.{_ATOM_UTF8})*")
_QUOTED = re.compile(r'"(?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\[\x20-\x7e])*"', re.ASCII)
_LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)", re.ASCII)
_PLAIN = re.compile(
    rf"([{_ATEXT}]+(?:\.[{_ATEXT}]+)*)@((?:[A-Za-z0-9](?:[A-Za-z0-9-]{{0,61}}[A-Za-z0-9])?\.)+[A-Za-z][A-Za-z0-9-]*)",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Address:
    """A sendable address. ``domain`` is lower case, in A-labels; ``local`` is as written (it may be case sensitive)."""

    local: str
    domain: str

    @property
    def key(self) -> str:
        """Two addresses with one key are one recipient: all lower case, domain in A-labels."""
        return f"{self.local.lower()}@{self.domain}"

    @property
    def needs_smtputf8(self) -> bool:
        """Whether the receiver must offer SMTPUTF8 (RFC 6531) to take it."""
        return not self.local.isascii()

    def __str__(self) -> str:
        return f"{self.local}@{self.domain}"


@lru_cache(maxsize=4096)
def domain_key(text: str) -> str:
    """A domain in its one spelling: lower case, A-labels, no trailing dot. Raises AddressError."""
    domain = text.strip().lower().removesuffix(".")
    if not domain:
        raise AddressError("the domain is missing")
    if domain.startswith("["):
        raise AddressError("address literals such as [192.0.2.1] are not sent to; use a domain name")
    if not domain.isascii():
        try:
            domain = idna.encode(domain, uts46=True, std3_rules=True).decode("ascii")
        except (idna.IDNAError, UnicodeError) as error:
            raise AddressError(f"the domain {text!r} is not a valid internationalised name ({error})") from None
    if len(domain) > 253:
        raise AddressError("the domain is longer than 253 characters")
    labels = domain.split(".")
    for label in labels:
        if not label:
            raise AddressError(f"the domain {text!r} has an empty label (two dots in a row)")
        if _LABEL.fullmatch(label) is None:
            raise AddressError(f"the domain {text!r} has a label that is not letters, digits and inner hyphens")
    if len(labels) < 2:
        raise AddressError(f"the domain {text!r} has no dot")
    if labels[-1].isdigit():
        raise AddressError(f"the domain {text!r} looks like an IP address; use a domain name")
    return domain


def parse_address(text: str) -> Address:
    """The address in ``text``, white space around it ignored. Raises AddressError with what is wrong."""
    text = text.strip(" \t")
    plain = _PLAIN.fullmatch(text)
    if plain is not None and len(plain[1]) <= 64 and len(text) <= 254:
        return Address(plain[1], plain[2].lower())
    if not text:
        raise AddressError("the address is empty")
    for character in text:
        if character < " " or "\x7f" <= character <= "\x9f" or character in "\u2028\u2029":
            raise AddressError(f"the address has a control character ({character!r})")
    local, at, domain = text.rpartition("@")
    if not at:
        raise AddressError(f"{text!r} has no @")
    if not local:
        raise AddressError(f"{text!r} has nothing before the @")
    if _QUOTED.fullmatch(local) is None:
        if "<" in text or ">" in text or " " in local or "(" in local or "," in text or ";" in text:
            raise AddressError(f"{text!r} is more than a bare address; write only local@domain")
        if "@" in local:
            raise AddressError(f"{text!r} has more than one @")
        pattern = _LOCAL if local.isascii() else _LOCAL_UTF8
        if pattern.fullmatch(local) is None:
            raise AddressError(f"{text!r}: the part before the @ has dots or characters where none may be")
    if len(local.encode("utf-8")) > 64:
        raise AddressError("the part before the @ is longer than 64 bytes (RFC 5321 4.5.3.1.1)")
    address = Address(local, domain_key(domain))
    if len(str(address).encode("utf-8")) > 254:
        raise AddressError("the address is longer than 254 bytes (RFC 5321 4.5.3.1.3)")
    return address
