"""The names of the sending addresses: PTR, its way back, and the EHLO name (RFC 1912 2.1, RFC 5321 4.1.1.1)."""

from __future__ import annotations

import ipaddress
import re

from bulkmail.preflight.findings import Finding, Severity
from bulkmail.preflight.sender.lookup import Lookup, is_unknown
from bulkmail.preflight.sender.receivers import Demand, asking

_NAMES = 5  # of one PTR that are looked at
_LOCAL = (".localdomain", ".local", ".localhost", ".internal", ".lan", ".home", ".home.arpa", ".invalid")
_GENERATED = re.compile(
    r"(?:^|[.-])(?:dyn|dynamic|dhcp|a?dsl|vdsl|pppo?e?|cable|pool|dialup|broadband|cust|customer)[0-9]*(?:[.-]|$)"
)


def is_qualified(hostname: str) -> bool:
    """Return whether a host name can be one that the public DNS knows."""
    return "." in hostname and not hostname.lower().endswith(_LOCAL)


def not_qualified(hostname: str) -> str:
    """Say what is wrong with a host name for which `is_qualified` does not hold."""
    return f"the host name {hostname} is not a full one of the public DNS, and many receivers refuse its EHLO"


def looks_generated(name: str, ip: str) -> bool:
    """Return whether a PTR's name is one that a provider gives to all its addresses: it says so, or has them in it."""
    address = ipaddress.ip_address(ip)
    if address.version == 4:
        numbers = re.findall(r"[0-9]+", name)
        octets = ip.split(".")
        if all(octet in [number.lstrip("0") or "0" for number in numbers] for octet in octets) and len(numbers) >= 4:
            return True
    elif address.exploded.replace(":", "")[-8:] in name.replace("-", "").replace(".", ""):
        return True
    return _GENERATED.search(name.lower()) is not None


async def address_findings(ip: str, hostname: str, lookup: Lookup) -> list[Finding]:
    """Check one sending address, IPv4 or IPv6. ``hostname``: the EHLO name. Raises OwnFault with no DNS at all."""
    pointer = ipaddress.ip_address(ip).reverse_pointer
    answer = await lookup(pointer, "PTR")
    if is_unknown(answer):
        words = f"its PTR record is not known: {answer.text}"
        return [Finding(Severity.WARNING, "ptr-unknown", ip, words, "check again later")]
    remedy = f"ask whoever gave you the address to publish {pointer}. IN PTR {hostname}."
    if not answer.records:
        words = f"it has no PTR record; {asking(Demand.POINTER)}"
        return [Finding(Severity.ERROR, "ptr-missing", ip, words, remedy)]
    names = list(answer.records[:_NAMES])
    confirmed = [name for name in names if await _leads_to(name, ip, lookup)]
    if not confirmed:
        words = f"its PTR record names {', '.join(names)}, which does not lead back to it; {asking(Demand.POINTER)}"
        kind = "AAAA" if ":" in ip else "A"
        remedy = f"publish {names[0]}. IN {kind} {ip}, or {remedy}"
        return [Finding(Severity.ERROR, "ptr-not-confirmed", ip, words, remedy)]
    findings = []
    if hostname not in confirmed:
        words = f"its PTR record names {', '.join(confirmed)}, and EHLO says {hostname}"
        findings.append(
            Finding(
                Severity.WARNING,
                "ptr-not-ehlo",
                ip,
                words,
                f"write hostname: {confirmed[0]} in the settings, or {remedy}",
            )
        )
    if all(looks_generated(name, ip) for name in confirmed):
        words = f"its PTR record names {confirmed[0]}, which looks like a provider's own; {asking(Demand.OWN_POINTER)}"
        findings.append(Finding(Severity.WARNING, "ptr-generic", ip, words, remedy))
    return findings


async def hostname_findings(hostname: str, addresses: tuple[str, ...], lookup: Lookup) -> list[Finding]:
    """Check that the EHLO name leads to the sending addresses; nothing of one that the public DNS cannot know.

    Raises OwnFault with no DNS at all.
    """
    if not is_qualified(hostname):
        return []
    found: list[str] = []
    for kind in ("A", "AAAA"):
        answer = await lookup(hostname, kind)
        if is_unknown(answer):
            words = f"the address of the EHLO name is not known: {answer.text}"
            return [Finding(Severity.WARNING, "hostname-unknown", hostname, words, "check again later")]
        found += answer.records
    first = addresses[0] if addresses else "the sending address"
    remedy = f"publish {hostname}. IN {'AAAA' if ':' in first else 'A'} {first}"
    if not found:
        words = "the EHLO name has no address, and many receivers refuse such an EHLO"
        return [Finding(Severity.WARNING, "hostname-missing", hostname, words, remedy)]
    missing = [ip for ip in addresses if not _among(ip, found)]
    if not missing:
        return []
    words = f"the EHLO name leads to {', '.join(found[:3])}, not to the sending address {missing[0]}"
    return [Finding(Severity.WARNING, "hostname-elsewhere", hostname, words, remedy)]


async def _leads_to(name: str, ip: str, lookup: Lookup) -> bool:
    answer = await lookup(name, "AAAA" if ":" in ip else "A")
    return _among(ip, answer.records)


def _among(ip: str, addresses: list[str] | tuple[str, ...]) -> bool:
    return ipaddress.ip_address(ip) in [ipaddress.ip_address(address) for address in addresses]
