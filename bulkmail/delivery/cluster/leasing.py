"""Which of a shared spool's queues this machine sends, and how a destination goes from one machine to another.

Every machine routes the domains it finds, and sends those whose destination (what a limit counts: provider or site) it
has the lease of. Which machine ought to have it is arithmetic (`spool.postgres.leases`); which one has it is in the
database. A destination that another machine ought to have is not asked for; after `_PATIENCE` seconds any machine takes
a lease that none holds, so that no recipient waits because two machines see different MX hosts.

When machines come or go, a lane that is another's from now on is *left*: its waiting messages go back, what is in
flight is finished, its connections close, and only then is the lease let go. The next holder's limiter begins with an
empty burst. So two machines are never at one destination at once, unless one of them is frozen: then its open
connections stay open at the receiver, and carry nothing.

Several machines hold the shares of a destination that is cut into shares at once, each with its *part* of the limits,
and all of them claim from its queues. Here too a machine that is to have less uses less first: its limiter shrinks at
once, and the shares are let go when the connections above its new part have closed and the messages booked at the old
rate are gone. What a machine gains raises its limiter, without a burst. A share that its machine does not ask for is
not used.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any

from twisted.internet.defer import Deferred, DeferredList
from twisted.logger import Logger

from bulkmail.delivery.background import Wakeup, background
from bulkmail.delivery.clocks import Clocks
from bulkmail.delivery.cluster.addresses import Addresses
from bulkmail.delivery.limits import Limiters, limit_key
from bulkmail.delivery.queueing import Feeder, Queue
from bulkmail.delivery.site_facts import SiteFactSync
from bulkmail.mail import OwnFault
from bulkmail.routing import RouteFailure, Site, unroutable_site
from bulkmail.shaping import WHOLE, Part, shares_of
from bulkmail.spool import Leases

_log = Logger("bulkmail")

_PATIENCE = 30.0
_MOST_KNOWN = 200_000
_MOST_ASKED = 500  # limit keys in one go
_SETTLE = 5.0  # a lease just taken has its lane soon
_SOON = 0.3


class Leasing:
    """Asks for leases, remembers what is elsewhere, and leaves what is to be another's. ``look`` once a second.

    ``states`` is called when campaigns may have changed, ``facts`` when an operator had site facts forgotten;
    ``news_of(keys)`` fires when what other machines have learnt of a destination is known here; ``flushed()``
    fires when all that was settled or given back is in the spool.
    """

    def __init__(
        self,
        *,
        leases: Leases,
        feeder: Feeder,
        clocks: Clocks,
        limiters: Limiters,
        states: Callable[[], None],
        facts: Callable[[], None],
        news_of: Callable[[list[str]], Deferred[None]],
        flushed: Callable[[], Deferred[None]],
    ) -> None:
        self._leases = leases
        self._feeder = feeder
        self._clocks = clocks
        self._limiters = limiters
        self._states = states
        self._facts = facts
        self._news_of = news_of
        self._flushed = flushed
        self._queues: dict[int, str] = {}  # queue id -> the limit key that another machine has
        self._waiting: dict[str, float] = {}  # limit key -> since when
        self._leaving: set[str] = set()
        self._going: set[str] = set()  # of these, the ones that are being let go
        self._taken: dict[str, float] = {}
        self._addresses = Addresses()
        self._empty: set[str] = set()  # addresses whose lease is ours, and that no site uses
        self._cut: dict[str, int] = {}  # limit key -> into how many shares; those that are whole are not in it
        self._asking = False
        self._more_soon = Wakeup(clocks.reactor, feeder.rescan)
        leases.on_members = self._members
        leases.on_heard = self._heard
        limiters.share(self)
        feeder.open_queues.share(self)

    # what the limiters and the queues ask

    def begins_empty(self, key: str) -> bool:
        """Return whether another machine may just have used up the burst of this limit key."""
        return key in self._leases.held and self._leases.held[key].used

    def part_of(self, key: str) -> Part:
        """Return the part of the limits of this limit key that is this machine's, and stays so."""
        lease = self._leases.held.get(key)
        if lease is None or key not in self._cut:
            return WHOLE
        ought = self._ought(key) or lease.shares  # taken because no other machine did, or being left
        return Part(frozenset(sorted(lease.numbers)[:ought]), lease.shares)

    def is_remote(self, queue_id: int) -> bool:
        """Return whether the queue is known to be another machine's."""
        return queue_id in self._queues

    async def ours(self, queue: Queue, site: Site | RouteFailure) -> bool:
        """Return whether this machine may send to the queue's site; asks for it where it ought to. Raises OwnFault."""
        if isinstance(site, RouteFailure):
            site = unroutable_site(queue.domain)
        if not await self._leased(queue, site):
            return False
        lanes = self._feeder.open_queues.source_lanes
        if not lanes.sends_to(site):  # else no other machine has sent there since
            addresses = [ip for host in site.hosts for ip in host.addresses]
            counted = lanes.keys_of([site.key, limit_key(site.key, site.provider)])
            await self._news_of(list({site.key, *counted, *addresses}))
            return await self._leased(queue, site)  # it may have been left meanwhile
        return True

    async def _leased(self, queue: Queue, site: Site) -> bool:
        key = limit_key(site.key, site.provider)
        self._addresses.note(key, site)
        if key not in self._leaving:
            if self._have(key):
                return True
            shares = shares_of(self._limiters.limits_of(site))
            if shares > 1:
                self._cut[key] = shares
            ought = self._ought(key)
            if (ought or key in self._leases.held) and await self._take(key, max(1, ought)):
                return True
        if len(self._queues) >= _MOST_KNOWN:
            self._queues.clear()
        self._queues[queue.id] = key
        self._waiting.setdefault(key, self._clocks.now())
        return False

    def look(self) -> None:
        """Let go what has been left, ask for what is ours, forget what was never used."""
        if self._leases.over:
            return
        limiters, now, addresses = self._limiters, self._clocks.now(), self._addresses
        gone = {key for key in self._leaving - self._going if limiters.drop(key)}
        gone |= {
            key
            for key in self._leases.held
            if key not in self._leaving and not limiters.known(key) and now - self._taken.get(key, now) > _SETTLE
        }
        for key in gone:
            addresses.leave(key)
        self._empty = {
            key
            for key in self._empty | addresses.take_unused()
            if key in self._leases.held and not addresses.is_used(key)
        }
        empty = {key for key in self._empty if limiters.drop_address(key)}
        for key in empty:
            self._leases.held[key].used = True  # it may be needed again before it is let go
        if gone or empty:
            self._leaving |= gone
            self._going |= gone
            background(self._let_go(gone, empty), "letting leases go")
        self._divide()
        if (self._waiting or self._cut) and not self._asking:
            background(self._ask(now), "asking for leases")

    def _divide(self) -> None:
        """Use what is ours of each destination that is cut into shares, and let go what is to be another's."""
        for key in self._cut.keys() & self._leases.held.keys():
            part = self.part_of(key)
            within = self._limiters.become(key, part, self._clocks.now())
            surplus = self._leases.held[key].numbers - part.numbers
            if surplus and within and key not in self._leaving:
                background(self._let_shares_go(key, surplus), "letting shares go")

    def _members(self) -> None:
        """A machine came or went: leave what is another's now, and look at everything again."""
        held = self._leases.held
        others = {key for key in self._taken if key in held and not self._ought(key)}
        others -= self._leaving
        for lane in list(self._feeder.lanes.values()):
            key = limit_key(lane.site.key, lane.site.provider)
            if key in others and not lane.closed:
                self._queues.update((queue.id, key) for queue in self._feeder.open_queues.leave(lane))
        self._leaving |= others
        self._waiting.update(dict.fromkeys(others, self._clocks.now()))
        self._divide()
        self._more_soon.now()

    def _heard(self, what: str) -> None:
        if what in ("sites", ""):
            self._facts()
        if what == "sites":
            return
        if what != "rows":
            self._states()
        if what != "states":
            self._more_soon.at(self._clocks.now() + _SOON)

    async def _let_go(self, keys: set[str], addresses: set[str]) -> None:
        try:
            # the next holder looks once it hears of this: what goes back to the spool has to be there by then
            await self._flushed()
            empty = {address for address in addresses if not self._addresses.is_used(address)}
            await self._leases.let_go(keys | empty)
        except OwnFault as fault:
            _log.warn("leases could not be let go, and run out by themselves: {fault}", fault=fault)
        finally:
            for key in keys:
                self._taken.pop(key, None)
                if key not in self._waiting:
                    self._addresses.forget(key)
            self._leaving -= keys
            self._going -= keys

    async def _let_shares_go(self, key: str, numbers: frozenset[int]) -> None:
        try:
            await self._leases.let_shares_go({key: numbers})
        except OwnFault as fault:
            _log.warn("shares of {key} could not be let go yet: {fault}", key=key, fault=fault)

    async def _ask(self, now: float) -> None:
        """Ask for destinations that other machines had: those that are ours by now, and those that none has taken."""
        known = set(self._queues.values())
        for key in [key for key in self._waiting if key not in known]:
            del self._waiting[key]
            if key not in self._leases.held:
                self._addresses.forget(key)
        ours = self._leases.held
        held = {key for key in self._waiting if self._have(key)} - self._leaving
        not_now = held | self._leaving
        wanted = {
            key: most
            for key, since in self._waiting.items()
            if key not in not_now and (most := self._ought(key) or int(now - since > _PATIENCE))
        }
        more = {
            key: self._ought(key)
            for key in self._cut
            if key in ours and key not in self._leaving and len(ours[key].numbers) < self._ought(key)
        }
        asked = dict(islice((more | wanted).items(), _MOST_ASKED))
        self._asking = True
        try:
            takes = [Deferred.fromCoroutine(self._take(key, most)) for key, most in asked.items()]
            answers: Sequence[tuple[bool, Any]] = await DeferredList(takes, consumeErrors=True)
        finally:
            self._asking = False
        for answered, failure in answers:
            if not answered:
                failure.trap(OwnFault)
                return  # the heart tells
        self._divide()
        for key in asked:
            if self._waiting.pop(key, None) is not None:
                self._waiting[key] = now  # behind the others; and a stranger's turn comes again after a while
        got = {key for key, (_, taken) in zip(asked, answers, strict=True) if taken} - more.keys()
        got |= held
        for key in got:
            self._waiting.pop(key, None)
        if got:
            self._queues = {queue: key for queue, key in self._queues.items() if key not in got}
            self._more_soon.now()

    def _ought(self, key: str) -> int:
        return self._leases.ought(self._addresses.ranked_by(key), self._cut.get(key, 1))

    def _have(self, key: str) -> bool:
        held = self._leases.held
        return key in held and all(address in held for address in self._addresses.needed(key))

    async def _take(self, key: str, most: int) -> bool:
        """Ask for it and its addresses. Raises OwnFault."""
        addresses = self._addresses
        addresses.use(key)
        try:
            got = await self._leases.take(key, most, self._cut.get(key, 1), addresses.needed(key))
        finally:
            if key not in self._leases.held:
                addresses.leave(key)
        if got and key not in self._leaving:
            addresses.use(key)
            self._taken.setdefault(key, self._clocks.now())
        return got and key not in self._leaving


async def reread_facts(sync: SiteFactSync, feeder: Feeder, limiters: Limiters, clocks: Clocks) -> None:
    """Use only the facts of sites that are in the spool: an operator may have had others forgotten."""
    await sync.renew()
    for lane in feeder.lanes.values():
        lane.quirks.look_up()
    limiters.reset_forgotten(clocks.now())
    feeder.open_queues.source_lanes.end_rests(limiters.rests)
    for lane in list(feeder.lanes.values()):
        lane.wake()
