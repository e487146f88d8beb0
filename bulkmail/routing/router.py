"""From a domain to its site, cached for the time the DNS gives.

The module knows no process and no event loop: ``ask`` is an argument and awaited (a worker's Deferred, a coroutine in a
test). The resolver joins equal questions in flight, not the router.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from typing import Any
from weakref import WeakValueDictionary

from bulkmail.mail import checked
from bulkmail.routing.policies import Policies, Unfetched
from bulkmail.routing.site import RouteFailure, Site, site_of
from bulkmail.routing.ttl_cache import TtlCache
from bulkmail.shaping import Provider

_Hosts = tuple[tuple[int, str, tuple[str, ...]], ...]  # preference, name and addresses of each


class Router:
    """Routes domains. ``clock``: seconds. ``providers``: the table of shaping. ``size``: domains cached.

    The resolver has a larger cache of its own: what is not here any more costs a question to that process.
    ``families`` gives the IP versions that can be used now, and what is known is forgotten when they change; without it
    they are those that the resolver was configured with. ``policies``: of the receivers; none are looked for without.
    ``exempt(domain, site)``: whether none is applied there.
    """

    def __init__(
        self,
        ask: Callable[[tuple[Any, ...]], Awaitable[Any]],
        clock: Callable[[], float],
        providers: Mapping[str, Provider],
        size: int = 8192,
        families: Callable[[], Collection[int]] = tuple,
        policies: Policies | None = None,
        exempt: Callable[[str, Site], bool] = lambda _domain, _site: False,
    ) -> None:
        self._ask = ask
        self._clock = clock
        self._providers = providers
        self._families = families
        self._policies = policies
        self._exempt = exempt
        self._versions: Collection[int] = ()
        self._known: TtlCache[str, Site | RouteFailure] = TtlCache(size)
        # by the hosts in order: 100,000 domains at one hoster hold one object, and it goes with the last of them
        self._sites: WeakValueDictionary[_Hosts, Site] = WeakValueDictionary()

    def known(self, domain: str) -> Site | RouteFailure | None:
        """Return the cached route of a domain; None where there is none."""
        return self._known.get(domain, self._clock())

    async def route(self, domain: str) -> Site | RouteFailure:
        """Find the site that takes the domain's mail, or why there is none. Raises OwnFault where no resolver answers.

        Sites with one key may differ in their addresses over time: the one returned last is the freshest.
        """
        versions = self._families()
        if versions != self._versions:
            self._known.clear()
            self._versions = versions
        result = self.known(domain)
        if result is not None:
            return result
        answer = checked(await self._ask(self._job(domain, versions)))
        if answer[0] == "mx":
            _, ttl, hosts, *announced = answer
            result = self._site(hosts)
            if self._policies is not None and not self._exempt(domain, result):
                result, lasts = await self._policies.apply(domain, result, announced[0], versions)
                ttl = min(ttl, lasts)
        else:
            _, permanent, category, text, ttl = answer
            result = RouteFailure(permanent, category, text)
        if versions == self._versions:
            self._known.put(domain, result, self._clock() + ttl)
        return result

    async def check(self) -> None:
        """Check that a nameserver answers. Raises OwnFault where none does."""
        checked(await self._ask(("check",)))

    def unfetched(self, domain: str = "") -> list[Unfetched]:
        """Return the policies of receivers that could not be had, the last first; or that of one domain."""
        return [] if self._policies is None else self._policies.unfetched(domain)

    def _job(self, domain: str, versions: Collection[int]) -> tuple[Any, ...]:
        if self._policies is not None:
            return ("route", domain, tuple(sorted(versions)), True)
        return ("route", domain, tuple(sorted(versions))) if versions else ("route", domain)

    def _site(self, answer: Iterable[tuple[int, str, Sequence[str]]]) -> Site:
        hosts = tuple(sorted((preference, name, tuple(addresses)) for preference, name, addresses in answer))
        site = self._sites.get(hosts)
        if site is None:
            site = self._sites[hosts] = site_of(hosts, self._providers)
        return site

    def __repr__(self) -> str:
        return f"<Router knows {len(self._known)} domains at {len(self._sites)} sites>"
