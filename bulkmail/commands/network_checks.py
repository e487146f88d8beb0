"""What `bulkmail doctor` finds out from the network: resolver, names, port 25, published keys."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from ipaddress import ip_address

from bulkmail.commands.checks import Check, Result, of_findings
from bulkmail.commands.inbound_checks import inbound_checks
from bulkmail.commands.sender import is_private
from bulkmail.content import record_name
from bulkmail.mail import OwnFault
from bulkmail.net import Families, Proxy, UnreachableError, greeting, source_address
from bulkmail.preflight import (
    address_findings,
    by_name,
    families_of,
    hostname_findings,
    is_qualified,
    key_findings,
    keys_of,
    names_of,
    not_qualified,
)
from bulkmail.routing import Lookup
from bulkmail.settings import Settings, Source

WELL_KNOWN = ("gmail.com", "outlook.com", "gmx.net")
"""Domains whose mail servers are connected to."""
_SLOW = 1.0  # seconds that a resolver may take for a name that it has in its cache
_WITHIN = 10.0  # seconds to connect and be greeted
_WITHIN_ALL = 60.0  # seconds for all sources
_AT_ONCE = 10  # sources that are tried
_OPEN_IT = "have the provider or firewall open it for this address, or take the source out"
_SEE_TO_PROXY = "see to the proxy, or take the source out"


async def network_checks(
    settings: Settings,
    hostname: str,
    addresses: Sequence[str],
    servers: list[str] | None,
    lookup: Lookup,
    families: Families | None = None,
) -> list[Check]:
    """Make all checks that need the network.

    ``servers``: HOST or HOST:PORT to connect to; [] for those of `WELL_KNOWN`, None to connect to none. ``families``:
    the IP versions that mail is sent over; None for those that the settings and this machine's routes give.
    """
    families = families or families_of(settings, time.monotonic)
    resolver = await _resolver(settings, lookup)
    if resolver.result == "error":
        return [resolver, Check("names", "unknown", "names, addresses, keys and port 25 were not looked at")]
    made = [resolver]
    try:
        made += await _names(settings, hostname, addresses, lookup)
        for key in keys_of(settings):
            findings, _ = await key_findings(key, lookup.ask)
            made += of_findings("dkim", record_name(key.domain, key.selector), findings, "has the key")
        if settings.relay is None:
            made.append(_versions(families))
        if servers is not None:
            made += await _ports(settings, servers, lookup)
            if settings.relay is None and not settings.sources and families.is_routed(6) and 6 in families.usable():
                made += await _port_over_six(settings, servers, lookup, only=families.mode == "v6")
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
    made: list[Check] = []
    for name, those in by_name(hostname, addresses, names_of(settings)).items():
        if not is_qualified(name):
            remedy = "write `hostname:` and a name that leads to this machine into the settings"
            made.append(Check("hostname", "error", not_qualified(name), remedy))
        else:
            findings = await hostname_findings(name, those, lookup.ask)
            made += of_findings("hostname", name, findings, "leads to the sending address" if those else "exists")
        for ip in those:
            findings = await address_findings(ip, name, lookup.ask)
            made += of_findings("address", ip, findings, "its PTR record is the host name, and leads back")
    if not addresses:
        own = source_address()
        words = f"this machine sends from {own}, which receivers do not see" if own else "there is no default route"
        if not own or is_private(own):
            made.append(Check("address", "unknown", words, "give the address that they see with --address"))
    return made


def _versions(families: Families) -> Check:
    try:
        families.check()
    except OwnFault as fault:
        return Check("ip", "error", str(fault))
    return Check("ip", "ok", f"mail is sent over {families.describe()}")


async def _port_over_six(settings: Settings, servers: list[str], lookup: Lookup, *, only: bool) -> list[Check]:
    """Return whether mail servers can be reached over IPv6; nothing where none of them has an address for it."""
    port, tried = settings.smtp.port, []
    for host in servers or await _well_known(lookup):
        name, to, ips = await _place(host, port, lookup, "AAAA")
        if ips and ":" in ips[0]:
            tried.append(await _greeted(name, ips[0], to, silent=False))
    good = [words for reached, words in tried if reached]
    if good:
        return [Check(f"port {port}/6", "ok", good[0])]
    remedy = "have the provider or firewall open it, or write `routing: {ip: v4}`"
    words = f"no mail server can be reached over IPv6: {'; '.join(words for _, words in tried)}"
    return [Check(f"port {port}/6", "error" if only else "warning", words, remedy)] if tried else []


async def _ports(settings: Settings, servers: list[str], lookup: Lookup) -> list[Check]:
    """Return whether mail servers can be reached: from each source, where mail is sent from sources."""
    if settings.relay is not None or not settings.sources:
        return [await _port(settings, servers, lookup)]
    port, hosts = settings.smtp.port, servers or await _well_known(lookup)
    places = {
        version: [await _place(host, port, lookup, kind) for host in hosts] for version, kind in ((4, "A"), (6, "AAAA"))
    }
    free = asyncio.Semaphore(_AT_ONCE)
    asked = [asyncio.ensure_future(_out_of(source, places, free)) for source in settings.sources]
    _, late = await asyncio.wait(asked, timeout=_WITHIN_ALL)
    for one in late:
        one.cancel()
    await asyncio.gather(*late, return_exceptions=True)
    made = []
    for source, answer in zip(settings.sources, asked, strict=True):
        if answer not in late:
            result, words = answer.result()
        else:
            result, words = "unknown", f"it was not its turn, or it had no answer, within {_WITHIN_ALL:g} s"
        through = f" through {source.proxy}" if source.proxy else ""
        remedy = "" if result != "error" else _SEE_TO_PROXY if source.proxy else _OPEN_IT
        made.append(Check(f"port {port}", result, f"source {source.name} ({source.address}{through}): {words}", remedy))
    return made


async def _out_of(
    source: Source, places: Mapping[int, list[tuple[str, int, list[str]]]], free: asyncio.Semaphore
) -> tuple[Result, str]:
    """Return whether a mail server can be reached from a source, one after the other until one can, and how it went."""
    version, tried = ip_address(source.address).version, []
    proxy = None if source.proxy is None else Proxy.of(source.proxy)
    async with free:
        for host, port, ips in places[version]:
            fitting = [ip for ip in ips if ip_address(ip).version == version]
            if fitting:
                reached, words = await _greeted(host, fitting[0], port, source_ip=source.address, proxy=proxy)
                if reached:
                    return "ok", words
                tried.append(words)
    if not tried:
        return "unknown", f"no mail server was found that has an IPv{version} address"
    return "error", f"no mail server can be reached: {'; '.join(tried)}"


async def _port(settings: Settings, servers: list[str], lookup: Lookup) -> Check:
    """Return whether mail servers can be reached: one that can is enough."""
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
    """Return whether a server could be reached, and how that went. ``server``: a host or address, also with a port."""
    host, port, ips = await _place(server, port, lookup, "A")
    if not ips:
        return False, f"{host} has no IPv4 address"
    return await _greeted(host, ips[0], port, silent=silent)


async def _place(server: str, port: int, lookup: Lookup, kind: str) -> tuple[str, int, list[str]]:
    """Return the host, the port and the addresses of a server. ``kind``: A or AAAA."""
    host, colon, given = server.rpartition(":")
    if colon and given.isdigit() and (":" not in host or host.endswith("]")):
        port = int(given)
    else:
        host = server
    host = host.strip("[]")
    numeric = host.replace(".", "").isdigit() or ":" in host
    return host, port, [host] if numeric else list((await lookup.ask(host, kind)).records)


async def _greeted(
    host: str, ip: str, port: int, *, silent: bool = False, source_ip: str = "", proxy: Proxy | None = None
) -> tuple[bool, str]:
    try:
        said = await greeting(ip, port, _WITHIN, silent=silent, source_ip=source_ip, proxy=proxy)
    except UnreachableError as error:
        return False, f"{host} ({ip} port {port}): {error}"
    return True, f"{host} ({ip} port {port}) answers" + (f": {said[:80]}" if said else "")
