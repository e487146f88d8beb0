"""The arguments of MAIL and RCPT (RFC 5321 4.1.1.2, 4.1.1.3, 4.1.2), and of EHLO."""

from __future__ import annotations

import re
from dataclasses import dataclass

from bulkmail.inbound.received import Mailbox, Refusal

_LONGEST_LOCAL, _LONGEST_PATH = 64, 254  # octets, RFC 5321 4.5.3.1
_QUOTED = r'"(?:[^"\\\r\n]|\\[^\r\n])*"'
# One blank behind the colon is no form of the RFC, but bounces do come so.
_ARGUMENT = re.compile(rf'(FROM|TO): ?<((?:[^"<>\s]|{_QUOTED})*)>(?: +(.*?))? *', re.IGNORECASE)
_PATH = re.compile(rf'({_QUOTED}|[^"@\s]+)@([^"@\s]+)')
_PARAMETER = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]*)(?:=([^=\x00-\x20\x7f-]+))?", re.ASCII)
_UNQUOTE = re.compile(r"\\(.)")
_NOT_A_PATH = Refusal(501, "5.5.4", "This is not <local@domain>")


@dataclass(frozen=True, slots=True)
class Argument:
    """What stood between the angle brackets, and the parameters behind them in upper case with their values."""

    path: str
    parameters: dict[str, str]


def parse_argument(rest: bytes, word: str) -> Argument | Refusal:
    """Read what stands behind MAIL (``word`` FROM) or RCPT (``word`` TO)."""
    try:
        text = rest.decode("utf-8")
    except UnicodeDecodeError:
        return Refusal(501, "5.5.2", "An address must be ASCII or, with SMTPUTF8, UTF-8")
    if not text.isprintable():
        return Refusal(501, "5.5.2", "An address must not hold control characters")
    found = _ARGUMENT.fullmatch(text)
    if found is None or found[1].upper() != word:
        return Refusal(501, "5.5.4", f"Syntax: {'MAIL' if word == 'FROM' else 'RCPT'} {word}:<address>")
    parameters: dict[str, str] = {}
    for part in (found[3] or "").split():
        one = _PARAMETER.fullmatch(part)
        if one is None or one[1].upper() in parameters:
            return Refusal(501, "5.5.4", "A parameter has no proper form or is there twice")
        parameters[one[1].upper()] = one[2] or ""
    return Argument(found[2], parameters)


def parse_mailbox(path: str) -> Mailbox | Refusal:
    """Take an address apart. A source route is refused: nothing is relayed along one (RFC 5321 4.1.1.3, appendix C)."""
    if path.startswith("@"):
        return Refusal(550, "5.7.1", "Relaying denied: source routes are not followed")
    if path.lower() == "postmaster":
        return Mailbox(path, "")  # RFC 5321 4.5.1
    found = _PATH.fullmatch(path)
    if found is None:
        many = path.count("@") > 1
        return Refusal(550, "5.7.1", "Relaying denied: more than one @") if many else _NOT_A_PATH
    local = _UNQUOTE.sub(r"\1", found[1][1:-1]) if found[1].startswith('"') else found[1]
    if not local or len(found[1].encode()) > _LONGEST_LOCAL or len(path.encode()) > _LONGEST_PATH:
        return Refusal(501, "5.1.3", "The address is empty or too long")
    return Mailbox(local, found[2])


def parse_sender(path: str) -> str | Refusal:
    """Return the sender in the form it was given, ``""`` for the null sender."""
    if not path:
        return ""
    if path.startswith("@") or _PATH.fullmatch(path) is None or len(path.encode()) > _LONGEST_PATH:
        return Refusal(501, "5.1.7", "The sender's address has no proper form")
    return path


def parse_name(rest: bytes) -> str | None:
    """Return the name behind EHLO or HELO, None where there is none that could be written down."""
    name = rest.strip()
    if not 0 < len(name) <= 255 or not all(0x21 <= octet <= 0x7E for octet in name):
        return None
    return name.decode("ascii")
