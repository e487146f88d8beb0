"""An SPF record read into its terms (RFC 7208 4.6 and 12): mechanisms in order, and the modifier ``redirect``.

A record with one wrong term is wrong as a whole, wherever the term stands (RFC 7208 4.6). Macros are checked here and
expanded in `spf_macros`.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field

from bulkmail.preflight.sender.spf_macros import check_macros, ends_in_macro

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

RESULTS = {"+": "pass", "-": "fail", "~": "softfail", "?": "neutral"}
"""What a mechanism that matches leads to, by its qualifier (RFC 7208 4.6.2)."""

_VERSION = re.compile(r"v=spf1(?: |\Z)", re.IGNORECASE)
_MODIFIER = re.compile(r"([A-Za-z][A-Za-z0-9_.-]*)=(.*)", re.DOTALL)
_MECHANISM = re.compile(r"([-+~?]?)([A-Za-z][A-Za-z0-9_.-]*)(.*)", re.DOTALL)
_SIZES = re.compile(r"(.*?)(/[0-9]+)?(//[0-9]+)?", re.DOTALL)
_TOP_LABEL = re.compile(r"[A-Za-z0-9]*[A-Za-z][A-Za-z0-9]*|[A-Za-z0-9]+-[A-Za-z0-9-]*[A-Za-z0-9]")
_WITH_DOMAIN = frozenset({"include", "exists"})  # must have one
_WITH_SIZES = frozenset({"a", "mx"})


class SpfSyntaxError(Exception):
    """The record has a term that RFC 7208 does not allow; the text says which and why."""


@dataclass(frozen=True)
class Mechanism:
    """One directive. ``domain``: as written, "" for the domain of the record. ``sizes``: prefix lengths, IPv4 and IPv6.

    ``network``: of ip4 and ip6. ``text``: as it stands in the record.
    """

    result: str
    name: str
    text: str
    domain: str = ""
    sizes: tuple[int, int] = (32, 128)
    network: Network | None = None


@dataclass(frozen=True)
class SpfRecord:
    """``redirect``: as written, "" where there is none. ``redirect_last``: whether no mechanism stands behind it."""

    text: str
    mechanisms: tuple[Mechanism, ...] = field(default=())
    redirect: str = ""
    redirect_last: bool = True


def is_spf(text: str) -> bool:
    """Return whether a TXT record is an SPF record: its version, then a space or the end (RFC 7208 4.5)."""
    return _VERSION.match(text) is not None


def parse_spf(text: str) -> SpfRecord:
    """Read a record for which `is_spf` holds. Raises SpfSyntaxError."""
    mechanisms: list[Mechanism] = []
    seen: dict[str, str] = {}
    redirect_last = True
    for term in text[6:].split(" "):
        if not term:
            continue
        modifier = _MODIFIER.fullmatch(term)
        if modifier is None:
            redirect_last = "redirect" not in seen
            mechanisms.append(_mechanism(term))
            continue
        name, value = modifier[1].lower(), modifier[2]
        if name in ("redirect", "exp"):
            if name in seen:
                raise SpfSyntaxError(f"`{name}=` stands there twice")
            _check_domain(value, term)
            seen[name] = value
        else:
            _check(value, term)
    return SpfRecord(text, tuple(mechanisms), seen.get("redirect", ""), redirect_last)


def _mechanism(term: str) -> Mechanism:
    found = _MECHANISM.fullmatch(term)
    if found is None:
        raise SpfSyntaxError(f"`{term[:60]}` is no term of SPF")
    result, name, rest = RESULTS[found[1] or "+"], found[2].lower(), found[3]
    if name == "all":
        if rest:
            raise SpfSyntaxError(f"`{term[:60]}`: nothing may follow `all`")
        return Mechanism(result, name, term)
    if name in ("ip4", "ip6"):
        return Mechanism(result, name, term, network=_network(name, rest, term))
    if name in _WITH_SIZES:
        domain, sizes = _sized(rest, term)
    elif name in _WITH_DOMAIN or name == "ptr":
        domain, sizes = rest, (32, 128)
        if name in _WITH_DOMAIN and not rest:
            raise SpfSyntaxError(f"`{term[:60]}` names no domain; write {name}:DOMAIN")
    else:
        raise SpfSyntaxError(f"`{term[:60]}` is no mechanism of SPF (all, include, a, mx, ptr, ip4, ip6, exists)")
    if domain:
        if not domain.startswith(":"):
            raise SpfSyntaxError(f"`{term[:60]}` is no mechanism of SPF (all, include, a, mx, ptr, ip4, ip6, exists)")
        domain = domain[1:]
        _check_domain(domain, term)
    return Mechanism(result, name, term, domain, sizes)


def _sized(rest: str, term: str) -> tuple[str, tuple[int, int]]:
    """Return the domain of ``a`` or ``mx``, with its colon, and the prefix lengths behind it."""
    found = _SIZES.fullmatch(rest)
    assert found is not None, "the pattern takes any text"
    sizes = [_size(text.strip("/"), most, term) if text else most for text, most in ((found[2], 32), (found[3], 128))]
    return found[1], (sizes[0], sizes[1])


def _size(digits: str, most: int, term: str) -> int:
    if re.fullmatch(r"0|[1-9][0-9]{0,2}", digits, re.ASCII) is None or int(digits) > most:
        raise SpfSyntaxError(f"`{term[:60]}`: /{digits[:10]} is no prefix length from 0 to {most}")
    return int(digits)


def _network(name: str, rest: str, term: str) -> Network:
    address, slash, size = rest.removeprefix(":").partition("/")
    parse, kind, most = (ipaddress.IPv4Address, "IPv4", 32) if name == "ip4" else (ipaddress.IPv6Address, "IPv6", 128)
    try:
        ip = parse("" if "%" in address or not rest.startswith(":") else address)
    except ValueError:
        raise SpfSyntaxError(f"`{term[:60]}` is no {kind} address or network") from None
    return ipaddress.ip_network((ip, _size(size, most, term) if slash else most), strict=False)


def _check(value: str, term: str) -> None:
    wrong = check_macros(value)
    if wrong:
        raise SpfSyntaxError(f"`{term[:60]}`: {wrong}")


def _check_domain(value: str, term: str) -> None:
    """A domain-spec ends in a top label or a macro (RFC 7208 12)."""
    _check(value, term)
    if ends_in_macro(value):
        return
    head, dot, last = value.removesuffix(".").rpartition(".")
    if not head or not dot or _TOP_LABEL.fullmatch(last) is None:
        raise SpfSyntaxError(f"`{term[:60]}`: {value[:60] or 'nothing'} is no domain name")
