"""What `bulkmail doctor` finds out from the network: resolver, names, port 25, published keys."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from bulkmail.commands.checks import Check, of_findings
from bulkmail.commands.inbound_checks import inbound_checks
from bulkmail.commands.sender import is_private
from bulkmail.content import record_name
from bulkmail.mail import OwnFault
from bulkmail.net import UnreachableError, greeting, source_address
from bulkmail.preflight import address_findings, hostname_findings, is_qualified, key_findings, keys_of, not_qualified
from bulkmail.routing import Lookup
from bulkmail.settings import Settings

WELL_KNOWN = ("gmail.com", "outlook.com", "gmx.net")
"""Domains whose mail servers are connected to."""
_SLOW = 1.0  # seconds that a resolver may take for a name that it has in its cache
_WITHIN = 10.0  # seconds to connect and be greeted


async def network_checks(
    settings: Settings, hostname: str, addresses: Sequence[str], servers: list[str] | None, lookup: Lookup
) -> list[Check]:
    """Make them all. ``servers``: HOST or HOST:PORT to connect to, none: the well-known ones, None: connect to none."""
    resolver = await _resolver(settings, lookup)
    if resolver.result == "error":
        return [resolver, Check("names", "unknown", "names, addresses, keys and port 25 were not looked at")]
    made = [resolver]
    try:
        made += await _names(settings, hostname, addresses, lookup)
        for key in keys_of(settings):
            findings, _ = await key_findings(key, lookup.ask)
            made += of_findings("dkim", record_name(key.domain, key.selector), findings, "has the key")
        if servers is not None:
            made.append(await _port(settings, servers, lookup))
        made += await inbound_checks(settings, hostname, lookup, connect=servers is not None)
    except OwnFault as fault:
        made.append(Check("resolver", "error", str(fault), "name one that always answers (dns.nameservers)"))
    if not settings.dkim and settings.relay is None:
        remedy = "`bulkmail dkim new DOMAIN s1` makes a key and says what to publish"
        made.append(Check("dkim", "warning", "the settings have no key, so mail goes out unsigned", remedy))
    return made


async def _resolver(settings: Settings, lookup: Lookup) -> Check:
    servers = ", ".join(settings.dns.nameservers) if settings.dns.nameservers else "the system's name servers"
    try:
        began = time.monotonic()
        await lookup.check()
        took = time.monotonic() - began
        await lookup.verify_resolver()
    except OwnFault as fault:
        return Check("resolver", "error", str(fault), "name one that answers (dns.nameservers, or /etc/resolv.conf)")
    words = f"answers in {took * 1000:.0f} ms ({servers})"
    if took > _SLOW:
        return Check("resolver", "warning", words, "run a caching resolver on this machine (unbound, for example)")
    return Check("resolver", "ok", words)


async def _names(settings: Settings, hostname: str, addresses: Sequence[str], lookup: Lookup) -> list[Check]:
    if settings.relay is not None:
        return [Check("hostname", "ok", f"{hostname}; receivers see the names of the relay, {settings.relay.host}")]
    if not is_qualified(hostname):
        remedy = "write `hostname:` and a name that leads to this machine into the settings"
        made = [Check("hostname", "error", not_qualified(hostname), remedy)]
    else:
        findings = await hostname_findings(hostname, tuple(addresses), lookup.ask)
        made = of_findings("hostname", hostname, findings, "leads to the sending address" if addresses else "exists")
    for ip in addresses:
        findings = await address_findings(ip, hostname, lookup.ask)
        made += of_findings("address", ip, findings, "its PTR record is the host name, and leads back")
    if not addresses:
        own = source_address()
        words = f"this machine sends from {own}, which receivers do not see" if own else "there is no default route"
        if not own or is_private(own):
            made.append(Check("address", "unknown", words, "give the address that they see with --address"))
    return made


async def _port(settings: Settings, servers: list[str], lookup: Lookup) -> Check:
    """Whether mail servers can be reached: one that can is enough."""
    relay = settings.relay
    silent = relay is not None and relay.tls == "implicit"
    if relay is not None:
        name, port, hosts = "relay", relay.port, servers or [f"{relay.host}:{relay.port}"]
    else:
        name, port, hosts = f"port {settings.smtp.port}", settings.smtp.port, servers or await _well_known(lookup)
    tried = await asyncio.gather(*(_try(host, port, lookup, silent=silent) for host in hosts))
    good = [words for reached, words in tried if reached]
    if good:
        return Check(name, "ok", good[0])
    words = "; ".join(words for _, words in tried)
    if not tried:
        return Check(name, "unknown", f"no mail server of {', '.join(WELL_KNOWN)} was found in the DNS")
    remedy = f"see to {relay.host}" if relay is not None else "have the provider or firewall open it, or use a relay"
    return Check(name, "error", f"no mail server can be reached: {words}", remedy)


async def _well_known(lookup: Lookup) -> list[str]:
    """Return the best MX host of each well-known domain."""
    hosts = []
    for domain in WELL_KNOWN:
        answer = await lookup.ask(domain, "MX")
        hosts += [host for _, host in sorted(answer.records)[:1] if host != "."]
    return hosts


async def _try(server: str, port: int, lookup: Lookup, *, silent: bool) -> tuple[bool, str]:
    """Whether a server could be reached, and how that went. ``server``: a host or address, perhaps with its port."""
    host, colon, given = server.rpartition(":")
    if colon and given.isdigit() and ":" not in host:
        port = int(given)
    else:
        host = server
    host = host.strip("[]")
    numeric = host.replace(".", "").isdigit() or ":" in host
    ips = [host] if numeric else list((await lookup.ask(host, "A")).records)
    if not ips:
        return False, f"{host} has no IPv4 address"
    try:
        said = await greeting(ips[0], port, _WITHIN, silent=silent)
    except UnreachableError as error:
        return False, f"{host} ({ips[0]} port {port}): {error}"
    return True, f"{host} ({ips[0]} port {port}) answers" + (f": {said[:80]}" if said else "")
