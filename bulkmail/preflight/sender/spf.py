"""Whether a domain's SPF record lets an address send for it (RFC 7208), found out as a receiver would.

Evaluated by the RFC's own limits: ten terms that ask the DNS, two of them in vain, ten MX hosts, ten names of a PTR.
The lookup is an argument; a nameserver's failure is ``temperror``, and never taken for a record that is not there.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from typing import Any

from bulkmail.preflight.sender.lookup import Lookup, found_nothing, is_unknown
from bulkmail.preflight.sender.spf_macros import MacroValues, expand, uses_validated
from bulkmail.preflight.sender.spf_record import Mechanism, SpfRecord, SpfSyntaxError, is_spf, parse_spf

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

TERMS = 10
"""Terms that ask the DNS, in a record and all it includes (RFC 7208 4.6.4)."""
VOIDS = 2
"""Lookups that find nothing, of these (RFC 7208 4.6.4)."""
_HOSTS = 10  # of an MX, or names of a PTR
_DOMAIN = re.compile(r"(?=.{1,253}\Z)(?:[^.]{1,63}\.)+[^.]{1,63}")


@dataclass(frozen=True)
class SpfResult:
    """``result``: none, neutral, pass, fail, softfail, temperror or permerror (RFC 7208 2.6), and ``why``, a clause.

    ``record``: that of the domain itself; None where there is none, or more than one. ``terms``: how many asked the
    DNS until the result was known.
    """

    result: str
    why: str
    record: SpfRecord | None = None
    terms: int = 0


class _PermanentError(Exception):
    """The record is wrong, or costs more than the limits allow."""


class _TemporaryError(Exception):
    """The DNS did not answer."""


@dataclass
class _Evaluation:
    """One check_host() with all its includes. ``ip``: the address that sends."""

    ip: Address
    local: str
    sender_domain: str
    helo: str
    lookup: Lookup
    terms: int = 0
    voids: int = 0
    records: dict[str, SpfRecord] = field(default_factory=dict)

    async def check(self, domain: str) -> tuple[str, str]:
        """RFC 7208 4: (result, why) of the record of ``domain``."""
        if _DOMAIN.fullmatch(domain) is None:
            return "none", f"{domain[:80]} is no domain name"
        answer = await self._ask(domain, "TXT", counted=False)
        texts = [text for text in answer if is_spf(text)]
        if not texts:
            return "none", f"{domain} has no SPF record"
        if len(texts) > 1:
            raise _PermanentError(f"{domain} has {len(texts)} SPF records; one is allowed")
        try:
            record = self.records[domain] = parse_spf(texts[0])
        except SpfSyntaxError as error:
            raise _PermanentError(f"the record of {domain} is wrong: {error}") from None
        for mechanism in record.mechanisms:
            if await self._matches(mechanism, domain):
                return mechanism.result, f"`{mechanism.text}` in the record of {domain} says so"
        if record.redirect:
            self._count(f"redirect={record.redirect}")
            target = await self._expanded(record.redirect, domain)
            result, why = await self.check(target)
            if result == "none":
                raise _PermanentError(f"redirect={record.redirect} of {domain} leads to no SPF record")
            return result, why
        return "neutral", f"no term of the record of {domain} matches"

    async def _matches(self, mechanism: Mechanism, domain: str) -> bool:
        name = mechanism.name
        if name == "all":
            return True
        if name in ("ip4", "ip6"):
            assert mechanism.network is not None
            return self.ip in mechanism.network
        self._count(mechanism.text)
        target = await self._expanded(mechanism.domain, domain) if mechanism.domain else domain
        if name == "include":
            return await self._includes(target)
        if name == "a":
            return self._among(await self._addresses(target), mechanism)
        if name == "exists":
            return bool(await self._ask(target, "A"))
        if name == "ptr":
            wanted = target.lower()
            return any(_beneath(host, wanted) for host in await self._validated(domain))
        hosts = [host for _, host in await self._ask(target, "MX") if host != "."]
        if len(hosts) > _HOSTS:
            raise _PermanentError(f"`{mechanism.text}`: {target} has more than {_HOSTS} MX hosts")
        for host in hosts:
            if self._among(await self._addresses(host), mechanism):
                return True
        return False

    async def _includes(self, target: str) -> bool:
        result, why = await self.check(target)
        if result == "none":
            raise _PermanentError(f"include:{target} leads to no SPF record ({why})")
        return result == "pass"

    async def _addresses(self, host: str) -> tuple[Any, ...]:
        return await self._ask(host, "A" if self.ip.version == 4 else "AAAA")

    def _among(self, addresses: tuple[Any, ...], mechanism: Mechanism) -> bool:
        size = mechanism.sizes[0 if self.ip.version == 4 else 1]
        return any(self.ip in ipaddress.ip_network((address, size), strict=False) for address in addresses)

    async def _validated(self, domain: str) -> list[str]:
        """Return the names of the PTR that lead back to the address (RFC 7208 5.5), those of ``domain`` first."""
        try:
            names = (await self._ask(self.ip.reverse_pointer, "PTR"))[:_HOSTS]
        except _TemporaryError:
            return []
        good = []
        for name in names:
            try:
                if str(self.ip) in [str(ipaddress.ip_address(one)) for one in await self._addresses(name)]:
                    good.append(name)
            except _TemporaryError:
                continue
        return sorted(good, key=lambda name: (name != domain, not _beneath(name, domain)))

    async def _expanded(self, spec: str, domain: str) -> str:
        validated = "unknown"
        if uses_validated(spec):
            validated = next(iter(await self._validated(domain)), "unknown")
        return expand(spec, MacroValues(self.ip, self.local, self.sender_domain, domain, self.helo, validated))

    def _count(self, term: str) -> None:
        self.terms += 1
        if self.terms > TERMS:
            raise _PermanentError(f"with `{term[:60]}` more than {TERMS} terms ask the DNS (RFC 7208 4.6.4)")

    async def _ask(self, name: str, kind: str, *, counted: bool = True) -> tuple[Any, ...]:
        answer = await self.lookup(name, kind)
        if is_unknown(answer):
            raise _TemporaryError(f"the DNS did not answer for {name} {kind}: {answer.text}")
        if found_nothing(answer) and counted:
            self.voids += 1
            if self.voids > VOIDS:
                words = f"with {name} {kind} more than {VOIDS} lookups find nothing (RFC 7208 4.6.4)"
                raise _PermanentError(words)
        return answer.records


def _beneath(name: str, domain: str) -> bool:
    return name == domain or name.endswith(f".{domain}")


async def evaluate_spf(ip: str, sender: str, helo: str, lookup: Lookup) -> SpfResult:
    """Evaluate the record of ``sender``'s domain for a message from ``ip``. Raises OwnFault with no DNS at all.

    ``sender``: the envelope's, or a bare domain for the HELO identity (RFC 7208 2.3, 2.4). ``helo``: a host name.
    """
    address = ipaddress.ip_address(ip)
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    local, _, domain = sender.rpartition("@")
    domain = domain.lower().removesuffix(".")
    evaluation = _Evaluation(address, local or "postmaster", domain, helo, lookup)
    try:
        result, why = await evaluation.check(domain)
    except _PermanentError as error:
        result, why = "permerror", str(error)
    except _TemporaryError as error:
        result, why = "temperror", str(error)
    return SpfResult(result, why, evaluation.records.get(domain), evaluation.terms)
