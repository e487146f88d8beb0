"""Where mail goes with all that the settings say: straight to the MX hosts, through one relay, or as routes have it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any, Protocol

from bulkmail.routing.policies import Policies, Unfetched
from bulkmail.routing.relay import RELAY, RelayRouter
from bulkmail.routing.router import Router
from bulkmail.routing.routes import Routes
from bulkmail.routing.site import Manner, RouteFailure, Site
from bulkmail.settings import ROUTE_MANNERS, Relay, Settings
from bulkmail.shaping import Provider

_Ask = Callable[[tuple[Any, ...]], Awaitable[Any]]


class Routing(Protocol):
    """What finds the destination of a domain."""

    async def route(self, domain: str) -> Site | RouteFailure:
        """Find the site that takes the domain's mail, or why there is none. Raises OwnFault."""

    async def check(self) -> None:
        """Check that it can be found out. Raises OwnFault."""

    def unfetched(self, domain: str = "") -> list[Unfetched]:
        """Return the policies of receivers that could not be had, the last first; or that of one domain."""


class RoutedRouter:
    """Asks ``routes`` first, then ``beyond``: what takes all other mail. ``relays``: by the names of their routes."""

    def __init__(self, routes: Routes, relays: Mapping[str, RelayRouter], beyond: Routing) -> None:
        self._routes, self._relays, self._beyond = routes, relays, beyond

    async def route(self, domain: str) -> Site | RouteFailure:
        """Find the site that takes the domain's mail, or why there is none. Raises OwnFault."""
        relay = self._routes.of_domain(domain).relay
        if relay is None:
            site = await self._beyond.route(domain)
            if isinstance(site, RouteFailure) or site.provider == RELAY:
                return site
            relay = self._routes.of_site(domain, site).relay
            if relay is None:
                return self._routes.apply(domain, site)
        return await self._relays[self._routes.names[relay]].route(domain)

    async def check(self) -> None:
        """Check that a nameserver answers, and that each relay has an address. Raises OwnFault."""
        await self._beyond.check()
        for relay in self._relays.values():
            await relay.check()

    def unfetched(self, domain: str = "") -> list[Unfetched]:
        """Return the policies of receivers that could not be had, the last first; or that of one domain."""
        return self._beyond.unfetched(domain)

    def __repr__(self) -> str:
        return f"<RoutedRouter by {', '.join(self._routes.names)}; else {self._beyond!r}>"


def relays_of(settings: Settings) -> dict[str, Relay]:
    """Return the relays of the settings, by the names that what they take is counted under."""
    routes = Routes(settings.routing.routes)
    found = {} if settings.relay is None else {RELAY: settings.relay}
    return found | {
        name: route.relay for name, route in zip(routes.names, routes.routes, strict=True) if route.relay is not None
    }


def relay_router(settings: Settings, ask: _Ask, clock: Callable[[], float], name: str) -> RelayRouter:
    """Return what routes to one of the settings' relays. ``name``: as in `relays_of`."""
    relay = relays_of(settings)[name]
    routes = Routes(settings.routing.routes)
    values = {} if name == RELAY else routes.routes[routes.names.index(name)].values
    manner = Manner(**{key: value for key, value in values.items() if key in ROUTE_MANNERS})
    return RelayRouter(ask, clock, relay.host, relay.port, name, manner)


def router_of(
    settings: Settings,
    ask: _Ask,
    clock: Callable[[], float],
    providers: Mapping[str, Provider],
    families: Callable[[], Collection[int]] = tuple,
    policies: Policies | None = None,
    **given: Any,
) -> Routing:
    """Return what finds the destination of a domain, by the settings. ``given``: what `Router` is given besides.

    ``policies``: those of receivers. They count for nothing where a route has a relay, or asks for less TLS than they
    may: the operator has written that for these receivers.
    """
    relays = {name: relay_router(settings, ask, clock, name) for name in relays_of(settings)}
    whole = relays.pop(RELAY, None)
    routes = Routes(settings.routing.routes)

    def exempt(domain: str, site: Site) -> bool:
        chosen = routes.of_site(domain, site)
        return chosen.relay is not None or routes.manner(chosen).tls not in (None, "verify")

    if whole is not None:
        beyond: Routing = whole
    elif policies is None:
        beyond = Router(ask, clock, providers, families=families, **given)
    else:
        beyond = Router(ask, clock, providers, families=families, policies=policies, exempt=exempt, **given)
    return RoutedRouter(routes, relays, beyond) if routes else beyond
