"""The operator's routes: what is different for some receivers, found by domain, MX hosts or provider.

The nearest wins, for each key by itself: a route for the recipient's domain before one for its MX hosts, that before
one for their provider, and that before the provider's own settings and the defaults. Of several for domains or MX hosts
the one with the longest name wins, a domain itself before all that is below a name; of equals the first.

A route that sets limits makes its receivers a group: they are counted, told and paused together, under the route's
name, as those of a provider are. ``partner at google``: the route `partner` sets some limits, the others are those of
the provider google. ``a+b``: two routes set limits, `a` is nearer.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

from bulkmail.routing.site import Manner, Site
from bulkmail.settings import ROUTE_LIMITS, ROUTE_MANNERS, Route, Settings, route_name
from bulkmail.shaping import OTHER, Provider, provider_table

_AT = " at "


class Chosen(NamedTuple):
    """Which route sets which key: (key, number of the route) each, ``relay`` first. Empty: none does."""

    keys: tuple[tuple[str, int], ...] = ()

    @property
    def relay(self) -> int | None:
        """The route whose relay takes the mail; None where none does."""
        return self.keys[0][1] if self.keys and self.keys[0][0] == "relay" else None


class Routes:
    """The routes of the settings, in their order."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self.routes = tuple(routes)
        self.names = tuple(route_name(index, route) for index, route in enumerate(routes))
        self._by: dict[str, dict[str, list[int]]] = {"domains": {}, "mx": {}, "provider": {}}
        for index, route in enumerate(routes):
            for match in route.matches:
                text = "." + match.strip(".") if route.kind == "mx" else match
                self._by[route.kind].setdefault(text, []).append(index)
        self._sites: WeakValueDictionary[tuple[Site, Chosen], Site] = WeakValueDictionary()

    def __bool__(self) -> bool:
        return bool(self.routes)

    def of_domain(self, domain: str) -> Chosen:
        """Return what the routes for recipients' domains set for this one."""
        return self._chosen(self._for_domain(domain))

    def of_site(self, domain: str, site: Site) -> Chosen:
        """Return what all routes set for a recipient's domain at this site."""
        return self.choose(domain, [host.name for host in site.hosts], site.provider)

    def choose(self, domain: str, hosts: Sequence[str], provider: str) -> Chosen:
        """Return what all routes set for a recipient's domain with these MX hosts, of this provider."""
        nearest = [*self._for_domain(domain), *self._for_hosts(hosts)]
        return self._chosen([*nearest, *self._by["provider"].get(provider, ())])

    def apply(self, domain: str, site: Site) -> Site:
        """Return the site as the routes have it, without their relays: its group, its manner, and a key of its own.

        The key differs where a route for domains has a say: other domains at the same hosts are another destination.
        """
        chosen = self.of_site(domain, site)
        if not chosen.keys:
            return site
        known = self._sites.get((site, chosen))
        if known is None:
            limiting = dict.fromkeys(self.names[index] for key, index in chosen.keys if key in ROUTE_LIMITS)
            own = sorted({self.names[index] for _, index in chosen.keys if self.routes[index].kind == "domains"})
            provider = f"{'+'.join(limiting)}{f'{_AT}{site.provider}' if site.provider else ''}"
            known = replace(
                site,
                key=f"{site.key} by {'+'.join(own)}" if own else site.key,
                provider=provider if limiting else site.provider,
                manner=self.manner(chosen),
            )
            self._sites[site, chosen] = known
        return known

    def manner(self, chosen: Chosen) -> Manner:
        """Return how the routes have sessions spoken."""
        return Manner(**{key: self.routes[index].values[key] for key, index in chosen.keys if key in ROUTE_MANNERS})

    def limits(self, group: str) -> tuple[str, dict[str, Any]] | None:
        """Return the provider of a group ("": none) and the limits that routes set for it; None: it is no group."""
        names, _, provider = group.partition(_AT)
        numbers = [self.names.index(name) for name in names.split("+") if name in self.names]
        if not numbers or len(numbers) <= names.count("+"):
            return None
        relay = self.routes[numbers[0]].relay
        found = {} if relay is None else {key: getattr(relay, key) for key in ROUTE_LIMITS} | {"tls": relay.tls}
        for number in numbers:
            found |= {key: value for key, value in self._limits_of(number) if key not in found}
        return provider, found

    def source(self, group: str, key: str) -> int | None:
        """Return the number of the route that sets this limit for a group; None where none does."""
        for name in group.partition(_AT)[0].split("+"):
            if name in self.names and key in self.routes[self.names.index(name)].values:
                return self.names.index(name)
        return None

    def _limits_of(self, number: int) -> Iterator[tuple[str, Any]]:
        return ((key, value) for key, value in self.routes[number].values.items() if key in ROUTE_LIMITS)

    def _for_domain(self, domain: str) -> list[int]:
        by = self._by["domains"]
        if not by:
            return []
        found = list(by.get(domain, ()))
        labels = domain.split(".")
        for n in range(1, len(labels)):
            found += by.get("." + ".".join(labels[n:]), ())
        return found

    def _for_hosts(self, hosts: Sequence[str]) -> list[int]:
        """Return whether every host matches, as for a provider."""
        by = self._by["mx"]
        fitting = [suffix for suffix in by if hosts and all(f".{host}".endswith(suffix) for host in hosts)]
        return [number for suffix in sorted(fitting, key=len, reverse=True) for number in by[suffix]]

    def _chosen(self, nearest: Sequence[int]) -> Chosen:
        keys: dict[str, int] = {}
        for number in nearest:
            for key in self.routes[number].values:
                keys.setdefault(key, number)
        return Chosen(tuple(sorted(keys.items(), key=lambda item: item[0] != "relay")))


class _Groups(Mapping[str, Provider]):
    """The table of providers, and the groups and relays of routes as further ones, which no MX hosts lead to."""

    def __init__(self, table: Mapping[str, Provider], routes: Routes) -> None:
        self._table, self._routes = table, routes

    def __getitem__(self, name: str) -> Provider:
        known = self._table.get(name)
        if known is not None:
            return known
        found = self._routes.limits(name)
        if found is None:
            raise KeyError(name)
        provider, limits = found
        shipped = self._table.get(provider)
        return Provider(name, (), {**({} if shipped is None else shipped.limits), **limits})

    def __iter__(self) -> Iterator[str]:
        yield from self._table
        yield from self._routes.names

    def __len__(self) -> int:
        return len(self._table) + len(self._routes.names)


def providers_of(settings: Settings) -> Mapping[str, Provider]:
    """Return the table of providers by the settings, with the groups of their routes."""
    table = provider_table(settings.shaping.overrides)
    routes = settings.routing.routes
    return _Groups(table, Routes(routes)) if routes else table


class _Names(Collection[str]):
    def __init__(self, table: Mapping[str, Provider]) -> None:
        self._table = table

    def __contains__(self, name: object) -> bool:
        return name == OTHER or name in self._table

    def __iter__(self) -> Iterator[str]:
        yield from (*self._table, OTHER)

    def __len__(self) -> int:
        return len(self._table) + 1


def provider_names(settings: Settings) -> Collection[str]:
    """Return what a campaign can be paused for: providers, groups of routes, and the receivers of neither."""
    return _Names(providers_of(settings))
