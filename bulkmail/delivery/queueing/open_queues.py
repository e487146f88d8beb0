"""The open queues of this process: each is routed, supplies the lane of its site, and closes when it is empty."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from twisted.logger import Logger

from bulkmail.delivery.background import background
from bulkmail.delivery.clocks import Clocks
from bulkmail.delivery.holds import holds_at
from bulkmail.delivery.in_parts import InParts
from bulkmail.delivery.lane import Lane
from bulkmail.delivery.ledger import Ledger
from bulkmail.delivery.message import Message
from bulkmail.delivery.pause import Pause
from bulkmail.delivery.queueing.queues import Queue
from bulkmail.delivery.queueing.source_lanes import SourceLanes
from bulkmail.delivery.queueing.supply import Supply
from bulkmail.delivery.run import Run
from bulkmail.delivery.sources import Sources
from bulkmail.mail import OwnFault
from bulkmail.routing import RouteFailure, Site, unroutable_outcome, unroutable_site
from bulkmail.shaping import room_for
from bulkmail.spool import Spool

_log = Logger("bulkmail")

OPEN_QUEUES = 20_000
_MOST_PARKED = 200_000
_ROUTES = 1000  # domains asked for at once: the resolver's timeout is for answers, not for standing in line
_DRAIN = 500  # messages claimed at once from a queue whose recipients are settled without being sent to


class Ownership(Protocol):
    """Which queues are this machine's, where several machines send from one spool."""

    def is_remote(self, queue_id: int) -> bool:
        """Return whether the queue is known to be another machine's."""

    async def ours(self, queue: Queue, site: Site | RouteFailure) -> bool:
        """Return whether we may send to the queue's site; ask for it if it should be ours. Raises OwnFault."""


class Wants(Protocol):
    """What the lanes of all queues tell."""

    def hold(self, count: int, run: Run) -> None:
        """Add ``count`` (may be negative) to the claimed, unsettled messages of a campaign."""

    def wanted(self, supply: Supply, run: Run) -> None:
        """The lane of this supply could take more messages of a campaign."""

    def not_wanted(self, supply: Supply) -> None:
        """The lane of this supply takes no messages now."""


class OpenQueues:
    """``route(domain)`` gives a Site or a RouteFailure, or raises OwnFault.

    ``new_lane(site, supplier, source=…)`` makes a lane.

    ``draining``: messages that were claimed only to be settled. ``lanes``: by site key and source (`Source.key`).
    ``parked``: the ids of queues that lead to where their campaign is held.
    """

    def __init__(
        self,
        wants: Wants,
        *,
        spool: Spool,
        clocks: Clocks,
        pause: Pause,
        ledger: Ledger,
        route: Callable[[str], Awaitable[Site | RouteFailure]],
        new_lane: Callable[..., Lane],
        sources: Sources,
    ) -> None:
        self.runs: dict[int, Run] = {}
        self.queues: dict[int, Queue] = {}
        self.draining = 0
        self.parked: dict[int, Run] = {}
        self._lanes_in_parts: InParts[str] = InParts()
        self._stopping = False
        self._routing = 0
        self._wants = wants
        self._spool = spool
        self._clocks = clocks
        self._pause = pause
        self._ledger = ledger
        self._route_domain = route
        self.source_lanes = SourceLanes(sources, wants, new_lane=new_lane, suspended=self._suspended)
        self.lanes, self._supplies = self.source_lanes.lanes, self.source_lanes.supplies
        self._on_room: list[Callable[[], None]] = []
        self._ownership: Ownership | None = None

    def on_room(self, call: Callable[[], None]) -> None:
        """Call ``call()`` whenever there may be room for another queue."""
        self._on_room.append(call)

    def _room_again(self) -> None:
        for call in self._on_room:
            call()

    def share(self, ownership: Ownership) -> None:
        """Open only the queues that ``ownership`` says are this machine's; without this call all of them are."""
        self._ownership = ownership

    def room(self, run: Run) -> bool:
        """Return whether one more queue of a campaign may be opened now, and room is left for those of others."""
        queues, routes = OPEN_QUEUES - len(self.queues), _ROUTES - self._routing
        return room_for(run.queues, queues) > 0 and room_for(run.routing, routes) > 0

    @property
    def all_suspended(self) -> bool:
        """Whether every open queue belongs to suspended lanes; one that rests for a fault of our own does not count."""
        return all(
            queue.lanes and all(lane.suspended and not lane.suspension.resting for lane in queue.lanes)
            for queue in self.queues.values()
        )

    def supply_of(self, lane: Lane) -> Supply:
        """Return the supply of a lane."""
        return self._supplies[lane]

    # opening

    def open(self, queue_id: int, campaign_id: int, domain: str) -> None:
        """Open a queue that has something to send, or wake its lane if it is open."""
        queue = self.queues.get(queue_id)
        if queue is not None:
            for lane in queue.lanes:
                lane.wake()
            return
        run = self.runs.get(campaign_id)
        if (
            run is None
            or run.withheld
            or queue_id in self.parked
            or (self._ownership is not None and self._ownership.is_remote(queue_id))
        ):
            return
        queue = self.queues[queue_id] = Queue(queue_id, run, domain)
        run.queues += 1
        background(self._route(queue), "routing a domain")

    async def _route(self, queue: Queue) -> None:
        self._routing += 1
        queue.run.routing += 1
        began = self._clocks.wall()
        try:
            site = await self._route_domain(queue.domain)
            if _is_held(queue.run, site):
                self._park(queue)
                return
            if self._ownership is not None and not await self._ownership.ours(queue, site):
                self.close(queue)
                return
        except OwnFault as fault:
            self.close(queue)
            self._pause.own_fault(str(fault))  # the end of the pause looks at everything again
            return
        except Exception:  # noqa: BLE001 - the queue must come back, whatever it was
            _log.failure("routing {domain} failed", domain=queue.domain, campaign=queue.run.name)
            self.close(queue)
            self._pause.own_fault(f"{queue.domain} could not be routed")
            return
        finally:
            self._routing -= 1
            queue.run.routing -= 1
            self._room_again()
        if self.queues.get(queue.id) is not queue:
            return  # closed while it was routed: its campaign is not sent here any more
        if self._stopping or queue.run.withheld:
            self.close(queue)
        elif isinstance(site, RouteFailure):
            await self._unroutable(queue, site, began)
        else:
            failure = self.source_lanes.lead(queue, site)
            if failure is not None:
                await self._unroutable(queue, failure, began)

    async def _unroutable(self, queue: Queue, failure: RouteFailure, began: float) -> None:
        outcome, ledger = unroutable_outcome(failure), self._ledger
        supply = self.source_lanes.supply(unroutable_site(queue.domain))
        if failure.permanent:
            took = self._clocks.wall() - began
            await self._drain(
                queue, supply.lane, lambda one: ledger.record(one, outcome, "", self._clocks.wall() - took)
            )
            return
        self.source_lanes.leave(queue)
        self.source_lanes.attach(queue, supply)
        supply.lane.backlog.fail(outcome, began)

    def claim_ended(self, queue: Queue, supply: Supply, count: int, *, emptied: bool) -> None:
        """A claim found ``count`` messages: close the queue, or let the lanes of other sources claim from it too."""
        self.source_lanes.claimed(supply, queue, count)
        if emptied:
            self.close(queue)
        else:
            self.source_lanes.widen(queue)

    # closing

    def close(self, queue: Queue) -> None:
        """Claim nothing more from a queue, unless it is found again."""
        if self.queues.get(queue.id) is queue:
            del self.queues[queue.id]
            queue.run.queues -= 1
        self.source_lanes.leave(queue)
        self._room_again()

    def leave(self, lane: Lane) -> list[Queue]:
        """Stop a lane whose site another machine is to have; it is forgotten when it is empty. Returns its queues."""
        queues = list(self._supplies[lane])
        for queue in queues:
            self.close(queue)
        lane.suspension.lift()  # an outage is the next machine's to find
        lane.stop()
        for key in [key for key, known in self.lanes.items() if known is lane]:
            del self.lanes[key]
        self.lanes[f"leaving {id(lane)}"] = lane
        return queues

    def withdraw(self, run: Run, provider: str = "") -> list[Message]:
        """Close the queues of a campaign, or those at a provider; returns its ready messages, which are the caller's.

        A queue that is being routed is looked at again when that is known.
        """
        lanes = [lane for lane in self.lanes.values() if provider in holds_at(lane.site.provider)]
        for queue in [queue for queue in self.queues.values() if queue.run is run]:
            if not provider or any(lane in lanes for lane in queue.lanes):
                self.close(queue)
        return [message for lane in lanes for message in lane.backlog.withdraw(run)]

    def unpark(self, run: Run) -> None:
        """Let the queues of a campaign be opened again that were found to lead to a provider where it was held."""
        for queue_id in [queue_id for queue_id, whose in self.parked.items() if whose is run]:
            del self.parked[queue_id]

    def _park(self, queue: Queue) -> None:
        """Remember a queue that is not to be opened now, so that it is not routed at each scan."""
        self.close(queue)
        if len(self.parked) >= _MOST_PARKED:
            self.parked.clear()
        self.parked[queue.id] = queue.run

    def forget_unused(self) -> None:
        """Forget lanes without work, and close connections that were idle for too long; called once a second.

        Of many lanes each is looked at every few seconds.
        """
        for key in self._lanes_in_parts.next(self.lanes):
            lane = self.lanes.get(key)
            if lane is None:
                continue
            lane.close_idle(lane.limits.idle)
            supply = self._supplies[lane]
            if not supply and lane.retire():
                if not lane.source.name:
                    lane.suspension.end_outage()  # no recipient waits for it any more
                del self.lanes[key], self._supplies[lane]
                self._wants.not_wanted(supply)

    @property
    def open_lanes(self) -> list[Lane]:
        """The lanes that take messages."""
        return [lane for lane in self.lanes.values() if not lane.closed]

    @property
    def in_flight(self) -> int:
        """Messages on a connection, waiting for their reply."""
        return sum(lane.in_flight for lane in self.lanes.values())

    def abort(self) -> None:
        """Cut what is still in flight."""
        for lane in self.lanes.values():
            lane.abort()

    def stop(self) -> None:
        """Route nothing more; lanes finish what is in flight."""
        self._stopping = True
        for lane in self.lanes.values():
            lane.stop()

    # a suspended lane

    def _suspended(self, supply: Supply) -> None:
        """Expire the recipients that may not wait for the lane; wake it afterwards, its domains routed afresh."""
        self._wants.not_wanted(supply)
        lane = supply.lane
        suspension = lane.suspension
        for queue in list(supply):
            if self.source_lanes.move(queue, lane):
                suspension.relieved()
            elif suspension.outlasts(queue.run, suspension.until):
                supply.discard(queue)
                background(self._drain(queue, lane, lane.backlog.expire), "expiring the recipients of a dead site")
        rest = max(0.0, suspension.until - self._clocks.now())
        self._clocks.reactor.callLater(rest + 0.001, self._suspension_over, supply)

    def _suspension_over(self, supply: Supply) -> None:
        if self._stopping or supply.lane.closed:
            return
        queues = list(supply)
        supply.clear()
        for queue in queues:
            background(self._route(queue), "routing a domain again")
        supply.lane.wake()

    async def _drain(self, queue: Queue, lane: Lane, settle: Callable[[Message], object]) -> None:
        """Claim everything the queue has and settle it without sending."""
        try:
            while not self._stopping and not queue.run.withheld:
                claimed = await self._spool.claim(queue.id, _DRAIN)
                self.draining += len(claimed)
                if queue.run.allowance is not None:
                    queue.run.allowance.take(len(claimed), None)
                for row in claimed:
                    self.draining -= 1
                    settle(Message(row, queue.domain, queue.run, lane.backlog))
                if len(claimed) < _DRAIN:
                    break
        except OwnFault as fault:
            self._pause.own_fault(str(fault))
        self.close(queue)


def _is_held(run: Run, site: Site | RouteFailure) -> bool:
    """Return whether a campaign is held where this leads, and goes on elsewhere."""
    if not run.holds.providers or run.holds.whole:
        return False
    if isinstance(site, RouteFailure):
        return not site.permanent and run.holds.at("")
    return run.holds.at(site.provider)
