"""Who asks, and how much each may ask: rates by client and in all, in bounded memory.

Behind a proxy every connection comes from the proxy. The client is then the last address of X-Forwarded-For that is
none of the operator's own: what stands before it was written by the client itself.
"""

from __future__ import annotations

import ipaddress
import math
from collections import OrderedDict
from collections.abc import Iterable

from bulkmail.mail import Rate
from bulkmail.shaping import Meter

WRONG_COSTS = 10
"""So many requests a wrong token counts for its client."""

_MOST_CLIENTS = 10_000
_MOST_FORWARDED = 2_000  # octets
_MOST_HOPS = 20
_NETWORK = 64  # bits of an IPv6 address that one customer has


class Proxies:
    """The networks whose X-Forwarded-For is believed."""

    def __init__(self, networks: Iterable[str]) -> None:
        self._networks = tuple(map(ipaddress.ip_network, networks))

    def trusted(self, peer: str) -> bool:
        """Return whether ``peer`` is a proxy of the operator's; so is ``""``, a peer on a Unix socket."""
        address = _address(peer)
        return not peer or (address is not None and any(address in network for network in self._networks))

    def client(self, peer: str, forwarded: bytes) -> str:
        """Return what counts as one client: an IPv4 address, or a network of IPv6; ``""`` where it is not known.

        ``forwarded``: the values of X-Forwarded-For, joined by commas.
        """
        found = peer
        if self.trusted(peer):
            hops = forwarded[-_MOST_FORWARDED:].decode("ascii", "replace").split(",")[-_MOST_HOPS:]
            for hop in reversed(hops):
                if _address(hop.strip()) is None:
                    break
                found = hop.strip()
                if not self.trusted(found):
                    break
        address = _address(found)
        if isinstance(address, ipaddress.IPv6Address):
            return str(ipaddress.ip_network((address, _NETWORK), strict=False))
        return "" if address is None else str(address)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(text.strip("[]").partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return address if mapped is None else mapped


class Rates:
    """How much is answered: to one client, for wrong tokens in all, and for right ones in all.

    Wrong and right ones are counted apart, so that a flood of wrong ones keeps nobody from unsubscribing. ``now`` is
    any clock that does not run backwards, in seconds.
    """

    def __init__(self, each: Rate, wrong: Rate, right: Rate, now: float) -> None:
        self._each = each
        self._clients: OrderedDict[str, Meter] = OrderedDict()
        self._wrong = Meter(wrong, now)
        self._right = Meter(right, now)

    def __len__(self) -> int:
        return len(self._clients)

    def ask(self, client: str, now: float) -> int:
        """Take a request of this client: 0, or the whole seconds after which it is to ask again."""
        meter = self._clients.get(client)
        if meter is None:
            meter = self._clients[client] = Meter(self._each, now)
            if len(self._clients) > _MOST_CLIENTS:
                self._clients.popitem(last=False)
        self._clients.move_to_end(client)
        return _taken(meter, now)

    def wrong(self, client: str, now: float) -> int:
        """Count a wrong token of this client: 0, or the seconds where there are too many in all."""
        meter = self._clients.get(client)
        for _ in range(WRONG_COSTS - 1 if meter is not None else 0):
            assert meter is not None
            meter.reserve(now)
        return _taken(self._wrong, now)

    def right(self, now: float) -> int:
        """Count a right token: 0, or the seconds where there are too many in all."""
        return _taken(self._right, now)


def _taken(meter: Meter, now: float) -> int:
    wait = meter.peek(now) - now
    if wait > 0:
        return max(1, math.ceil(wait))
    meter.reserve(now)
    return 0
