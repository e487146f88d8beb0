"""The policies of receivers (MTA-STS, RFC 8461): fetched, believed for as long as they say, and applied to sites.

A policy that is known stays in force until it expires, also when its record is gone or it cannot be fetched anew: that
is what a forger of DNS answers could bring about (10.2). It is fetched when there is none yet, when the record has
another id, and once a day. Where none can be had, mail goes as without one (5). A route waits for that: the resolver
bounds the time.

Domains with one policy in force at the same MX hosts are a site of their own: ``enforce`` leaves the hosts that the
policy allows, and asks for their certificates; ``testing`` changes nothing but what the report says.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection
from dataclasses import replace
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

from bulkmail.mail import Category
from bulkmail.routing.mta_sts import Policy, parse_policy
from bulkmail.routing.site import ENFORCED, TESTED, MxHost, RouteFailure, Site, key_under, site_name
from bulkmail.routing.ttl_cache import TtlCache

_FRESH = 86400.0  # seconds after which it is fetched again, though its id is the same
_AGAIN = 600.0  # after a fetch that failed
_LOOK = 3600.0  # until the record is looked at again
_NAMED = 5  # hosts in the words of a failure
_UNFETCHED = 1000  # domains whose policy could not be had, for people
_LONGEST = 300  # characters of why


class KnownPolicy(NamedTuple):
    """A policy, the id that its record had, and when it was fetched, in epoch seconds."""

    id: str
    fetched: float
    policy: Policy

    @property
    def expires(self) -> float:
        """When it is not believed any more, in epoch seconds."""
        return self.fetched + self.policy.max_age


class Unfetched(NamedTuple):
    """A policy that a domain announces and that could not be had at ``at``, in epoch seconds.

    ``provider``: of the domain's hosts. ``in_force``: whether one of before is.
    """

    domain: str
    provider: str
    why: str
    at: float
    in_force: bool

    @property
    def words(self) -> str:
        """What it means, in words."""
        then = "the one of before stays in force" if self.in_force else "mail goes as without one"
        return f"the policy of {self.domain} (MTA-STS) could not be fetched ({self.why}): {then}"


class Policies:
    """``ask``: the resolver, as for `Router`. ``wall``: the wall clock, in seconds. ``size``: domains remembered.

    ``fetched(domain, policy)`` is called for each policy that was fetched, ``failed`` for one that could not be, once
    until it can.
    """

    def __init__(
        self,
        ask: Callable[[tuple[Any, ...]], Awaitable[Any]],
        wall: Callable[[], float],
        fetched: Callable[[str, KnownPolicy], None] = lambda _domain, _policy: None,
        failed: Callable[[Unfetched], None] = lambda _unfetched: None,
        size: int = 20_000,
    ) -> None:
        self._ask = ask
        self._fetched, self._told = fetched, failed
        self._unfetched: OrderedDict[str, Unfetched] = OrderedDict()
        self._wall = wall
        self._known: TtlCache[str, KnownPolicy] = TtlCache(size)
        self._failed: TtlCache[tuple[str, str], bool] = TtlCache(size)  # by domain and id
        self._sites: WeakValueDictionary[tuple[Site, str, tuple[MxHost, ...]], Site] = WeakValueDictionary()

    def known(self, domain: str) -> KnownPolicy | None:
        """Return the policy of a domain that is in force."""
        return self._known.get(domain, self._wall())

    def unfetched(self, domain: str = "") -> list[Unfetched]:
        """Return the policies that could not be had at the last try, the last first; or that of one domain."""
        if domain:
            return [self._unfetched[domain]] if domain in self._unfetched else []
        return list(reversed(self._unfetched.values()))

    def put(self, domain: str, known: KnownPolicy) -> None:
        """Take a policy that was fetched, perhaps by an earlier process."""
        self._unfetched.pop(domain, None)
        self._known.put(domain, known, known.expires)

    async def apply(
        self, domain: str, site: Site, announced: str, versions: Collection[int] = ()
    ) -> tuple[Site | RouteFailure, float]:
        """Return the site as the domain's policy has it, and for how many seconds that may be used.

        ``announced``: the id in the domain's record, "" without one. ``versions``: of IP, to fetch a policy over.
        """
        known = self.known(domain)
        if not announced and known is None:
            self._unfetched.pop(domain, None)
            return site, float("inf")
        now = self._wall()
        if announced and (known is None or known.id != announced or now >= known.fetched + _FRESH):
            if not self._failed.get((domain, announced), now):
                known = await self._fetch(domain, announced, versions, site.provider) or self.known(domain)
            if known is None:
                return site, _AGAIN
        lasts = min(_LOOK, max(0.0, known.expires - self._wall())) if known else _LOOK
        return (site if known is None else self._under(known.policy, domain, site)), lasts

    async def _fetch(self, domain: str, announced: str, versions: Collection[int], provider: str) -> KnownPolicy | None:
        kind, text = await self._ask(("policy", domain, tuple(sorted(versions))))
        now, policy = self._wall(), None
        if kind == "policy":
            try:
                policy = parse_policy(text)
            except ValueError as error:  # what cannot be read as a policy is none
                text = str(error)
        if policy is None:
            self._failed.put((domain, announced), True, now + _AGAIN)
            self._lacks(Unfetched(domain, provider, text[:_LONGEST], now, self.known(domain) is not None))
            return None
        known = KnownPolicy(announced, now, policy)
        self.put(domain, known)
        self._fetched(domain, known)
        return known

    def _lacks(self, unfetched: Unfetched) -> None:
        if unfetched.domain not in self._unfetched:
            self._told(unfetched)
        self._unfetched[unfetched.domain] = unfetched
        self._unfetched.move_to_end(unfetched.domain)
        if len(self._unfetched) > _UNFETCHED:
            self._unfetched.popitem(last=False)

    def _under(self, policy: Policy, domain: str, site: Site) -> Site | RouteFailure:
        if policy.mode == "none":
            return site
        word, hosts = TESTED, site.hosts
        if policy.mode == "enforce":
            word, hosts = ENFORCED, tuple(host for host in site.hosts if policy.allows(host.name))
        if not hosts:
            names, allowed = ", ".join(host.name for host in site.hosts[:_NAMED]), ", ".join(policy.mx[:_NAMED])
            words = f"the policy of {domain} (MTA-STS, enforce) forbids its MX hosts, {names}: it allows {allowed}"
            return RouteFailure(permanent=False, category=str(Category.TLS), text=words)
        known = self._sites.get((site, word, hosts))
        if known is None:
            key, name = key_under(hosts, word), site_name([host.name for host in hosts])
            known = self._sites[site, word, hosts] = replace(site, key=key, hosts=hosts, name=name, policy=word)
        return known

    def __repr__(self) -> str:
        return f"<Policies of {len(self._known)} domains>"
