"""Which of IPv4 and IPv6 mail can be sent over: what the settings ask for, and what this machine has a route for.

A route is found out as the system would find it: a datagram socket is connected, which sends nothing and takes some
microseconds, and its source address is looked at. It is found out again every half minute, for routes come and go.

IPv6 counts where the source is an address that the world can answer to. From a private address (RFC 4193), a
link-local one or one of a transition mechanism, public addresses are not reached, or badly (RFC 6724 2.1 and 5, rules
2 and 5). IPv4 counts with any source, for its private addresses are translated on the way. Networks that the operator
allows are reached from any address.

Where the settings name source addresses, these count instead: they are chosen with care, and may be a proxy's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from ipaddress import ip_address, ip_network

from bulkmail.mail import OwnFault
from bulkmail.net.own import source_address, source_to

_FRESH = 30.0  # seconds
_NOT_PUBLIC = tuple(map(ip_network, ("::/8", "2001::/32", "2002::/16", "fc00::/7", "fe80::/10", "fec0::/10")))


class Families:
    """``mode``: ``v4``, ``v6``, ``prefer-v4`` or ``prefer-v6``; ``networks``: those that the operator allows.

    ``sources``: the addresses that mail is sent from, none where the system chooses.
    ``clock``: monotonic seconds. ``source_to``: see `own.source_to`; ``source_address``: see `own.source_address`.
    """

    def __init__(
        self,
        mode: str,
        networks: Iterable[str],
        clock: Callable[[], float],
        *,
        sources: Iterable[str] = (),
        source_to: Callable[[str], str] = source_to,
        source_address: Callable[[int], str] = source_address,
    ) -> None:
        self.mode = mode
        self.preferred = 6 if mode.endswith("v6") else 4
        self._networks = tuple(map(ip_network, networks))
        self._of_sources = frozenset(6 if ":" in address else 4 for address in sources)
        self._clock = clock
        self._source_to = source_to
        self._source_address = source_address
        self._known: frozenset[int] = frozenset()
        self._until = float("-inf")

    def usable(self) -> frozenset[int]:
        """Return the IP versions, 4 and 6, that mail is sent over now; never none of them.

        One that the settings insist on counts without a route too: its loss is a fault of ours, and nothing to route
        around. Without any route, IPv4 counts for the same reason.
        """
        now = self._clock()
        if now >= self._until:
            self._until = now + _FRESH
            asked = {4, 6} if self.mode.startswith("prefer") else {self.preferred}
            if self._of_sources:
                self._until = float("inf")
                self._known = frozenset(asked & self._of_sources or asked)
                return self._known
            routed = {version for version in asked if len(asked) == 1 or self.is_routed(version)}
            self._known = frozenset(routed or {4})
        return self._known

    def describe(self) -> str:
        """Say in one clause what mail is sent over, and why not over both."""
        usable = self.usable()
        words = " and ".join(f"IPv{version}" for version in sorted(usable, key=lambda one: one != self.preferred))
        if len(usable) == 2:
            return f"{words}, in this order"
        if self.mode in ("v4", "v6"):
            return f"{words} only (routing.ip is {self.mode})"
        if self._of_sources:
            return f"{words} only, as all sources are"
        lacking = "public IPv6 address" if 4 in usable else "route for IPv4"
        return f"{words} only, for this machine has no {lacking}"

    def check(self) -> None:
        """Raise OwnFault where the settings insist on IPv6 and this machine has no route for it."""
        if self.mode == "v6" and not self._of_sources and not self.is_routed(6):
            words = "routing.ip is v6, but this machine has no IPv6 address that receivers could answer to"
            raise OwnFault(f"{words}; give it one, or write prefer-v6 or v4")

    def is_routed(self, version: int) -> bool:
        """Return whether this machine has a route: to the world, or to a network that the operator allows."""
        if self.public_source(version):
            return True
        inside = (network for network in self._networks if network.version == version)
        return any(self._source_to(str(network[0 if network.num_addresses == 1 else 1])) for network in inside)

    def public_source(self, version: int) -> str:
        """Return the address that the world is sent to from, a private one only of IPv4; "" where there is none."""
        source = self._source_address(version)
        if version == 6 and source and any(ip_address(source) in network for network in _NOT_PUBLIC):
            return ""
        return source

    def __repr__(self) -> str:
        return f"<Families {self.mode}: {' and '.join(f'IPv{version}' for version in sorted(self.usable()))}>"
