"""Mail addresses: the strict subset that can be sent to, in the one form in which an address is compared and mailed.

Taken: ``local@domain`` with a dot-atom or quoted local part (RFC 5321 4.1.2), ASCII or, for SMTPUTF8 (RFC 6531),
with non-ASCII letters; domains in ASCII or as IDN. Refused with a sentence: address literals, source routes, comments,
display names, everything that could break a command line, and characters that cannot be seen.

The one form: no white space around, Unicode in NFC (RFC 6532 3.1), quotes only where the local part needs them and
then no more backslashes than needed (all quoted forms are one mailbox, RFC 5321 4.1.2), the domain in lower case and
A-labels (RFC 5891).
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

import idna

from bulkmail.mail.errors import AddressError

_ATEXT = r"A-Za-z0-9!#$%&'*+/=?^_`{|}~-"
_LOCAL = re.compile(rf"[{_ATEXT}]+(?:\.[{_ATEXT}]+)*", re.ASCII)
_ATOM_UTF8 = r'[^\x00-\x20"(),.:;<>@\[\\\]\x7f-\x9f\s\u2028\u2029\ufeff\ufffe\uffff]+'
_LOCAL_UTF8 = re.compile(rf"{_ATOM_UTF8}(?:\.{_ATOM_UTF8})*")
_QUOTED = re.compile(r'"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|[^\x00-\x9f\s\ud800-\udfff\ufffe\uffff]|\\[\x20-\x7e])*)"')
_ESCAPED = re.compile(r"\\(.)")
_TO_ESCAPE = re.compile(r'(["\\])')
_BLANKS = " \t\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
_JOINERS = re.compile("[\u200c\u200d]")  # some scripts need them in a domain, by the rules of RFC 5892 A.1 and A.2
# Ignorable, though Unicode has them as letters or marks: joiner of graphemes, fillers, selectors of variants
_IGNORABLE = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0000-\U000e0fff]")
_GUARDED = re.compile("'+[-=+@\uff0d\uff1d\uff0b\uff20\t\r\n]")  # as bulkmail.report.cells guards cells
_UNSEEN = {"Cc": "control", "Cf": "invisible", "Zl": "control", "Zp": "control", "Cs": "surrogate"}
_LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)", re.ASCII)
_INNER = "(?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_PLAIN = re.compile(  # an address that is in its one form but for the case of its domain; with its limits of length
    rf"(?!')(?=[^@]{{1,64}}@)(?=.{{1,254}}\Z)([{_ATEXT}]+(?:\.[{_ATEXT}]+)*)"
    rf"@((?:[A-Za-z0-9]{_INNER}\.)+[A-Za-z]{_INNER})",
    re.ASCII,
).fullmatch


@dataclass(frozen=True, slots=True)
class Address:
    """A sendable address in its one form. ``local`` keeps its case: a receiver may tell ``Bob`` from ``bob``."""

    local: str
    domain: str

    @property
    def key(self) -> str:
        """Two addresses with one key are one recipient: all lower case, domain in A-labels."""
        local = self.local.lower()
        # in lower case a letter and its accent may have a character of their own that they lack in upper case
        return f"{local if local.isascii() else unicodedata.normalize('NFC', local)}@{self.domain}"

    @property
    def needs_smtputf8(self) -> bool:
        """Whether the receiver must offer SMTPUTF8 (RFC 6531) to take it."""
        return not self.local.isascii()

    def __str__(self) -> str:
        return f"{self.local}@{self.domain}"


@lru_cache(maxsize=4096)
def domain_key(text: str) -> str:
    """Return a domain in its one spelling: lower case, A-labels, no trailing dot. Raises AddressError."""
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


def unseen(text: str) -> str:
    """Tell what cannot be seen in ``text``: ``the invisible character U+200B (ZERO WIDTH SPACE)``; ``""`` for nothing.

    The first control, line end, format character (RFC 8264 9.13 disallows what is ignorable) or surrogate is named.
    """
    if text.isascii() and text.isprintable():
        return ""
    for character in text:
        kind = _UNSEEN.get(_kind(character))
        if kind:
            name = unicodedata.name(character, "")
            return f"the {kind} character U+{ord(character):04X}" + (f" ({name})" if name else "")
    return ""


def without_invisible(text: str) -> str:
    """Return ``text`` without its invisible characters; controls and line ends, which part words, stay."""
    return "".join([character for character in text if _UNSEEN.get(_kind(character)) != "invisible"])


def parse_address(text: str) -> Address:
    """Return the address in ``text``, without white space around it, in its one form. Raises AddressError."""
    text = text.strip(_BLANKS)
    plain = _PLAIN(text)
    if plain is not None:
        return Address(plain[1], plain[2].lower())
    if not text:
        raise AddressError("the address is empty")
    text = unicodedata.normalize("NFC", text)
    local, at, domain = text.rpartition("@")
    found = unseen(local) or unseen(_JOINERS.sub("", domain))
    if found:
        raise AddressError(f"the address has {found}")
    if not at:
        raise AddressError(f"{text!r} has no @")
    if not local:
        raise AddressError(f"{text!r} has nothing before the @")
    address = Address(_local_part(local, text), domain_key(domain))
    if len(address.local.encode("utf-8")) > 64:
        raise AddressError("the part before the @ is longer than 64 bytes (RFC 5321 4.5.3.1.1)")
    if len(str(address).encode("utf-8")) > 254:
        raise AddressError("the address is longer than 254 bytes (RFC 5321 4.5.3.1.3)")
    return address


def address_in(cell: str) -> Address:
    """Return the address that is mailed for a list's cell. Raises AddressError.

    More is taken than a bare address: the apostrophe that a report or an export puts before ``=``, ``+``, ``-`` and
    ``@`` (so that a spreadsheet runs no formula) is left out, and of several addresses between ``:::`` (exports of
    address books) the first counts.
    """
    plain = _PLAIN(cell)
    if plain is not None:
        return Address(plain[1], plain[2].lower())
    return parse_address(unguarded(cell.partition(":::")[0] if '"' not in cell else cell))


def local_in(cell: str) -> str:
    """Return the local part of the address in a list's cell, as `address_in` finds it.

    A cell that a version with other rules has stored may be no address now: then what stands before its last ``@``.
    """
    return plain[1] if (plain := _PLAIN(cell)) is not None else _unusual_local(cell)


def _unusual_local(cell: str) -> str:
    try:
        return address_in(cell).local
    except AddressError:
        return cell.strip(" \t").rpartition("@")[0]


def unguarded(cell: str) -> str:
    """Return ``cell`` without the apostrophe that keeps a spreadsheet from running it as a formula."""
    return cell[1:] if _GUARDED.match(cell) else cell


def _local_part(local: str, text: str) -> str:
    """Return the local part with the least quoting. Raises AddressError; ``text`` is the whole address."""
    quoted = _QUOTED.fullmatch(local)
    if quoted is not None:
        bare = _ESCAPED.sub(r"\1", quoted[1])
        if _LOCAL.fullmatch(bare) or (not bare.isascii() and _LOCAL_UTF8.fullmatch(bare)):
            return bare
        return '"' + _TO_ESCAPE.sub(r"\\\1", bare) + '"'
    if "<" in text or ">" in text or " " in local or "(" in local or "," in text or ";" in text:
        raise AddressError(f"{text!r} is more than a bare address; write only local@domain")
    if "@" in local:
        raise AddressError(f"{text!r} has more than one @")
    pattern = _LOCAL if local.isascii() else _LOCAL_UTF8
    if pattern.fullmatch(local) is None:
        raise AddressError(f"{text!r}: the part before the @ has dots or characters where none may be")
    return local


def _kind(character: str) -> str:
    """Return its general category; what is ignorable counts as a format character."""
    return "Cf" if _IGNORABLE.match(character) else unicodedata.category(character)
