"""Addresses that an MX record may name and that are never connected to: our machine, our networks, reserved ranges.

A hostile domain can point its MX at 127.0.0.1 or at a database in our network. So an address is checked twice: when it
comes out of the DNS, and right before a connection is made.

The ranges are those of IANA's registries of special-purpose addresses (RFC 6890), and, of IPv6, all that is not given
out for use in the Internet: that is 2000::/3 only (RFC 4291 2.4), and the prefix of translators, 64:ff9b::/96, which
counts as the IPv4 address within (RFC 6052).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Network = IPv4Network | IPv6Network

# The first match gives the reason. IPv4's documentation prefixes such as 192.0.2.0/24 are not routed and do no harm;
# those of IPv6 are, in many a laboratory.
_FORBIDDEN: tuple[tuple[Network, str], ...] = tuple(
    (ip_network(network), reason)
    for network, reason in (
        ("0.0.0.0/8", "an unspecified address"),
        ("10.0.0.0/8", "a private address"),
        ("100.64.0.0/10", "a shared (carrier NAT) address"),  # RFC 6598
        ("127.0.0.0/8", "a loopback address"),
        ("169.254.0.0/16", "a link-local address"),
        ("172.16.0.0/12", "a private address"),
        ("192.0.0.0/24", "an address of an inner protocol"),  # RFC 6890
        ("192.88.99.0/24", "a reserved address"),  # RFC 7526
        ("192.168.0.0/16", "a private address"),
        ("198.18.0.0/15", "an address for benchmarks, used in inner networks"),  # RFC 2544
        ("224.0.0.0/4", "a multicast address"),
        ("240.0.0.0/4", "a reserved address"),
        ("::/128", "an unspecified address"),
        ("::1/128", "a loopback address"),
        ("::/96", "an IPv4 address in IPv6 clothes"),
        ("::ffff:0:0/96", "an IPv4 address in IPv6 clothes"),
        ("::ffff:0:0:0/96", "an IPv4 address in IPv6 clothes"),  # RFC 2765
        ("64:ff9b:1::/48", "an address of a local translator"),  # RFC 8215
        ("100::/64", "a discard address"),  # RFC 6666
        ("100:0:0:1::/64", "a dummy address"),  # RFC 9780
        ("2001::/32", "a Teredo address"),  # RFC 4380
        ("2001::/23", "an address of an inner protocol"),  # RFC 2928
        ("2001:db8::/32", "an address for documentation"),  # RFC 3849
        ("2002::/16", "a 6to4 address"),  # RFC 7526: its relays are gone
        ("2620:4f:8000::/48", "an address of an inner protocol"),  # RFC 7534
        ("3fff::/20", "an address for documentation"),  # RFC 9637
        ("5f00::/16", "an address of an inner protocol"),  # RFC 9602
        ("fc00::/7", "a private address"),
        ("fe80::/10", "a link-local address"),
        ("fec0::/10", "a private address"),
        ("ff00::/8", "a multicast address"),
    )
)
_NAT64 = ip_network("64:ff9b::/96")  # RFC 6052
_IN_USE = ip_network("2000::/3")


@lru_cache(maxsize=256)
def _network(text: str) -> Network:
    return ip_network(text, strict=False)


def networks(texts: Iterable[str | Network]) -> tuple[Network, ...]:
    """Networks in CIDR notation, parsed. Raises ValueError."""
    return tuple(_network(text) if isinstance(text, str) else text for text in texts)


def _inner(address: IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address that an IPv6 address leads to: v4-mapped, 6to4, NAT64."""
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour


def forbidden_address(
    ip: str, allow_networks: Sequence[str | Network] = (), own: Callable[[str], bool] | None = None
) -> str | None:
    """Return why this address is not to be connected to ("a loopback address"), or None where it may be.

    ``allow_networks``: networks that may be connected to all the same, in CIDR notation or parsed. ``own``: whether an
    address is this machine's; such are forbidden too, because a relay here may trust mail that comes from them.
    """
    refusal, ways = _judged(ip, networks(allow_networks))
    if refusal is None and own is not None and any(map(own, ways)):
        return "an address of this machine"
    return refusal


@lru_cache(maxsize=8192)  # asked for each connection, and the ranges say the same each time
def _judged(ip: str, allowed: tuple[Network, ...]) -> tuple[str | None, tuple[str, ...]]:
    """Return why the address is forbidden to every machine, else the addresses it leads to that must not be our own."""
    try:
        address = ip_address(ip)
    except ValueError:
        return "not an IP address", ()
    ways = [address]
    inner = _inner(address) if isinstance(address, IPv6Address) else None
    if inner is not None:
        ways.append(inner)
    if any(way in network for network in allowed for way in ways):
        return None, ()
    for way in reversed(ways):  # the inner one first: it names what is wrong better
        for network, reason in _FORBIDDEN:
            if way in network:
                return reason, ()
    if address.version == 6 and address not in _IN_USE and address not in _NAT64:
        return "a reserved address", ()
    return None, tuple(map(str, ways))
