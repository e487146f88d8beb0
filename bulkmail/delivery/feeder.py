"""Brings recipients from the spool to their lanes: opens queues, routes them, claims for the lanes that are hungry.

Memory is bounded whatever the list's size: at most `OPEN_QUEUES` queues are open, and at most a window of messages is
claimed at once (smaller when the messages are large). Everything else waits in the spool, where it costs nothing.

A queue is the recipients of one campaign at one domain. It is *open* while it has a lane here; it closes when a claim
finds it empty, and opens again when the import adds to it or when one of its recipients becomes due.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from bulkmail.delivery.background import Wakeup, background
from bulkmail.delivery.composing import Composing
from bulkmail.delivery.lane import Lane, unroutable
from bulkmail.delivery.message import Message, Queue
from bulkmail.mail import Category, OwnFault, Status
from bulkmail.routing import RouteFailure, Site
from bulkmail.shaping import classify
from bulkmail.spool import Claimed, Spool

if TYPE_CHECKING:
    from bulkmail.delivery.run import Run
    from bulkmail.delivery.street import Street

_log = Logger("bulkmail")

OPEN_QUEUES = 20_000
WINDOW = 4096  # messages claimed at once
WINDOW_BYTES = 64 * 1024 * 1024
_SCAN = 500
_DRAIN = 500
_SCAN_AGAIN = 0.5  # what is overdue and was seen belongs to a resting lane; its own timer wakes that
_LOOK_AGAIN = 0.02
_PATIENCE = 2000


class Feeder:
    """Feeds the lanes. ``route(domain)`` gives a Site or a RouteFailure, or raises OwnFault."""

    def __init__(
        self,
        *,
        spool: Spool,
        street: Street,
        composing: Composing,
        route: Callable[[str], Awaitable[Site | RouteFailure]],
    ) -> None:
        self._spool = spool
        self._street = street
        self._composing = composing
        self._route_domain = route
        self.runs: dict[int, Run] = {}
        self.lanes: dict[str, Lane] = {}
        self.queues: dict[int, Queue] = {}
        self.stopping = False
        self._hungry: dict[Lane, None] = {}
        self._after = 0
        self._scanned = False
        self._scanning = False
        self._scan_again = False
        self._claims = 0
        self._draining = 0
        self._average = 12_000.0
        self._scan_soon = Wakeup(street.reactor, self._start_scan)
        self._fill_soon = Wakeup(street.reactor, self._fill)
        self._due_timer = Wakeup(street.reactor, self._scan_soon.now)

    # what others tell

    def more(self) -> None:
        """There may be unclaimed recipients that this feeder has not seen: rows were added, a pause has ended."""
        self._after = 0
        self._scanned = False
        self._scan_soon.now()

    def due_at(self, wall: float) -> None:
        """A recipient becomes due at ``wall``."""
        self._due_timer.at(self._street.now() + max(0.0, wall - self._street.wall()) + 0.001)

    def resume(self) -> None:
        """A pause has ended: look at everything again."""
        self.more()
        for lane in self.lanes.values():
            lane.wake()
        if self._hungry:
            self._fill_soon.now()

    def hungry(self, lane: Lane) -> None:
        """The lane could take more messages."""
        self._hungry[lane] = None
        if self.window > 0:
            self._fill_soon.now()

    def lane_down(self, lane: Lane) -> None:
        """The lane rests; it is woken when the rest is over, and its domains are routed afresh."""
        self._hungry.pop(lane, None)
        if lane.expired:
            for queue in list(lane.queues):
                lane.queues.remove(queue)
                background(self._drain(queue, self._expire_with(lane)), "expiring the recipients of a dead site")
            return
        self._street.reactor.callLater(max(0.0, lane.down_until - self._street.now()) + 0.001, self._lane_up, lane)

    def composed(self, message: Message) -> None:
        """A message came back from the compose workers."""
        self._average += (message.size - self._average) * 0.01
        lane = message.queue.lane
        if lane is None or self.stopping:
            self._street.give_back([message], 0.0)
            if lane is not None:
                lane.hold(-1)
        else:
            lane.add(message)

    def spoilt(self, message: Message, reason: str) -> None:
        """A row that cannot be composed: that is its final outcome."""
        lane = message.queue.lane
        self._street.ledger.close(message, Status.INVALID, Category.TEMPLATE, reason)
        if lane is not None:
            lane.hold(-1)
            lane.wake()

    @property
    def held(self) -> int:
        """Messages claimed and not yet recorded or given back."""
        return self._street.held + self._draining

    @property
    def window(self) -> int:
        """How many more may be claimed now."""
        size = min(WINDOW, max(256, int(WINDOW_BYTES / max(1.0, self._average))))
        return size - self.held

    @property
    def idle(self) -> bool:
        """Nothing is claimed, nothing is being looked for, and every open queue belongs to a resting lane."""
        return (
            self._scanned
            and not self._scanning
            and not self._claims
            and self.held == 0
            and all(queue.lane is not None and queue.lane.down for queue in self.queues.values())
        )

    # opening queues

    def _start_scan(self) -> None:
        self._scan_again = self._scanning
        if self._scanning or self.stopping or self._street.paused:
            return
        self._scanning = True
        background(self._scan(), "looking for recipients to send to")

    async def _scan(self) -> None:
        try:
            await self._open_due()
            while not self._scanned and not self.stopping and len(self.queues) < OPEN_QUEUES:
                found = await self._spool.backlog(self._after, _SCAN)
                for queue_id, campaign_id, domain in found:
                    self._after = queue_id
                    self._open(queue_id, campaign_id, domain)
                if len(found) < _SCAN:
                    self._scanned = True
            next_due = await self._spool.next_due()
            if next_due is not None:
                self.due_at(max(next_due, self._street.wall() + _SCAN_AGAIN))
        except OwnFault as fault:
            self._street.own_fault(str(fault))
        finally:
            self._scanning = False
            if self._scan_again:
                self._scan_soon.now()

    async def _open_due(self) -> None:
        after = (-1.0, 0)
        found = [(0, 0, "", 0.0)] * _SCAN
        while len(found) == _SCAN and not self.stopping:
            found = await self._spool.due_queues(self._street.wall(), _SCAN, after)
            for queue_id, campaign_id, domain, next_at in found:
                self._open(queue_id, campaign_id, domain)
                after = (next_at, queue_id)

    def _open(self, queue_id: int, campaign_id: int, domain: str) -> None:
        queue = self.queues.get(queue_id)
        if queue is not None:
            if queue.lane is not None:
                queue.lane.wake()
            return
        run = self.runs.get(campaign_id)
        if run is None or run.held_back:
            return
        queue = self.queues[queue_id] = Queue(queue_id, run, domain)
        background(self._route(queue), "routing a domain")

    async def _route(self, queue: Queue) -> None:
        try:
            site = await self._route_domain(queue.domain)
        except OwnFault as fault:
            self._close(queue)
            self._scanned = False
            self._after = 0
            self._street.own_fault(str(fault))
            return
        if self.stopping:
            self._close(queue)
            return
        if isinstance(site, RouteFailure):
            outcome = unroutable(site)
            if site.permanent:
                began = self._street.wall()
                await self._drain(queue, lambda message: self._street.record(message, outcome, "", began))
                return
            lane = self._lane(Site(f"domain {queue.domain}", (), "", queue.domain))
            self._attach(queue, lane)
            lane.fail(outcome)
        else:
            lane = self._lane(site)
            lane.site = site
            if queue.lane is not None and queue.lane is not lane:
                queue.lane.forgive()
            self._attach(queue, lane)
        lane.wake()
        self.hungry(lane)

    def _lane(self, site: Site) -> Lane:
        lane = self.lanes.get(site.key)
        if lane is None:
            lane = self.lanes[site.key] = Lane(site, self._street.limits_of(site), self._street)
        return lane

    def _attach(self, queue: Queue, lane: Lane) -> None:
        queue.lane = lane
        lane.queues.append(queue)

    def _close(self, queue: Queue) -> None:
        self.queues.pop(queue.id, None)
        lane = queue.lane
        if lane is not None and queue in lane.queues:
            lane.queues.remove(queue)
        if not self._scanned:
            self._scan_soon.now()

    def _lane_up(self, lane: Lane) -> None:
        if self.stopping or lane.closed:
            return
        queues = list(lane.queues)
        lane.queues.clear()
        for queue in queues:
            background(self._route(queue), "routing a domain again")
        lane.wake()

    def tidy(self) -> None:
        """Forget lanes without work and close connections that were idle for too long; called once a second."""
        now = self._street.now()
        for key, lane in list(self.lanes.items()):
            lane.close_idle(now - lane.limits.idle)
            if lane.retire():
                del self.lanes[key]
                self._hungry.pop(lane, None)
        self._street.gates.drop_unused()

    # claiming

    def _fill(self) -> None:
        if self.stopping or self._street.paused:
            return
        for queue, limit in self._wanted():
            queue.claiming = True
            self._claims += 1
            assert queue.lane is not None
            queue.lane.hold(limit)
            claim = self._spool.claim(queue.id, limit)
            claim.addCallbacks(self._take, self._not_claimed, callbackArgs=(queue, limit), errbackArgs=(queue, limit))
            claim.addErrback(lambda failure: _log.failure("taking claimed recipients failed", failure))

    def _wanted(self) -> list[tuple[Queue, int]]:
        """Which queues to claim from, and how many: the window shared among the hungry lanes, first come first."""
        room = self.window
        share = max(1, room // max(1, len(self._hungry)))
        wanted: list[tuple[Queue, int]] = []
        for lane in list(self._hungry):
            if room <= 0:
                break
            del self._hungry[lane]
            limit = min(lane.wants, share, room)
            if limit <= 0:
                continue
            for _ in range(len(lane.queues)):
                queue = lane.queues[0]
                lane.queues.rotate(-1)
                if not queue.claiming:
                    room -= limit
                    wanted.append((queue, limit))
                    break
        return wanted

    def _take(self, rows: list[Claimed], queue: Queue, limit: int) -> None:
        queue.claiming = False
        self._claims -= 1
        lane = queue.lane
        assert lane is not None
        lane.hold(len(rows) - limit)
        messages = [Message(row, queue, queue.run) for row in rows]
        if self.stopping or lane.closed:
            lane.hold(-len(messages))
            self._street.give_back(messages, 0.0)
            return
        if len(rows) < limit:
            self._close(queue)
        if lane.blamed or lane.down:
            for message in messages:
                lane.add(message)
        else:
            self._composing.add(messages)
        lane.wake()

    def _not_claimed(self, failure: Failure, queue: Queue, limit: int) -> None:
        queue.claiming = False
        self._claims -= 1
        if queue.lane is not None:
            queue.lane.hold(-limit)
            self._hungry[queue.lane] = None
        if not isinstance(failure.value, OwnFault):
            failure.raiseException()
        self._street.own_fault(str(failure.value))

    async def _drain(self, queue: Queue, settle: Callable[[Message], object]) -> None:
        """Claim everything the queue has and settle it without sending."""
        try:
            while not self.stopping:
                claimed = await self._spool.claim(queue.id, _DRAIN)
                self._draining += len(claimed)
                for row in claimed:
                    settle(Message(row, queue, queue.run))
                    self._draining -= 1
                if len(claimed) < _DRAIN:
                    break
        except OwnFault as fault:
            self._street.own_fault(str(fault))
            self._scanned = False
            self._after = 0
        self._close(queue)

    def _expire_with(self, lane: Lane) -> Callable[[Message], object]:
        outcome, probe = lane.last_failure
        assert outcome is not None
        category = classify(outcome).category

        def expire(message: Message) -> None:
            self._street.ledger.close(
                message, Status.EXPIRED, category, outcome.note, provider=lane.site.provider, reply_of=probe
            )

        return expire

    # ending

    def stop(self) -> None:
        """No new work: queues close, lanes finish what is in flight."""
        self.stopping = True
        for wakeup in (self._scan_soon, self._fill_soon, self._due_timer):
            wakeup.cancel()
        self._hungry.clear()
        for message in self._composing.take_back():
            lane = message.queue.lane
            if lane is not None:
                lane.hold(-1)
            self._street.give_back([message], 0.0)
        for lane in self.lanes.values():
            lane.stop()

    async def emptied(self) -> None:
        """Wait until everything claimed has been recorded or given back; compose workers may hold some for a moment."""
        for _ in range(_PATIENCE):
            if (not self.held and not self._claims) or self._street.hurry:
                return
            await deferLater(self._street.reactor, _LOOK_AGAIN)
        _log.warn("{held} recipients were still in hand; the next start finds them", held=self.held)

    @property
    def in_flight(self) -> int:
        """Messages on a connection, waiting for their reply."""
        return sum(lane.in_flight for lane in self.lanes.values())

    def abort(self) -> None:
        """Cut what is still in flight."""
        for lane in self.lanes.values():
            lane.abort()
