"""The order in which one attempt walks over a site's addresses."""

from __future__ import annotations

from collections.abc import MutableSequence
from itertools import chain, groupby, zip_longest
from typing import Any, Protocol

from bulkmail.routing.site import Site
from bulkmail.shaping import HostMemory

WALK = 5


class Shuffler(Protocol):
    """What is used of ``random.Random``."""

    def shuffle(self, x: MutableSequence[Any], /) -> None:
        """Into any order, in place."""


def plan(site: Site, memory: HostMemory, now: float, rng: Shuffler, walk: int = WALK) -> list[tuple[str, str]]:
    """At most ``walk`` of the site's (host, address), best first.

    Order of preference. Within one preference the hosts are shuffled, and each one's addresses; every host's first
    comes before any second (RFC 5321 5.1). Addresses that are remembered dead come last, the one due soonest first:
    where all are, they are tried all the same. Dead ones of a better preference come after living ones of a worse.
    """
    order: dict[str, str] = {}  # address -> host; an address that two hosts share is tried once
    for _, level in groupby(site.hosts, key=lambda host: host.preference):
        hosts = list(level)
        rng.shuffle(hosts)
        columns = [[(host.name, address) for address in host.addresses] for host in hosts]
        for column in columns:
            rng.shuffle(column)
        for pair in chain.from_iterable(zip_longest(*columns)):
            if pair is not None:
                order.setdefault(pair[1], pair[0])
    return [(order[address], address) for address in memory.usable(list(order), now)[:walk]]
