"""Which of a shared spool's queues this machine sends, and how a destination goes from one machine to another.

Every machine routes the domains it finds, and sends those whose destination (what a limit counts: provider or site) it
has the lease of. Who ought to have it is arithmetic (`spool.leases`); who has it is in the database. A destination that
another machine has is not asked for while that one prefers it; after `_PATIENCE` seconds anybody takes what nobody
holds, so that nothing is left lying because two machines see different MX hosts.

When machines come or go, a lane that is another's from now on is *left*: its waiting messages go back, what is in
flight is finished, its connections close, and only then is the lease let go. The next holder's gate begins with an
empty burst. So two machines are never at one destination at once, unless one of them is frozen: then its open
connections stay open at the receiver, and carry nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from bulkmail.delivery.background import Wakeup, background
from bulkmail.delivery.gates import limit_key
from bulkmail.delivery.message import Queue
from bulkmail.delivery.outage import nowhere
from bulkmail.mail import OwnFault
from bulkmail.routing import RouteFailure, Site
from bulkmail.spool import Leases

if TYPE_CHECKING:
    from bulkmail.delivery.feeder import Feeder
    from bulkmail.delivery.lane import Lane
    from bulkmail.delivery.run import Run
    from bulkmail.delivery.street import Street

_log = Logger("bulkmail")

_PATIENCE = 30.0
_MOST_KNOWN = 200_000
_MOST_ASKED = 500  # limit keys in one go
_SETTLE = 5.0  # a lease just taken has its lane soon
_SOON = 0.3


class Sharing:
    """Asks for leases, remembers what is elsewhere, and leaves what is to be another's. ``look`` once a second.

    ``states`` is called when campaigns may have changed, ``facts`` when what sites have taught was taken away by
    somebody; ``news_of(keys)`` fires when what other machines have learnt of a destination is known here; ``flushed()``
    fires when all that was settled or given back is in the spool.
    """

    def __init__(
        self,
        *,
        leases: Leases,
        feeder: Feeder,
        street: Street,
        states: Callable[[], None],
        facts: Callable[[], None],
        news_of: Callable[[list[str]], Deferred[None]],
        flushed: Callable[[], Deferred[None]],
    ) -> None:
        self._leases = leases
        self._feeder = feeder
        self._street = street
        self._states = states
        self._facts = facts
        self._news_of = news_of
        self._flushed = flushed
        self._queues: dict[int, str] = {}  # queue id -> the limit key that another machine has
        self._waiting: dict[str, float] = {}  # limit key -> since when
        self._leaving: set[str] = set()
        self._going: set[str] = set()  # of these, the ones that are being let go
        self._taken: dict[str, float] = {}
        self._asking = False
        self._more_soon = Wakeup(street.reactor, feeder.more)
        leases.on_members = self._members
        leases.on_heard = self._heard
        street.gates.begins_empty = lambda key: leases.held.get(key, False)
        feeder.sharing = self

    def elsewhere(self, queue_id: int) -> bool:
        """Whether the queue is known to be another machine's."""
        return queue_id in self._queues

    async def ours(self, queue: Queue, site: Site | RouteFailure) -> bool:
        """Whether this machine may send to the queue's site; asks for it where it ought to. Raises OwnFault."""
        if isinstance(site, RouteFailure):
            site = nowhere(queue.domain)
        if not await self._leased(queue, site):
            return False
        if site.key not in self._feeder.lanes:  # else nobody else has sent there since
            addresses = [ip for host in site.hosts for ip in host.addresses]
            await self._news_of(list({site.key, limit_key(site.key, site.provider), *addresses}))
        return True

    async def _leased(self, queue: Queue, site: Site) -> bool:
        key = limit_key(site.key, site.provider)
        if key not in self._leaving:
            if key in self._leases.held:
                return True
            if self._leases.prefers(key) and await self._leases.take(key) and key not in self._leaving:
                self._taken[key] = self._street.now()
                return True
        if len(self._queues) >= _MOST_KNOWN:
            self._queues.clear()
        self._queues[queue.id] = key
        self._waiting.setdefault(key, self._street.now())
        return False

    def look(self) -> None:
        """Let go what has been left, ask for what is ours, forget what was never used."""
        if self._leases.over:
            return
        gates, now = self._street.gates, self._street.now()
        gone = {key for key in self._leaving - self._going if gates.drop(key)}
        gone |= {
            key
            for key in self._leases.held
            if key not in self._leaving and not gates.known(key) and now - self._taken.get(key, now) > _SETTLE
        }
        if gone:
            self._leaving |= gone
            self._going |= gone
            background(self._let_go(gone), "letting leases go")
        if self._waiting and not self._asking:
            background(self._ask(now), "asking for leases")

    def _members(self) -> None:
        """A machine came or went: leave what is another's now, and look at everything again."""
        others = {key for key in self._leases.held if key in self._taken and not self._leases.prefers(key)}
        others -= self._leaving
        for lane in list(self._feeder.lanes.values()):
            key = limit_key(lane.site.key, lane.site.provider)
            if key in others and not lane.closed:
                for queue in lane.queues:
                    self._queues[queue.id] = key
                leave(self._feeder, lane)
        self._leaving |= others
        self._waiting.update(dict.fromkeys(others, self._street.now()))
        self._more_soon.now()

    def _heard(self, what: str) -> None:
        if what in ("sites", ""):
            self._facts()
        if what == "sites":
            return
        if what != "rows":
            self._states()
        if what != "states":
            self._more_soon.at(self._street.now() + _SOON)

    async def _let_go(self, keys: set[str]) -> None:
        try:
            # the next holder looks once it hears of this: what goes back to the spool has to be there by then
            await self._flushed()
            await self._leases.let_go(keys)
        except OwnFault as fault:
            _log.warn("leases could not be let go, and run out by themselves: {fault}", fault=fault)
        finally:
            for key in keys:
                self._taken.pop(key, None)
            self._leaving -= keys
            self._going -= keys

    async def _ask(self, now: float) -> None:
        """For destinations that others had: those that are ours by now, and those that nobody seems to want."""
        known = set(self._queues.values())
        for key in [key for key in self._waiting if key not in known]:
            del self._waiting[key]
        held = {key for key in self._waiting if key in self._leases.held} - self._leaving
        not_now = held | self._leaving
        wanted = [
            key
            for key, since in self._waiting.items()
            if key not in not_now and (self._leases.prefers(key) or now - since > _PATIENCE)
        ][:_MOST_ASKED]
        self._asking = True
        try:
            answers = [(key, self._leases.take(key)) for key in wanted]
            got = {key for key, answer in answers if await answer}
        except OwnFault:
            return  # the heart tells
        finally:
            self._asking = False
        for key in wanted:
            self._waiting[key] = now  # a stranger's turn comes again after a while
        for key in got:
            self._taken[key] = now
        got |= held
        for key in got:
            self._waiting.pop(key, None)
        if got:
            self._queues = {queue: key for queue, key in self._queues.items() if key not in got}
            self._more_soon.now()


def leave(feeder: Feeder, lane: Lane) -> None:
    """Another machine is to have this lane's site: nothing new goes to it, and it is forgotten when it is empty."""
    for queue in list(lane.queues):
        feeder.close(queue)
    lane.down_until = 0.0  # an outage is the next machine's to find
    lane.stop()
    for key in [key for key, known in feeder.lanes.items() if known is lane]:
        del feeder.lanes[key]
    feeder.lanes[f"leaving {id(lane)}"] = lane


def drop(feeder: Feeder, run: Run) -> None:
    """A campaign is not to be sent here any more: what waits goes back."""
    feeder.runs.pop(run.id, None)
    for queue in [queue for queue in feeder.queues.values() if queue.run is run]:
        feeder.close(queue)
    for lane in list(feeder.lanes.values()):
        waiting = [message for message in lane.ready if message.run is run]
        for message in waiting:
            lane.ready.remove(message)
        if waiting:
            feeder.untouched(waiting, 0.0)
