"""The domains of a list: how many rows each has, and whether mail can be sent to it.

Lookups begin while the list is still being read, a bounded number at a time. Of a domain the first rows are kept until
it is known to be good, then only their number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from twisted.internet.defer import Deferred

from bulkmail.mail import Category, OwnFault, count_of
from bulkmail.preflight.findings import Finding, Severity
from bulkmail.preflight.kinds import SHOWN
from bulkmail.routing import RouteFailure, Routing, Site

MOST = 100_000
"""Domains that are told apart; the rows of further ones are counted together."""

_AT_ONCE = 256
_TOLD = 200  # domains with a finding of their own


@dataclass(slots=True)
class Domain:
    """``route``: None while it was not looked up; a text where the lookup failed for a fault of our own."""

    count: int = 0
    rows: list[int] = field(default_factory=list)
    route: Site | RouteFailure | None = None

    def add(self, number: int) -> None:
        """Count a row."""
        self.count += 1
        if len(self.rows) < SHOWN and not isinstance(self.route, Site):
            self.rows.append(number)

    def remove(self, number: int) -> None:
        """Count a row no more."""
        self.count -= 1
        if number in self.rows:
            self.rows.remove(number)


class Domains:
    """Counts the rows of each domain, and looks the domains up. ``router`` is None where no lookup is wanted."""

    def __init__(self, router: Routing | None, looked_up: Callable[[], None]) -> None:
        self.known: dict[str, Domain] = {}
        self.beyond = 0  # rows of further domains
        self.fault = ""
        self._held: dict[int, str] = {}  # rows that may repeat an earlier one, with their domains
        self._router = router
        self._looked_up = looked_up
        self._waiting: list[str] = []
        self._asked = 0
        self._done: Deferred[None] | None = None
        self._stopped = False
        self._waiting_when_stopped = 0

    def add(self, name: str, number: int, *, held: bool = False) -> None:
        """Count the row ``number`` of the list under its domain; ``held``: it may repeat an earlier one."""
        if held:
            self._held[number] = name
        domain = self.known.get(name)
        if domain is None:
            if len(self.known) >= MOST:
                self.beyond += 1
                return
            domain = self.known[name] = Domain()
            if self._router is not None:
                self._waiting.append(name)
                self._pump()
        domain.add(number)

    def repeated(self, number: int) -> None:
        """Count a held row no more: it repeats the address of an earlier one, and is not sent to."""
        domain = self.known.get(self._held.pop(number))
        if domain is None:
            self.beyond -= 1
        else:
            domain.remove(number)

    async def drain(self) -> None:
        """Wait until all are looked up."""
        while self._asked or (self._waiting and not self.fault):
            self._done = Deferred()
            await self._done

    def stop(self) -> None:
        """Look up no more; those that were asked for already are still waited for by `drain`."""
        self._stopped = True
        self._waiting_when_stopped += len(self._waiting)
        self._waiting.clear()

    def failed(self) -> Iterator[tuple[str, Domain, RouteFailure]]:
        """Yield the domains that mail cannot be sent to for good, those with most rows first."""
        bad = [(name, domain) for name, domain in self.known.items() if isinstance(domain.route, RouteFailure)]
        for name, domain in sorted(bad, key=lambda item: (-item[1].count, item[0])):
            route = domain.route
            assert isinstance(route, RouteFailure)
            yield name, domain, route

    def _pump(self) -> None:
        while self._waiting and self._asked < _AT_ONCE and not self.fault and not self._stopped:
            self._asked += 1
            name = self._waiting.pop()
            Deferred.fromCoroutine(self._look_up(name)).addBoth(self._next)

    async def _look_up(self, name: str) -> None:
        assert self._router is not None
        domain = self.known[name]
        try:
            domain.route = await self._router.route(name)
        except OwnFault as fault:
            self.fault = self.fault or str(fault)
            return
        if isinstance(domain.route, Site):
            domain.rows.clear()
        self._looked_up()

    def _next(self, result: Any) -> None:
        self._asked -= 1
        self._pump()
        if self._done is not None and not self._asked:
            done, self._done = self._done, None
            done.callback(None)
        if result is not None:
            self.fault = self.fault or str(getattr(result, "value", result))

    def findings(self) -> Iterator[Finding]:
        """Yield what the lookups have found."""
        if self.fault:
            words = f"the domains could not be looked up: {self.fault}"
            yield Finding(Severity.WARNING, "no-resolver", "dns", words)
        elif self._waiting_when_stopped:
            left = count_of(self._waiting_when_stopped, "domain was", "domains were")
            words = f"{left} not looked up, because the others took too long"
            yield Finding(Severity.WARNING, "no-resolver", "dns", words, "try the check again")
        told = list(islice(self.failed(), _TOLD + 1))
        for name, domain, route in told[:_TOLD]:
            yield Finding(
                Severity.WARNING, _code(route), name, route.text, _remedy(route), tuple(domain.rows), domain.count
            )
        if len(told) > _TOLD:
            words = f"and more domains that mail cannot be sent to; the {_TOLD} with most rows are named"
            yield Finding(Severity.WARNING, "domains", "dns", words)
        if self.beyond:
            words = f"the list has more than {MOST:,} domains, and those behind were not looked up"
            yield Finding(Severity.NOTE, "domains", "dns", words, "", (), self.beyond)


def _code(route: RouteFailure) -> str:
    if not route.permanent:
        return "domain-not-looked-up"
    if "null MX" in route.text:
        return "domain-takes-no-mail"
    if "NXDOMAIN" in route.text:
        return "domain-does-not-exist"
    return "domain-unreachable"


def _remedy(route: RouteFailure) -> str:
    if not route.permanent:
        return "try the check again; the sending tries again by itself"
    if route.category == Category.ROUTING:
        return "see `routing.allow_networks` if it is a network of yours"
    return "correct the addresses, or take them off the list"
