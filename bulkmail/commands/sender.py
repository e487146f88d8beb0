"""The sender's DNS for commands: which addresses are meant, and the findings about a campaign's sender."""

from __future__ import annotations

import argparse
import asyncio
import ipaddress
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from bulkmail.campaign import Campaign
from bulkmail.machine import own_name
from bulkmail.net import Families, source_address
from bulkmail.preflight import Finding, Sender, Severity, check_sender, offline_findings, sender_of
from bulkmail.routing import Lookup, parse_nameserver, system_nameservers
from bulkmail.settings import Settings

_Given = TypeVar("_Given")
_WITHIN = 60.0  # seconds for all lookups about one sender
_UNSEEN = tuple(
    map(ipaddress.ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "127.0.0.0/8"))
) + tuple(map(ipaddress.ip_network, ("169.254.0.0/16", "fc00::/7", "fe80::/10", "::1/128")))


def add_addresses(parser: argparse.ArgumentParser) -> None:
    """Add ``--address`` to a command, which may be given several times."""
    parser.add_argument(
        "--address",
        action="append",
        default=[],
        type=_ip,
        metavar="IP",
        help="an address that receivers see mail come from, for SPF and PTR (default: that of the default route)",
    )


def _ip(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not an IP address") from None


def public_addresses(settings: Settings, given: Sequence[str], pool: str | None = None) -> list[str]:
    """Return the addresses that receivers see: those given, else the sources of the pool, all of them without one.

    Where no sources are set: those of the default routes. Private ones are left out.

    The preferred IP version comes first. None with a relay, whose addresses receivers see.
    """
    if given:
        return list(dict.fromkeys(given))
    if settings.relay is not None:
        return []
    if settings.sources:
        return [one.address for one in settings.sources_of(pool) if not is_private(one.address)]
    families = Families(settings.routing.ip, (), time.monotonic, source_address=source_address)
    versions = sorted(families.usable(), key=lambda version: version != families.preferred)
    own = [families.public_source(version) for version in versions]
    return [ip for ip in own if ip and not is_private(ip)]


def is_private(ip: str) -> bool:
    """Return whether receivers cannot see an address: it is translated on the way (RFC 1918, RFC 6598, RFC 4193)."""
    return any(ipaddress.ip_address(ip) in network for network in _UNSEEN)


def facts_of(campaign: Campaign, settings: Settings, given: Sequence[str] = ()) -> Sender:
    """Return the facts of a checked campaign's sender. ``given``: the addresses of ``--address``."""
    addresses = public_addresses(settings, given, campaign.sources)
    return sender_of(campaign, settings, settings.hostname or own_name(), addresses)


def sender_findings(sender: Sender, settings: Settings) -> list[Finding]:
    """Check the sender, also in the DNS, within a minute."""

    async def work(lookup: Lookup) -> list[Finding]:
        try:
            async with asyncio.timeout(_WITHIN):
                return await check_sender(sender, lookup.ask)
        except TimeoutError:
            return _late(sender)

    return with_lookup(settings, work)


def _late(sender: Sender) -> list[Finding]:
    words = f"the sender's records were not checked: the DNS is too slow ({_WITHIN:g} s are over)"
    late = Finding(Severity.WARNING, "dns-no-answer", "DNS", words, "check again later")
    return [*offline_findings(sender), late]


def with_lookup(settings: Settings, work: Callable[[Lookup], Awaitable[_Given]]) -> _Given:
    """Run ``work`` with a lookup at the settings' nameservers, in an event loop of its own. Raises OwnFault."""
    given = settings.dns.nameservers
    servers = system_nameservers() if given is None else [parse_nameserver(text) for text in given]

    async def run() -> _Given:
        clock = asyncio.get_running_loop().time
        return await work(
            Lookup(servers, clock=clock, timeout=settings.dns.timeout, must_exist=settings.dns.must_exist)
        )

    return asyncio.run(run())
