"""Which sources the messages of a queue leave from: a lane sends to one site from one source.

A queue begins with one lane, that of the source whose turn it is (`delivery.sources`). While claims do not empty the
queue it gets another lane, until each source of its campaign's pool has one: a thousand small sites do not need four
lanes each. Among the lanes of one queue that want messages the one whose source is furthest behind its share claims
first; one that has no room is passed over, so a source that its receiver holds up does not hold up the others.

A lane that is suspended, or whose source rests (everywhere, or there by a rule), gives its queues to another usable
source of their pool, if there is one. Where no other source takes them they wait with it, as without sources.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from typing import Protocol

from bulkmail.delivery.lane import Lane
from bulkmail.delivery.limits import limit_key
from bulkmail.delivery.queueing.queues import Queue
from bulkmail.delivery.queueing.supply import Supply
from bulkmail.delivery.run import Run
from bulkmail.delivery.sources import Sources
from bulkmail.mail import Category
from bulkmail.routing import RouteFailure, Site
from bulkmail.shaping import ANY_SOURCE, Source


class Wants(Protocol):
    """What the supplies of all lanes tell."""

    def hold(self, count: int, run: Run) -> None:
        """Add ``count`` (may be negative) to the claimed, unsettled messages of a campaign."""

    def wanted(self, supply: Supply, run: Run) -> None:
        """The lane of this supply could take more messages of a campaign."""


class SourceLanes:
    """``lanes``: those there are, by site key and source (`Source.key`); ``supplies``: of each lane.

    ``new_lane(site, supplier, source=…)`` makes a lane; ``suspended(supply)`` is called when it sends nothing now.
    """

    def __init__(
        self, sources: Sources, wants: Wants, *, new_lane: Callable[..., Lane], suspended: Callable[[Supply], None]
    ) -> None:
        self.lanes: dict[str, Lane] = {}
        self.supplies: dict[Lane, Supply] = {}
        self._sources = sources
        self._wants = wants
        self._new_lane = new_lane
        self._suspended = suspended
        sources.on_rest(self._source_rests)

    # which lanes a queue has

    def supply(self, site: Site, source: Source = ANY_SOURCE) -> Supply:
        """Return the supply of the lane to a site from a source; the lane is made if it is not there."""
        key = source.key(site.key)
        lane = self.lanes.get(key)
        if lane is not None:
            return self.supplies[lane]
        supply = Supply(
            lambda supplier: self._new_lane(site, supplier, source=source),
            hold=self._wants.hold,
            wanted=self._wants.wanted,
            suspended=self._suspended,
            elsewhere=lambda supply, run: self._elsewhere(run, supply.lane) is not None,
            part=source.weight / max(one.weight for one in self._sources.all),
        )
        self.supplies[supply.lane] = supply
        self.lanes[key] = supply.lane
        return supply

    def sends_to(self, site: Site) -> bool:
        """Return whether there is a lane to the site, from any source."""
        return site.key in self.lanes or any(key in self.lanes for key in self.keys_of([site.key]))

    def keys_of(self, keys: Iterable[str]) -> list[str]:
        """Return the keys of what is counted or learnt for each source of what these keys are about."""
        return [source.key(key) for key in keys for source in self._sources.all]

    def attach(self, queue: Queue, supply: Supply) -> None:
        """Let a lane claim from a queue too."""
        if supply.lane not in queue.lanes:
            queue.lanes.append(supply.lane)
        supply.add(queue)
        supply.lane.wake()
        self._wants.wanted(supply, queue.run)

    def leave(self, queue: Queue) -> None:
        """Let no lane claim from a queue any more."""
        for lane in queue.lanes:
            if lane in self.supplies:
                self.supplies[lane].discard(queue)
        queue.lanes.clear()

    def lead(self, queue: Queue, site: Site) -> RouteFailure | None:
        """Let the lanes to the site that the queue has claim from it; where none of them can send, another one.

        Returns why no source of its pool can connect to the site, where that is so.
        """
        for lane in list(queue.lanes):
            if lane.site.key == site.key and lane in self.supplies:
                lane.reroute(site)
            else:
                self._detach(queue, lane)
        able = [lane for lane in queue.lanes if not lane.suspended]
        for lane in able:
            self.attach(queue, self.supplies[lane])
        if not able:
            source = self._first(queue.run, site)
            if isinstance(source, RouteFailure):
                return source
            supply = self.supply(site, source)
            supply.lane.reroute(site)
            self.attach(queue, supply)
        return None

    def widen(self, queue: Queue) -> None:
        """Let the lane of another source claim from a queue that has more than one claim, if there is one."""
        if not self._sources.several or not queue.lanes:
            return
        if len(queue.lanes) < len(self._sources.of(_pool(queue.run, queue.lanes[0].site))):
            site, among = queue.lanes[0].site, {lane.source.name for lane in queue.lanes}
            source = self.usable(queue.run, site, lambda source: source.name in among)
            if source is not None:
                self.attach(queue, self.supply(site, source))
        for lane in queue.lanes:
            self.supplies[lane].below_target()

    def move(self, queue: Queue, lane: Lane) -> bool:
        """Give a queue of a lane that sends nothing now to another source; whether there is one."""
        source = self._elsewhere(queue.run, lane)
        if source is None:
            return False
        self.supplies[lane].discard(queue)
        queue.lanes.remove(lane)
        self.attach(queue, self.supply(lane.site, source))
        return True

    def _detach(self, queue: Queue, lane: Lane) -> None:
        """End the outage of a lane without queues: its recipients go elsewhere, and none of them waits for it."""
        queue.lanes.remove(lane)
        supply = self.supplies.get(lane)  # None: the lane was forgotten while its queue was routed again
        if supply is not None:
            supply.discard(queue)
            if not supply:
                lane.suspension.end_outage()

    def rest(self, source: Source, key: str, until: float, why: str) -> None:
        """Let the lanes of a source to what this limit key counts rest, so that other sources take what waits there.

        A source alone keeps what it holds: nobody could take it.
        """
        if self._sources.several:
            for lane in list(self.lanes.values()):
                if lane.source == source and limit_key(lane.site.key, lane.site.provider) == key:
                    self._rest(lane, until, why, ruled=True)

    def end_rests(self, rests: Callable[[Site, Source], bool]) -> None:
        """End the rests of lanes (`rest`) that no rule asks for any more: an operator had it forgotten."""
        for lane in self.lanes.values():
            if not rests(lane.site, lane.source):
                lane.suspension.end_rest()

    def _source_rests(self, source: Source, until: float, why: str) -> None:
        for lane in list(self.lanes.values()):
            if lane.source == source:
                self._rest(lane, until, why)

    @staticmethod
    def _rest(lane: Lane, until: float, why: str, *, ruled: bool = False) -> None:
        if not lane.suspended:
            lane.suspension.rest(until, why, ruled=ruled)
            lane.backlog.give_ready_back()

    # whose turn it is

    def _first(self, run: Run, site: Site) -> Source | RouteFailure:
        """Return the source whose lane a queue begins with; where none is usable now, the one that is again first."""
        sources = self._sources
        if not sources.several:
            found = sources.reaching(_pool(run, site), site)
            return found[0] if found else self._no_source(run, site)
        chosen = self.usable(run, site)
        if chosen is None:
            found = sources.reaching(_pool(run, site), site)
            if not found:
                return self._no_source(run, site)
            chosen = min(
                found, key=lambda source: max(sources.resting_until(source), self._suspended_until(source, site))
            )
        sources.choice(site).used(chosen, 1, sources.reaching(_pool(run, site), site))
        return chosen

    def usable(self, run: Run, site: Site, but: Callable[[Source], bool] = lambda _: False) -> Source | None:
        """Return the source whose turn it is, of those that can be used for the site now and not ``but`` for."""
        sources = self._sources
        if not sources.several:
            return None
        return sources.choice(site).next(
            sources.reaching(_pool(run, site), site),
            lambda source: not but(source) and sources.usable(source, site) and not self._suspended_until(source, site),
        )

    def _elsewhere(self, run: Run, lane: Lane) -> Source | None:
        """Return the source that takes what this lane cannot send, if there is one."""
        return self.usable(run, lane.site, lambda source: source.name == lane.source.name)

    def in_turn(self, supply: Supply, wanted: Container[Supply]) -> Supply | None:
        """Return whose turn it is to claim: of the ``wanted`` ones that send to the same site; None: none is left."""
        if not (self._sources.several and supply.lane.source.name):
            return supply
        site = supply.lane.site
        lanes = [self.lanes.get(source.key(site.key)) for source in self._sources.all]
        peers = [self.supplies[lane] for lane in lanes if lane is not None and self.supplies[lane] in wanted]
        credit = self._sources.choice(site).credit
        return max(peers, key=lambda one: credit(one.lane.source), default=None)

    def claimed(self, supply: Supply, queue: Queue, count: int) -> None:
        """Count what was claimed for a source."""
        if self._sources.several and count:
            site = supply.lane.site
            among = [lane.source for lane in queue.lanes if not lane.suspended]
            self._sources.choice(site).used(supply.lane.source, count, among)

    def _suspended_until(self, source: Source, site: Site) -> float:
        """Return until when the source's lane to this site is suspended, on the reactor's clock; 0.0 if it is not."""
        lane = self.lanes.get(source.key(site.key))
        return lane.suspension.until if lane is not None and lane.suspended else 0.0

    def _no_source(self, run: Run, site: Site) -> RouteFailure:
        pool = _pool(run, site)
        if not self._sources.of(pool):
            return RouteFailure(False, Category.ROUTING, f"this machine has no pool {pool!r} to send it from")
        families = {source.family for source in self._sources.of(pool)}
        mine, theirs = ("IPv4", "IPv6") if families == {4} else ("IPv6", "IPv4")
        return RouteFailure(
            False, Category.ROUTING, f"{site.name} has {theirs} addresses only, and each source to send from is {mine}"
        )


def _pool(run: Run, site: Site) -> str:
    """Return the pool that mail to the site leaves from: its route's, else its campaign's."""
    return site.manner.sources or run.pool
