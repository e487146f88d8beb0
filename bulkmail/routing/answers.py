"""What one DNS response says: data, a proven "no", or nothing either way.

NOERROR without data is three things (RFC 2308 2.2). With the SOA of a zone that the name is in, it is NODATA: there is
no such record. With name servers and no such SOA it is a referral, as from a server that does no recursion or does not
serve the zone: it says nothing. With neither it is bare: forwarders that leave the SOA out (dnsmasq, systemd-resolved)
mean NODATA by it, and broken servers nothing at all.
"""

from __future__ import annotations

from sys import intern
from typing import Any, Literal, NamedTuple

import dns.edns
import dns.exception
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype

_EXPLAINED = 3  # extended errors that are told of one response
_LONGEST = 200  # characters of a resolver's own words
_WITH_TARGET = frozenset({dns.rdatatype.NS, dns.rdatatype.PTR})


class Said(NamedTuple):
    """What a NOERROR or NXDOMAIN response says.

    ``kind``: ``data``; ``alias`` (aliases lead to ``name``, and of that it says nothing); ``empty`` (NODATA);
    ``missing`` (NXDOMAIN); ``referral`` and ``bare`` (nothing either way). ``name``: the name at the end of the
    aliases. ``aliased``: whether there are any. ``ttl``: seconds. ``records``: MX: (preference, host); TXT: the text;
    A and AAAA: the address; NS and PTR: the name.
    """

    kind: Literal["data", "alias", "empty", "missing", "referral", "bare"]
    name: dns.name.Name
    aliased: bool
    ttl: int
    records: tuple[Any, ...] = ()


def name_text(name: dns.name.Name) -> str:
    """Return a name in lower case, without the dot at its end."""
    return name.to_text(omit_final_dot=True).lower()


def _record(record: Any) -> Any:
    if record.rdtype == dns.rdatatype.MX:
        return (record.preference, intern(name_text(record.exchange)))  # one for all the domains it takes mail for
    if record.rdtype == dns.rdatatype.TXT:
        return b"".join(record.strings).decode("utf-8", "replace")
    return name_text(record.target) if record.rdtype in _WITH_TARGET else record.address


def read(response: dns.message.QueryMessage) -> Said:
    """Return what a response with NOERROR or NXDOMAIN says. Raises dns.exception.DNSException for nonsense."""
    chain = response.resolve_chaining()
    name, aliased, ttl = chain.canonical_name, bool(chain.cnames), chain.minimum_ttl
    if chain.answer is not None:
        return Said("data", name, aliased, ttl, tuple(_record(record) for record in chain.answer))
    kind: Literal["alias", "empty", "missing", "referral", "bare"] = "bare"
    zones = {rrset.name for rrset in response.authority if rrset.rdtype == dns.rdatatype.SOA}
    if response.rcode() == dns.rcode.NXDOMAIN:
        kind = "missing"
    elif any(name.is_subdomain(zone) for zone in zones):
        kind = "empty"
    elif aliased:
        kind = "alias"
    elif zones or any(rrset.rdtype == dns.rdatatype.NS for rrset in response.authority):
        kind = "referral"
    return Said(kind, name, aliased, ttl)


def refusal(response: dns.message.Message) -> str:
    """Return the rcode of a response, explained by its extended errors (RFC 8914): SERVFAIL (Signature Expired)."""
    words = "; ".join(map(_explained, response.extended_errors()[:_EXPLAINED]))
    return dns.rcode.to_text(response.rcode()) + (f" ({words})" if words else "")


def _explained(error: dns.edns.EDEOption) -> str:
    _, _, name = error.to_text().partition(":")[0].partition(" (")
    told = "".join(char if char.isprintable() else " " for char in error.text or "")
    text = " ".join(told.split())[:_LONGEST]
    return (name.removesuffix(")") or f"extended error {int(error.code)}") + (f": {text}" if text else "")
