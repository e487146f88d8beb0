"""The order in which one attempt tries a site's addresses (RFC 5321 5.1)."""

from __future__ import annotations

from collections.abc import Collection, MutableSequence
from itertools import chain, groupby, zip_longest
from typing import Any, NamedTuple, Protocol

from bulkmail.routing.site import Site
from bulkmail.shaping import HostMemory, version_of

WALK = 5  # addresses that one attempt connects to at most


class Stop(NamedTuple):
    """One address to try, and the best preference and the host under which the site has it."""

    preference: int
    host: str
    ip: str


class Shuffler(Protocol):
    """What is used of ``random.Random``."""

    def shuffle(self, x: MutableSequence[Any], /) -> None:
        """Into any order, in place."""


def plan(
    site: Site,
    memory: HostMemory,
    now: float,
    rng: Shuffler,
    walk: int = WALK,
    *,
    families: Collection[int] = (4, 6),
    preferred: int = 4,
) -> list[Stop]:
    """Order the site's addresses, best first; an attempt connects to the first ``walk`` of them.

    By preference (RFC 5321 5.1). Within one preference the hosts are shuffled, and the addresses of each host; the
    first address of every host comes before any second one. ``families``: the IP versions that can be used; addresses
    of another one are left out (RFC 6724 6, rule 1). Where a preference has addresses of both, they take turns (RFC
    8305 4), beginning with the ``preferred`` version (rule 6) unless that is doubtful (`FamilyHealth`), so that a
    version that leads nowhere does not use up the attempt. Addresses in back-off come last, the one due soonest first;
    where all are in back-off, they are tried all the same. ``now``: the reactor's clock, in seconds.

    Where there are more than ``walk``, addresses that failed last time must not hide the others for ever, although
    their back-off may be over. So one of them keeps its place among the first ``walk``: that of the best preference,
    and of these the one that failed longest ago. The places of the others go to addresses that have not failed, and
    what is left to those that failed longest ago. So repeated attempts reach every address.
    """
    if memory.families.is_doubtful(preferred, now):
        preferred = 10 - preferred
    stops = [stop for stop in _in_order(site, rng, preferred) if version_of(stop.ip) in families]
    failed = {stop: until for stop in stops if (until := memory.failed_until(stop.ip)) is not None}
    dead = sorted((stop for stop, until in failed.items() if until > now), key=failed.__getitem__)
    living = [stop for stop in stops if failed.get(stop, now) <= now]
    first = set(living)
    if len(living) > walk:
        due = [stop for stop in living if stop in failed]
        spare = sorted(due, key=lambda stop: (stop.preference, failed[stop]))[1:]
        first = set([stop for stop in living if stop not in spare][:walk])
        first.update(sorted(spare, key=failed.__getitem__)[: walk - len(first)])
    return [*(stop for stop in living if stop in first), *(stop for stop in living if stop not in first), *dead]


def _in_order(site: Site, rng: Shuffler, preferred: int) -> list[Stop]:
    order: dict[str, Stop] = {}  # by address: one that two hosts share is tried once
    for preference, level in groupby(site.hosts, key=lambda host: host.preference):
        hosts = list(level)
        rng.shuffle(hosts)
        columns = [[Stop(preference, host.name, address) for address in host.addresses] for host in hosts]
        for column in columns:
            rng.shuffle(column)
        found = [stop for stop in chain.from_iterable(zip_longest(*columns)) if stop is not None]
        first = [stop for stop in found if version_of(stop.ip) == preferred]
        second = [stop for stop in found if version_of(stop.ip) != preferred]
        for stop in chain.from_iterable(zip_longest(first, second)):
            if stop is not None:
                order.setdefault(stop.ip, stop)
    return list(order.values())
