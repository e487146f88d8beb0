"""Brings recipients from the spool to their lanes: claims for the lanes that want messages, and has them composed.

Memory is bounded whatever the list's size: a bounded number of queues is open (`open_queues`), and at most a window of
messages is claimed at once (smaller when the messages are large). Everything else waits in the spool, where it costs
nothing.

Campaigns take turns at claiming, each by its weight, and none holds so much of the window that a further one finds no
room in it: `shaping.room_for` says how much it may have.

A queue is the recipients of one campaign at one domain. It is *open* while it supplies a lane here; it closes when a
claim finds it empty, and opens again when the import adds to it or when one of its recipients becomes due.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from bulkmail.delivery.background import Wakeup
from bulkmail.delivery.clocks import Clocks
from bulkmail.delivery.lane import Lane
from bulkmail.delivery.ledger import Ledger
from bulkmail.delivery.limits import Limiters
from bulkmail.delivery.message import Message
from bulkmail.delivery.pause import Pause
from bulkmail.delivery.queueing.composing import Composing
from bulkmail.delivery.queueing.gate import Gate
from bulkmail.delivery.queueing.open_queues import OpenQueues
from bulkmail.delivery.queueing.pacing import Grant, Pacing
from bulkmail.delivery.queueing.queue_scan import QueueScan
from bulkmail.delivery.queueing.queues import Queue
from bulkmail.delivery.queueing.supply import FIRST_TARGET, Supply
from bulkmail.delivery.queueing.wanting import Wanting
from bulkmail.delivery.queueing.withholding import Withholding
from bulkmail.delivery.run import Run
from bulkmail.delivery.sources import Sources
from bulkmail.mail import Category, OwnFault, Status, count_of
from bulkmail.routing import RouteFailure, Site
from bulkmail.shaping import Turns, room_for, share_of
from bulkmail.spool import Claimed, Spool
from bulkmail.workers import Pool

_log = Logger("bulkmail")

WINDOW_BYTES = 20 * 1024 * 1024  # of the messages claimed at once
_COALESCE = 0.1  # seconds in which capacity that comes free one by one is gathered
_NOT_COMPOSED = 5.0  # seconds until a message is composed again whose workers failed
_LOOK_AGAIN = 0.02  # seconds
_PATIENCE = 2000  # looks


class Feeder:
    """Feeds the lanes. ``most_claimed``: messages claimed at once, at most.

    ``route(domain)`` gives a Site or a RouteFailure, or raises OwnFault. ``new_lane(site, supplier, source=…)`` makes
    a lane.
    """

    def __init__(
        self,
        *,
        spool: Spool,
        clocks: Clocks,
        pause: Pause,
        ledger: Ledger,
        limiters: Limiters,
        compose: Pool,
        most_claimed: int,
        route: Callable[[str], Awaitable[Site | RouteFailure]],
        new_lane: Callable[..., Lane],
        sources: Sources,
    ) -> None:
        self.stopping = False
        self._spool = spool
        self._clocks = clocks
        self._pause = pause
        self._ledger = ledger
        self._limiters = limiters
        self._most_claimed = most_claimed
        self._warming = ledger.warming
        self._wanting = Wanting(clocks.now, lambda: limiters.total.scarce)
        self._turns: Turns[Run] = Turns()
        self._held = 0
        self._claims = 0
        self._average = 12_000.0  # bytes of a message
        self._fill_soon = Wakeup(clocks.reactor, self._fill)
        self._pacing = Pacing(clocks, ledger.warming, again=self.wanted, put_off=self.returned)
        self.open_queues = OpenQueues(
            self,
            spool=spool,
            clocks=clocks,
            pause=pause,
            ledger=ledger,
            route=route,
            new_lane=new_lane,
            sources=sources,
        )
        self._scan = QueueScan(
            spool=spool,
            clocks=clocks,
            pause=pause,
            runs=self.runs,
            found=self.open_queues.open,
            room=self.open_queues.room,
        )
        self.open_queues.on_room(self._scan.room_again)
        self.withholding = Withholding(self, clocks)
        gate = Gate(clocks.reactor, self, spool=spool, ledger=ledger, pause=pause)
        self._composing = Composing(clocks.reactor, compose, receiver=gate, withholding=self.withholding)
        pause.on_resume(self.resume)
        ledger.on_due(self._scan.due_at)

    @property
    def runs(self) -> dict[int, Run]:
        """The campaigns that are being sent, by id."""
        return self.open_queues.runs

    @property
    def lanes(self) -> dict[str, Lane]:
        """The lanes, by site key and source."""
        return self.open_queues.lanes

    @property
    def held(self) -> int:
        """Messages claimed and not yet recorded or given back."""
        return self._held + self.open_queues.draining

    @property
    def window(self) -> int:
        """How many more may be claimed now, of all campaigns."""
        size = min(self._most_claimed, max(256, int(WINDOW_BYTES / max(1.0, self._average))))
        return size - self.held

    @property
    def idle(self) -> bool:
        """Nothing is claimed, nothing is being looked for, and every open queue belongs to a suspended lane."""
        return (
            self._scan.done
            and not self._claims
            and self.held == 0
            and not self._composing.parked
            and self.open_queues.all_suspended
        )

    # what others tell

    def rescan(self, run: Run | None = None) -> None:
        """Look for unclaimed recipients anew, of one campaign or of all: rows were added, or a pause has ended."""
        self._scan.rescan(run)

    def resume(self) -> None:
        """Look at everything again: a pause has ended."""
        self.rescan()
        for lane in self.lanes.values():
            lane.wake()
        if self._wanting:
            self._fill_soon.now()

    def hold(self, count: int, run: Run) -> None:
        """Add ``count`` (may be negative) to the claimed, unsettled messages of a campaign, of all lanes."""
        self._held += count
        run.held += count
        if count < 0 and self._wanting and (free := self.window) > 0:
            self._fill_soon.at(self._clocks.now() + (0.0 if free * 4 >= free + self.held else _COALESCE))

    def wanted(self, supply: Supply, run: Run) -> None:
        """Claim messages of a campaign for this supply's lane, which could take more."""
        self._wanting.add(supply, run)
        if (free := self.window) > 0:
            much = room_for(run.held, free) * 16 >= free + self.held
            self._fill_soon.at(self._clocks.now() + (0.0 if much else _COALESCE))

    def not_wanted(self, supply: Supply) -> None:
        """Claim for this supply's lane no more."""
        self._wanting.discard(supply)

    def tidy(self) -> None:
        """Forget what is unused, and wake lanes whose turn has come; called once a second."""
        self.open_queues.forget_unused()
        self._warming.look()
        self._limiters.tidy(self._clocks.now())

    # composed messages

    def composed(self, message: Message) -> None:
        """Take a message that has passed the gate to its lane."""
        self._average += (message.size - self._average) * 0.01
        run = message.run
        if self.stopping or run.over:
            self.returned([message], 0.0)
        elif not run.puts_off or self._pacing.to_be_sent_now(run, [message]):
            message.holder.add(message)

    def not_composed(self, messages: Sequence[Message]) -> None:
        """Compose messages once more in a while: the workers failed, through no fault of these rows."""
        self.returned(messages, self._clocks.wall() + self._clocks.scaled(_NOT_COMPOSED))

    def unrenderable(self, message: Message, reason: str) -> None:
        """Record a row that cannot be composed."""
        message.holder.hold(-1, message.run)
        message.holder.wake()
        self._ledger.close(message, Status.INVALID, Category.TEMPLATE, reason)

    def returned(self, messages: Sequence[Message], due: float) -> None:
        """Give messages back to the spool without an attempt, due again at ``due`` on the wall clock (0: at once)."""
        self._ledger.give_back(messages, due)
        for message in messages:
            message.holder.hold(-1, message.run)
            message.holder.wake()

    def take_back(self, run: Run, provider: str = "") -> None:
        """Close a campaign's queues ("": all of them) and give back what is ready; what is in flight is not touched.

        What the compose workers have of it goes back when it comes.
        """
        waiting = [] if provider else self._composing.withdraw(run)
        self.returned([*waiting, *self.open_queues.withdraw(run, provider)], 0.0)

    # claiming

    def _fill(self) -> None:
        if self.stopping or self._pause.paused:
            return
        weights, free, waiting = self._wanting.weights, self.window, self._wanting.in_order()
        # of more lanes than there is room for some are fed, in turn: a claim, and a connection, for each row costs more
        each = {
            run: max(FIRST_TARGET, share_of(run.weight, weights, free, 1) // len(some)) for run, some in waiting.items()
        }
        while waiting:
            run = self._turns.next(waiting)
            room = room_for(run.held, self.window)
            if room <= 0 or not waiting[run]:
                del waiting[run]
                continue
            supply = self.open_queues.source_lanes.in_turn(waiting[run].pop(), self._wanting.of(run))
            if supply is not None:
                most = max(1, int(each[run] * supply.part))
                limit = min(supply.wanted(run), most, room)
                self._wanting.fed(supply, run, limit)
                self._claim(run, supply, limit)

    def _claim(self, run: Run, supply: Supply, limit: int) -> None:
        """Claim up to ``limit`` messages of a campaign for a lane."""
        for queue, some in supply.next_claims(run, limit):
            grant = self._pacing.granted(run, supply, some)
            granted = grant.messages
            if granted:
                self._turns.use(run, granted)
                queue.claiming = True
                self._claims += 1
                supply.claims += 1
                supply.lane.backlog.hold(granted, run)
                claim = self._spool.claim(queue.id, granted)
                whose = (queue, supply, granted, grant)
                claim.addCallbacks(self._take, self._not_claimed, callbackArgs=whose, errbackArgs=whose)
                claim.addErrback(lambda failure: _log.failure("taking claimed recipients failed", failure))
            elif self._pacing.is_spent(supply):
                self.open_queues.source_lanes.move(queue, supply.lane)

    def _take(self, rows: list[Claimed], queue: Queue, supply: Supply, limit: int, grant: Grant) -> None:
        queue.claiming = False
        self._claims -= 1
        backlog, domain, run = supply.lane.backlog, queue.domain, queue.run
        canary, budget = grant.canary, grant.budget
        messages = [Message(row, domain, run, backlog, canary=canary, budget=budget) for row in rows]
        supply.claim_ended()
        backlog.hold(len(rows) - limit, queue.run)
        self._pacing.not_claimed(queue.run, limit - len(rows), grant)
        if self.stopping or backlog.closed or queue.run.over or queue.run.withheld or backlog.holds_back(queue.run):
            self.returned(messages, 0.0)
            return
        emptied = len(rows) < limit
        self.open_queues.claim_ended(queue, supply, len(rows), emptied=emptied)
        supply.spread(queue.run, emptied=emptied)
        if queue.run.puts_off:
            messages = self._pacing.to_be_sent_now(queue.run, messages)
        if supply.lane.suspension.charging or supply.lane.suspended:
            for message in messages:
                backlog.add(message)
        else:
            self._composing.add(messages)
        backlog.wake()

    def _not_claimed(self, failure: Failure, queue: Queue, supply: Supply, limit: int, grant: Grant) -> None:
        queue.claiming = False
        self._claims -= 1
        supply.claims -= 1
        self._pacing.not_claimed(queue.run, limit, grant)
        self._pause.own_fault(failure.getErrorMessage())
        supply.lane.backlog.hold(-limit, queue.run)
        self._wanting.add(supply, queue.run)
        if not isinstance(failure.value, OwnFault):
            failure.raiseException()

    # ending

    def stop_scanning(self) -> None:
        """Look for no more queues: the spool is about to close."""
        self._scan.stop()

    def stop(self) -> None:
        """Start no new work: queues close, lanes finish what is in flight."""
        self.stopping = True
        self._scan.stop()
        self._fill_soon.cancel()
        self._pacing.stop()
        self._wanting.clear()
        self.returned(self._composing.take_back(), 0.0)
        self.open_queues.stop()

    async def emptied(self, hurried: Callable[[], bool]) -> None:
        """Wait until all that was claimed is recorded or given back, or until ``hurried()``.

        Compose workers may hold some messages for a moment.
        """
        for _ in range(_PATIENCE):
            if (not self.held and not self._claims) or hurried():
                return
            await deferLater(self._clocks.reactor, _LOOK_AGAIN)
        recipients = count_of(self.held, "recipient was", "recipients were")
        words = "{recipients} still claimed; the next start finds them"
        _log.warn(words, held=self.held, recipients=recipients)
