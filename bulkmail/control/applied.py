"""What applies to a destination, and where each value is from: a line of the settings, the shipped table, a default."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from bulkmail.mail import Rate
from bulkmail.routing import RELAY, Routes, relays_of
from bulkmail.settings import ROUTE_LIMITS, Settings, Source
from bulkmail.shaping import Limits, Provider, limits_for

_LIMITS = (*ROUTE_LIMITS, "tls")
_SPOKEN = ("pipelining", "chunking", "window")


class Applied:
    """``limits``: those of the destination; ``relay``: the name of its relay, "" where it is sent to straight.

    ``provider``: as its site has it, which may be the group of a route. ``domain``: the recipients', "" where it is not
    known; ``hosts``: its MX hosts.
    """

    def __init__(
        self,
        settings: Settings,
        providers: Mapping[str, Provider],
        provider: str,
        *,
        domain: str = "",
        hosts: Sequence[str] = (),
    ) -> None:
        self._settings = settings
        self._routes = routes = Routes(settings.routing.routes)
        relays = relays_of(settings)
        self.relay = provider if provider in relays else RELAY if RELAY in relays else ""
        group = routes.limits(provider)
        self._group = "" if group is None else provider
        self._base = provider if group is None else group[0]
        self._chosen = {} if self.relay else dict(routes.choose(domain, hosts, self._base).keys)
        self._shipped = providers.get(self._base)
        if self.relay:
            relay = relays[self.relay]
            self.limits = Limits.of(relay, tls=relay.tls)
            self._place = f"{relay.host}:{relay.port}"
        else:
            limits = limits_for(provider, providers, Limits.of(settings.shaping.default))
            own = {key: routes.routes[n].values[key] for key, n in self._chosen.items() if key in _LIMITS}
            self.limits = replace(limits, **own)

    def rows(self) -> list[dict[str, str]]:
        """Return every value with its source, as `site_models.LimitAnswer` has it."""
        rows = [{"limit": key, "value": shown(getattr(self.limits, key)), "from": self.source(key)} for key in _LIMITS]
        rows += [{"limit": key, "value": shown(self._spoken(key)), "from": self.source(key)} for key in _SPOKEN]
        if self._number("sources") is not None:
            rows.append({"limit": "sources", "value": shown(self._spoken("sources")), "from": self.source("sources")})
        if self.relay:
            rows.append({"limit": "relay", "value": self._place, "from": self._written(*self._relay_path) or "relay"})
        return rows

    def source(self, key: str) -> str:
        """Say where the value of a limit comes from."""
        number = self._number(key)
        if number is not None:
            return self._written("routing", "routes", number, key) or f"the route {self._routes.names[number]}"
        if key in _SPOKEN:
            return self._written("smtp", key) or f"the default of `smtp.{key}`"
        if self.relay:
            return self._written(*self._relay_path, key) or "the default of `relay`"
        if key in self._settings.shaping.overrides.get(self._base, {}):
            return self._written("shaping", "providers", self._base, key) or "the settings"
        if self._base and self._shipped is not None and key in self._shipped.limits:
            return f"shipped for {self._base}"
        if key == "tls":
            return self._written("tls", "mode") or "the default of `tls.mode`"
        return self._written("shaping", "default", key) or "the default of `shaping.default`"

    @property
    def sources(self) -> list[Source]:
        """The sources that it is sent to from: those of its route, else all; none for a relay."""
        if self.relay:
            return []
        return self._settings.sources_of(self._spoken("sources") if self._number("sources") is not None else None)

    @property
    def _relay_path(self) -> tuple[str | int, ...]:
        if self.relay == RELAY:
            return ("relay",)
        return ("routing", "routes", self._routes.names.index(self.relay), "relay")

    def _number(self, key: str) -> int | None:
        """Return the number of the route that sets this key; None where none does."""
        if self.relay:
            own = self.relay != RELAY and key in (*_SPOKEN, "sources")
            return self._routes.source(self.relay, key) if own else None
        return self._chosen[key] if key in self._chosen else self._routes.source(self._group, key)

    def _spoken(self, key: str) -> Any:
        number = self._number(key)
        return getattr(self._settings.smtp, key) if number is None else self._routes.routes[number].values[key]

    def _written(self, *path: str | int) -> str:
        file = self._settings.file
        if file is None or path not in file.values:
            return ""
        line, column = file.values[path]
        return f"{file.path}:{line}:{column}"


def shown(value: object) -> str:
    """Return a limit as people read it."""
    if value is None:
        return ""
    return str(value) if isinstance(value, Rate) else f"{value:g}" if isinstance(value, float) else str(value)
