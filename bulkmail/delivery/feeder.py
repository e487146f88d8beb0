"""Brings recipients from the spool to their lanes: opens queues, routes them, claims for the lanes that are hungry.

Memory is bounded whatever the list's size: at most `OPEN_QUEUES` queues are open, and at most a window of messages is
claimed at once (smaller when the messages are large). Everything else waits in the spool, where it costs nothing.

A queue is the recipients of one campaign at one domain. It is *open* while it has a lane here; it closes when a claim
finds it empty, and opens again when the import adds to it or when one of its recipients becomes due.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from bulkmail.delivery.background import Wakeup, background
from bulkmail.delivery.composing import Composing
from bulkmail.delivery.lane import Lane
from bulkmail.delivery.message import Message, Queue
from bulkmail.delivery.outage import nowhere, unroutable
from bulkmail.delivery.scout import Scout
from bulkmail.mail import Category, OwnFault, Status
from bulkmail.routing import RouteFailure, Site
from bulkmail.spool import Claimed, Spool

if TYPE_CHECKING:
    from bulkmail.delivery.run import Run
    from bulkmail.delivery.sharing import Sharing
    from bulkmail.delivery.street import Street

_log = Logger("bulkmail")

OPEN_QUEUES = 20_000
WINDOW_BYTES = 20 * 1024 * 1024  # of the messages claimed at once
LARGEST_STOCK = 1024  # of one lane: a claim takes as long as the disk does, and meanwhile nothing comes
_ROUTES = 1000  # domains asked for at once: the resolver's patience is for answers, not for standing in line
_DRAIN = 500
_WIDEST = 512  # of one lane's queues asked at once: with a relay all small domains are in one lane
_COALESCE = 0.1
_NOT_COMPOSED = 5.0
_SCAN_AGAIN = 0.5  # what is overdue and was seen belongs to a resting lane; its own timer wakes that
_LOOK_AGAIN = 0.02
_PATIENCE = 2000


class Feeder:
    """Feeds the lanes. ``route(domain)`` gives a Site or a RouteFailure, or raises OwnFault.

    ``sharing``: set where other machines send from the same spool; it knows which of the queues are theirs.
    """

    sharing: Sharing | None = None

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
        self._routing = 0
        self._claims = 0
        self._draining = 0
        self._average = 12_000.0
        self._fill_soon = Wakeup(street.reactor, self._fill)
        self._scout = Scout(spool=spool, street=street, runs=self.runs, found=self._open, room=self._room)

    # what others tell

    def more(self) -> None:
        """There may be unclaimed recipients that this feeder has not seen: rows were added, a pause has ended."""
        self._scout.more()

    def due_at(self, wall: float) -> None:
        """A recipient becomes due at ``wall``."""
        self._scout.due_at(wall)

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
        self.freed()

    def freed(self) -> None:
        """There may be room for more messages; what comes free one by one is gathered for a moment."""
        if self._hungry and (room := self.window) > 0:
            self._fill_soon.at(self._street.now() + (0.0 if room * 16 >= room + self.held else _COALESCE))

    def lane_down(self, lane: Lane) -> None:
        """The lane rests; it is woken when the rest is over, and its domains are routed afresh."""
        self._hungry.pop(lane, None)
        for queue in list(lane.queues):
            if lane.outage.outlasts(queue.run, lane.down_until):
                lane.queues.discard(queue)
                background(self._drain(queue, lane, lane.expire), "expiring the recipients of a dead site")
        self._street.reactor.callLater(max(0.0, lane.down_until - self._street.now()) + 0.001, self._lane_up, lane)

    def composed(self, message: Message) -> None:
        """A message came back from the compose workers."""
        self._average += (message.size - self._average) * 0.01
        if self.stopping or message.run.over or message.run.paused:
            self.untouched([message], 0.0)
        else:
            message.lane.add(message)

    def not_composed(self, messages: Sequence[Message]) -> None:
        """The compose workers failed, through no fault of these rows: once more in a while."""
        self.untouched(messages, self._street.wall() + self._street.scaled(_NOT_COMPOSED))

    def untouched(self, messages: Sequence[Message], due: float) -> None:
        """These go back to the spool, not to be tried before ``due``."""
        self._street.give_back(messages, due)
        for message in messages:
            message.lane.hold(-1)
            message.lane.wake()

    def spoilt(self, message: Message, reason: str) -> None:
        """A row that cannot be composed: that is its final outcome."""
        message.lane.hold(-1)
        message.lane.wake()
        self._street.ledger.close(message, Status.INVALID, Category.TEMPLATE, reason)

    @property
    def held(self) -> int:
        """Messages claimed and not yet recorded or given back."""
        return self._street.held + self._draining

    @property
    def window(self) -> int:
        """How many more may be claimed now."""
        size = min(self._street.settings.shaping.total.claimed, max(256, int(WINDOW_BYTES / max(1.0, self._average))))
        return size - self.held

    @property
    def idle(self) -> bool:
        """Nothing is claimed, nothing is being looked for, and every open queue belongs to a resting lane."""
        return (
            self._scout.done
            and not self._claims
            and self.held == 0
            and not self._composing.parked
            and all(queue.lane is not None and queue.lane.down for queue in self.queues.values())
        )

    # opening queues

    def _room(self) -> bool:
        return len(self.queues) < OPEN_QUEUES and self._routing < _ROUTES

    def _open(self, queue_id: int, campaign_id: int, domain: str) -> None:
        queue = self.queues.get(queue_id)
        if queue is not None:
            if queue.lane is not None:
                queue.lane.wake()
            return
        run = self.runs.get(campaign_id)
        if run is None or run.withheld or (self.sharing is not None and self.sharing.elsewhere(queue_id)):
            return
        queue = self.queues[queue_id] = Queue(queue_id, run, domain)
        background(self._route(queue), "routing a domain")

    async def _route(self, queue: Queue) -> None:
        self._routing += 1
        began = self._street.wall()
        try:
            site = await self._route_domain(queue.domain)
            if self.sharing is not None and not await self.sharing.ours(queue, site):
                self.close(queue)
                return
        except OwnFault as fault:
            self.close(queue)
            self._street.own_fault(str(fault))  # the end of the pause looks at everything again
            return
        except Exception:  # noqa: BLE001 - the queue must come back, whatever it was
            _log.failure("routing {domain} failed", domain=queue.domain)
            self.close(queue)
            self._street.own_fault(f"{queue.domain} could not be routed")
            return
        finally:
            self._routing -= 1
            self._scout.go_on()
        if self.stopping or queue.run.withheld:
            self.close(queue)
            return
        if isinstance(site, RouteFailure):
            outcome = unroutable(site)
            lane = self._lane(nowhere(queue.domain))
            if site.permanent:
                street = self._street
                took = street.wall() - began
                await self._drain(queue, lane, lambda one: street.record(one, outcome, "", street.wall() - took))
                return
            self._attach(queue, lane)
            lane.fail(outcome, began)
        else:
            lane = self._lane(site)
            lane.site = site
            if queue.lane is not None and queue.lane is not lane:
                self._forgive(queue.lane)
            self._attach(queue, lane)
        lane.wake()
        self.hungry(lane)

    def _forgive(self, lane: Lane) -> None:
        """Its recipients go elsewhere now: an outage there keeps nobody waiting."""
        if not lane.queues:
            lane.outage.over()

    def _lane(self, site: Site) -> Lane:
        lane = self.lanes.get(site.key)
        if lane is None:
            lane = self.lanes[site.key] = Lane(site, self._street.limits_of(site), self._street)
        return lane

    def _attach(self, queue: Queue, lane: Lane) -> None:
        queue.lane = lane
        lane.queues.add(queue)

    def close(self, queue: Queue) -> None:
        """Nothing more is claimed from it, unless it is found again."""
        self.queues.pop(queue.id, None)
        if queue.lane is not None:
            queue.lane.queues.discard(queue)
        self._scout.go_on()

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
            lane.close_idle(lane.limits.idle)
            if lane.retire():
                lane.outage.over()  # nobody waits for it any more
                del self.lanes[key]
                self._hungry.pop(lane, None)
        self._street.gates.keep_paces()
        self._street.gates.drop_unused(now)
        self._street.gates.wake_waiting()

    # claiming

    def _fill(self) -> None:
        if self.stopping or self._street.paused:
            return
        for queue, limit in self._wanted():
            queue.claiming = True
            self._claims += 1
            lane = queue.lane
            assert lane is not None
            lane.queues.claiming += 1
            lane.hold(limit)
            claim = self._spool.claim(queue.id, limit)
            whose = (queue, lane, limit)
            claim.addCallbacks(self._take, self._not_claimed, callbackArgs=whose, errbackArgs=whose)
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
            room -= self._spread(lane, limit, wanted)
        return wanted

    def _spread(self, lane: Lane, limit: int, wanted: list[tuple[Queue, int]]) -> int:
        """Ask one queue while queues are deep, several at once when they run dry: a hoster's thousand small domains."""
        left = limit
        each = max(2, limit // lane.spread)  # one more than a row that stands alone: the claim tells that it does
        for _ in range(len(lane.queues)):
            if left <= 0:
                break
            queue = lane.queues.next()
            if not queue.claiming:
                wanted.append((queue, min(left, each)))
                left -= min(left, each)
        return limit - left

    def _take(self, rows: list[Claimed], queue: Queue, lane: Lane, limit: int) -> None:
        queue.claiming = False
        self._claims -= 1
        messages = [Message(row, queue, queue.run, lane) for row in rows]
        self._answered(lane)
        lane.hold(len(rows) - limit)
        if self.stopping or lane.closed or queue.run.over or queue.run.withheld:
            self.untouched(messages, 0.0)
            return
        if len(rows) < limit:
            self.close(queue)
            lane.spread = min(_WIDEST, lane.spread * 2)
        else:
            lane.spread = max(1, lane.spread // 2)
        if lane.blamed or lane.down:
            for message in messages:
                lane.add(message)
        else:
            self._composing.add(messages)
        lane.wake()

    @staticmethod
    def _answered(lane: Lane) -> None:
        """One more claim has its answer; with the last of a round it shows whether the lane ran dry meanwhile."""
        lane.queues.claiming -= 1
        if not lane.queues.claiming and lane.dry:
            lane.stock = min(LARGEST_STOCK, lane.stock * 2)

    def _not_claimed(self, failure: Failure, queue: Queue, lane: Lane, limit: int) -> None:
        queue.claiming = False
        self._claims -= 1
        self._street.own_fault(failure.getErrorMessage())
        self._hungry[lane] = None
        lane.queues.claiming -= 1
        lane.hold(-limit)
        if not isinstance(failure.value, OwnFault):
            failure.raiseException()

    async def _drain(self, queue: Queue, lane: Lane, settle: Callable[[Message], object]) -> None:
        """Claim everything the queue has and settle it without sending."""
        try:
            while not self.stopping:
                claimed = await self._spool.claim(queue.id, _DRAIN)
                self._draining += len(claimed)
                for row in claimed:
                    self._draining -= 1
                    settle(Message(row, queue, queue.run, lane))
                if len(claimed) < _DRAIN:
                    break
        except OwnFault as fault:
            self._street.own_fault(str(fault))
        self.close(queue)

    # ending

    def look_no_more(self) -> None:
        """Everything is done, or will not be: the spool is about to close."""
        self._scout.stop()

    def stop(self) -> None:
        """No new work: queues close, lanes finish what is in flight."""
        self.stopping = True
        self._scout.stop()
        self._fill_soon.cancel()
        self._hungry.clear()
        self.untouched(self._composing.take_back(), 0.0)
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
