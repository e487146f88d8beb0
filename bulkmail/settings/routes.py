"""The list `routing.routes` of bulkmail.yaml: what is different for some receivers, and for which."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from bulkmail.mail import AddressError, domain_key
from bulkmail.settings.relay import Relay
from bulkmail.settings.values import Count, Pace, Seconds, Suffixes, TlsMode, name_of
from bulkmail.yamlfile import ErrorAt, Line, Many, Section

ROUTE_LIMITS = ("connections", "messages_per_connection", "rate", "connection_rate", "idle")
"""The keys of a route that are limits: what is counted for its receivers together."""
ROUTE_MANNERS = ("tls", "pipelining", "chunking", "window", "sources")
"""The keys of a route that say how a session is spoken."""
_TAKEN = {"relay": "`relay`", "other": "the receivers of no provider"}
_UNUSED = "this route is never used"
_name = name_of("route", "partner")


def _domain(text: str) -> str:
    """Return a domain, or with a leading dot what is below it."""
    below = text.startswith((".", "*."))
    try:
        name = domain_key(text.removeprefix("*").removeprefix("."))
    except AddressError as error:
        raise ValueError(f"{error}; write a domain, or .example.org for all that is below it") from None
    return f".{name}" if below else name


def _some(values: tuple[str, ...]) -> tuple[str, ...]:
    if not values:
        raise ValueError("must name one at least")
    return values


class Route(Section):
    """One route: whom it is for (one of ``domains``, ``mx`` and ``provider``), and what is different there.

    ``domains``: of recipients; with a leading dot all that is below. ``mx``: the ends of MX host names. ``name`` None:
    after its place in the list.
    """

    name: Annotated[Line, AfterValidator(_name)] | None = None
    domains: Annotated[Many[Annotated[str, AfterValidator(_domain)]], AfterValidator(_some)] | None = None
    mx: Suffixes | None = None
    provider: Line | None = None
    relay: Relay | None = None
    tls: TlsMode | None = None
    pipelining: Literal["auto", "off"] | None = None
    chunking: Literal["auto", "off"] | None = None
    window: Annotated[int, Field(ge=1, le=100)] | None = None
    sources: Line | None = None
    connections: Count | None = None
    messages_per_connection: Count | None = None
    rate: Pace | None = None
    connection_rate: Pace | None = None
    idle: Seconds | None = None

    @model_validator(mode="after")
    def _fits(self) -> Route:
        kinds = [kind for kind in ("domains", "mx", "provider") if getattr(self, kind) is not None]
        if not kinds:
            raise ValueError("must say whom it is for: add domains, mx or provider")
        if len(kinds) > 1:
            raise ErrorAt((kinds[1],), f"a route is for one kind; write a second route for it, or remove {kinds[0]}")
        if not self.values:
            raise ValueError(f"changes nothing; add relay, {', '.join((*ROUTE_MANNERS, *ROUTE_LIMITS))}")
        if self.relay is not None:
            for key in ("tls", *ROUTE_LIMITS):
                if key in self.values:
                    raise ErrorAt((key,), f"a relay has its own: write {key} under relay")
        return self

    @property
    def kind(self) -> str:
        """``domains``, ``mx`` or ``provider``."""
        return "domains" if self.domains is not None else "mx" if self.mx is not None else "provider"

    @property
    def matches(self) -> tuple[str, ...]:
        """The domains, MX suffixes or the provider that it is for."""
        return self.domains or self.mx or (self.provider or "",)

    @property
    def values(self) -> dict[str, Any]:
        """What it sets: key -> value."""
        keys = ("relay", *ROUTE_MANNERS, *ROUTE_LIMITS)
        return {key: value for key in keys if (value := getattr(self, key)) is not None}


def route_name(index: int, route: Route) -> str:
    """Return the name under which the route's receivers are counted."""
    return route.name or f"route-{index + 1}"


def check_routes(routes: Sequence[Route], providers: Sequence[str], pools: Sequence[str]) -> None:
    """Check what the routes have to do with the other settings. Raises ErrorAt.

    ``providers`` and ``pools``: the names of all there are.
    """
    seen: dict[str, int] = {}
    for index, route in enumerate(routes):
        if route.provider is not None and route.provider not in providers:
            known = ", ".join(sorted(providers))
            where = ("routing", "routes", index, "provider")
            raise ErrorAt(where, f"there is no provider {route.provider!r}; there are {known}")
        if route.sources is not None and route.sources not in pools:
            there = f"there are {', '.join(sorted(pools))}" if pools else "`pools` is empty"
            where = ("routing", "routes", index, "sources")
            raise ErrorAt(where, f"there is no pool {route.sources!r}; {there}")
        name = route_name(index, route)
        if name in seen or name in providers or name in _TAKEN:
            what = f"route {seen[name] + 1}" if name in seen else _TAKEN.get(name) or f"the provider {name}"
            words = f"the name {name} is {what}'s already; what is counted for both would be one"
            raise ErrorAt(("routing", "routes", index, *(("name",) if route.name else ())), words)
        seen[name] = index


def never_used(routes: Sequence[Route], *, relayed: bool) -> Iterator[tuple[int, str]]:
    """Yield the routes that can never apply, and why. ``relayed``: one relay takes all mail that no route takes."""
    taken: dict[tuple[str, str], dict[str, int]] = {}  # (kind, match) -> key -> the first route with it
    for index, route in enumerate(routes):
        if relayed and route.kind != "domains":
            yield index, f"{_UNUSED}: `relay` takes all mail, so no MX hosts are looked up; use domains"
            continue
        if relayed and route.relay is None:
            yield index, f"{_UNUSED}: `relay` takes all mail, and has its own settings; give the route a relay"
            continue
        earlier = set()
        for match in route.matches:
            before = taken.setdefault((route.kind, match.removeprefix(".") if route.kind == "mx" else match), {})
            earlier.add(max((before.get(key, -1) for key in route.values), default=-1))
            used = any(key not in before for key in route.values)
            earlier |= {-1} if used else set()
            for key in route.values:
                before.setdefault(key, index)
        if -1 not in earlier:
            others = " and ".join(str(one + 1) for one in sorted(earlier))
            yield index, f"{_UNUSED}: route {others} before it is for the same and sets the same keys"
