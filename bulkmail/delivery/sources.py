"""The source addresses of this machine: their pools, which of them rest, and whose turn it is.

A source *rests* after a fault of its own: its address is not on this machine (any more), or no port of it is free. That
is our fault, so no message is charged; other sources go on, and the source is tried again after some seconds. Where
every source rests there is nothing left to send from, and the whole process pauses (see `pause`).

Which source the next messages of a queue leave from is asked here (`Sources.next`), and nowhere else: what else may
keep a source from being used for a destination, such as a budget, is asked through ``also``.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence

from twisted.logger import Logger

from bulkmail.delivery.clocks import Clocks
from bulkmail.delivery.pause import Pause
from bulkmail.routing import Site
from bulkmail.shaping import ANY_SOURCE, Source, SourceChoice

_log = Logger("bulkmail")

_REST = 5.0  # seconds
_MET_AGAIN = 15.0  # seconds behind a rest in which a fault that is met again is the same one

Also = Callable[[Source, Site], bool]


class Sources:
    """``given``: the sources of the settings; none: the system chooses the address. ``pools``: name -> source names.

    ``relays``: the providers of sites that are relays.

    ``on_rest(source, until, why)`` is called when a source begins to rest, until then on the reactor's clock.
    """

    def __init__(
        self,
        given: Sequence[Source],
        pools: Mapping[str, Sequence[str]],
        *,
        clocks: Clocks,
        pause: Pause,
        relays: Container[str] = (),
    ) -> None:
        self._relays = relays
        self.all: tuple[Source, ...] = tuple(given) or (ANY_SOURCE,)
        self._pools = {"": self.all}
        by_name = {source.name: source for source in given}
        self._pools |= {name: tuple(by_name[one] for one in members) for name, members in pools.items()}
        self._clocks = clocks
        self._pause = pause
        self._resting: dict[str, float] = {}
        self._told: dict[str, str] = {}
        self._choices: dict[str, SourceChoice] = {}  # by provider; "" for all sites without one
        self._also: Also | None = None
        self._on_rest: list[Callable[[Source, float, str], None]] = []

    def __repr__(self) -> str:
        resting = ", ".join(source.name for source in self.all if self.resting_until(source))
        return f"<Sources {', '.join(map(str, self.all))}; resting: {resting or 'none'}>"

    @property
    def several(self) -> bool:
        """Whether there is more than one to choose from."""
        return len(self.all) > 1

    def of(self, pool: str) -> tuple[Source, ...]:
        """Return the sources of a pool ("": all of them); none where this machine has no such pool."""
        return self._pools.get(pool, ())

    def also(self, usable: Also) -> None:
        """Use a source for a site only where ``usable(source, site)`` agrees."""
        self._also = usable

    # whose turn it is

    def reaching(self, pool: str, site: Site) -> tuple[Source, ...]:
        """Return the sources of the pool that can connect to an address of the site; all, where it has none.

        A relay is sent to as without sources.
        """
        if site.provider in self._relays:
            return (ANY_SOURCE,)
        found = self.of(pool)
        addresses = [ip for host in site.hosts for ip in host.addresses]
        if not addresses or found == (ANY_SOURCE,):
            return found
        return tuple(source for source in found if any(map(source.reaches, addresses)))

    def usable(self, source: Source, site: Site) -> bool:
        """Return whether the source may be used for the site now, as far as is known here."""
        return not self.resting_until(source) and (self._also is None or self._also(source, site))

    def choice(self, site: Site) -> SourceChoice:
        """Return what counts the turns at the site's provider; sites without one share theirs."""
        return self._choices.setdefault(site.provider, SourceChoice())

    # sources that rest

    def resting_until(self, source: Source) -> float:
        """Return until when the source rests, on the reactor's clock; 0.0 where it does not."""
        until = self._resting.get(source.name, 0.0)
        return until if until > self._clocks.now() else 0.0

    def on_rest(self, call: Callable[[Source, float, str], None]) -> None:
        """Call ``call(source, until, why)`` whenever a source begins to rest."""
        self._on_rest.append(call)

    def rest(self, source: Source, why: str) -> None:
        """Let a source rest for some seconds because of a fault of its own; pause everything where all of them rest."""
        if self.resting_until(source):
            return
        again = self._clocks.now() - self._resting.get(source.name, 0.0) < self._clocks.scaled(_MET_AGAIN)
        self._resting[source.name] = until = self._clocks.now() + _REST
        all_rest = all(self.resting_until(one) for one in self.all)
        if self._told.get(source.name) != why or not again:
            self._told[source.name] = why
            others = "no other source is left" if all_rest else "the others go on"
            _log.error(
                "nothing is sent from source {source}: {why}; {others}, and it is tried again every 5 s",
                source=source,
                why=why,
                others=others,
            )
        for call in self._on_rest:
            call(source, until, why)
        if all_rest:
            self._pause.own_fault(f"source {source}: {why}")

    def worked(self, source: Source) -> None:
        """Note that a connection from the source has come about."""
        if self._told and self._told.pop(source.name, None) is not None:
            self._resting.pop(source.name, None)
            _log.info("source {source} is used again", source=source)
