"""What a limit counts, shared by the lanes that share it: providers, sites, remote addresses, the whole process.

A lane that may not open a connection now waits in a pool's line. A connection that closes wakes the next waiter.
While a lane waits, idle connections are closed to make room, whichever lane they belong to: five connections to a
provider with a thousand sites must not stay idle at the first five sites. There is no polling.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from bulkmail.delivery.in_parts import InParts
from bulkmail.delivery.limits.line import Line
from bulkmail.net import LiveConnection
from bulkmail.routing import Site
from bulkmail.shaping import ANY_SOURCE, WHOLE, Limiter, Limits, Part, Ruled, Source, Weighted

_COMPLAINT_KEPT = 3600.0  # seconds that the factors of a receiver that complained are kept after its last use
_MOST_KEPT = 20_000
_ADDRESS = "address "
_PROVIDER = "provider "


class Waiter(Protocol):
    """A lane as the pools see it: it waits for connections to become possible, and owns idle ones."""

    @property
    def needs_connection(self) -> bool:
        """Whether it still waits."""

    def dispatch(self) -> None:
        """Try again to open a connection."""

    def let_go(self, connection: LiveConnection) -> None:
        """Close this idle connection."""


class SlotPool:
    """A bounded number of connections: the idle ones among them, and the lanes that wait for a slot.

    ``waiting``: these lanes, in line; it is only written here. ``users``: lanes that have connections in this pool.
    """

    __slots__ = ("_idle", "_wakes", "users", "waiting")

    def __init__(self) -> None:
        self._wakes = 0  # waiters to wake, the one that is being woken included
        self._idle: OrderedDict[LiveConnection, Waiter] = OrderedDict()
        self.waiting: Line[Waiter] = Line()
        self.users = 0

    def waits(self, waiter: Waiter) -> bool:
        """Return whether this lane waits for a slot."""
        return waiter in self.waiting

    def wait(self, waiter: Waiter, campaign: Weighted | None = None) -> None:
        """Wake ``waiter`` when a connection has closed; the one that has been idle longest is closed for it.

        ``campaign``: the one that it would send of.
        """
        if waiter in self.waiting:
            return
        self.waiting.add(waiter, campaign)
        if self._idle:
            connection = next(iter(self._idle))
            self._idle[connection].let_go(connection)

    def park(self, connection: LiveConnection, owner: Waiter) -> None:
        """Register an idle connection that other lanes may have closed."""
        self._idle[connection] = owner

    def unpark(self, connection: LiveConnection) -> None:
        """Remove a connection that is in use or closed, if registered."""
        self._idle.pop(connection, None)

    def wake_next(self) -> None:
        """Wake the next waiter that still needs a connection: a slot is free.

        A waiter that cannot use it (another slot that it needs is taken) frees it at once and so calls this method
        from within: a queue of thousands is gone through in a loop, not by recursion.
        """
        self._wakes += 1
        if self._wakes > 1:
            return
        try:
            while self._wakes and self.waiting:
                waiter = self.waiting.pop()
                if waiter.needs_connection:
                    waiter.dispatch()
                    self._wakes -= 1
        finally:
            self._wakes = 0


class SharedLimiter(SlotPool):
    """The limiter of a provider, site or address, with the slots that it counts.

    ``used_at``: when a lane or a connection last left it, on the reactor's clock. ``complaint``: the last reply for
    which it was slowed down, with its time on the wall clock.
    """

    __slots__ = ("complaint", "kept", "limiter", "used_at")

    def __init__(self, limiter: Limiter, now: float) -> None:
        super().__init__()
        self.limiter = limiter
        self.kept = limiter.factors  # as it is remembered over a restart
        self.used_at = now
        self.complaint: tuple[float, str] | None = None

    @property
    def room(self) -> bool:
        """Whether one more connection could be open."""
        return self.limiter.open < self.limiter.connections

    @property
    def memory(self) -> float:
        """Seconds after its last use for which it knows more than a new one would: what was used of its rates."""
        limits, factors = self.limiter.limits, self.limiter.factors
        if factors != (1.0, 1.0):
            return _COMPLAINT_KEPT
        return max(rate.burst * rate.interval for rate in (limits.rate, limits.connection_rate))

    @property
    def in_use(self) -> bool:
        """Whether a lane, a waiter or a connection has it."""
        return bool(self.users or self.limiter.open or self.waiting)

    def left(self, now: float) -> None:
        """Count a lane less."""
        self.users -= 1
        self.used_at = now

    def closed(self, now: float) -> None:
        """Free the slot of a connection that has closed."""
        self.used_at = now
        self.limiter.closed()
        self.wake_next()

    def become(self, part: Part, now: float) -> None:
        """Use another part of the limits; idle connections above it are closed."""
        self.limiter.become(part, now)
        self._close_surplus()

    def use(self, limits: Limits, now: float) -> None:
        """Use other limits; idle connections above them are closed."""
        self.limiter.use(limits, now)
        self._close_surplus()

    def _close_surplus(self) -> None:
        for connection, owner in list(self._idle.items())[: self.limiter.surplus]:
            owner.let_go(connection)


class BoundedPool(SlotPool):
    """``limit`` slots."""

    __slots__ = ("limit", "open")

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.limit = limit
        self.open = 0

    @property
    def room(self) -> bool:
        """Whether one more connection could be open."""
        return self.open < self.limit

    def opened(self) -> None:
        """Take a slot."""
        self.open += 1

    def closed(self) -> None:
        """Free a slot."""
        self.open -= 1
        self.wake_next()


class Total(BoundedPool):
    """The connections of the whole process.

    ``unproven``: those among them to sites that have not answered a message yet, or did not answer the last one. They
    get at most half of the slots: servers that never let go of a connection must not hold all of them.
    """

    __slots__ = ("unproven",)

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self.unproven = BoundedPool(max(1, limit // 2))

    @property
    def scarce(self) -> bool:
        """Whether three quarters of them are open, idle ones included."""
        return self.open * 4 >= self.limit * 3


def limit_key(key: str, provider: str) -> str:
    """Return what a limit counts: the provider where one matches, else the site with this key."""
    return f"{_PROVIDER}{provider}" if provider else key


def provider_in(key: str) -> str:
    """Return the provider that a `limit_key` counts, "" where it counts a site."""
    return key.removeprefix(_PROVIDER) if key.startswith(_PROVIDER) else ""


def address_key(ip: str) -> str:
    """Return what the limit of one remote address counts, beside those of its sites."""
    return _ADDRESS + ip


class Ownership(Protocol):
    """Which part of each limit this machine may use, where several machines share a spool."""

    def begins_empty(self, key: str) -> bool:
        """Return whether another machine may just have used up the burst of this limit key."""

    def part_of(self, key: str) -> Part:
        """Return the part of the limits of this limit key that is this machine's."""


class Limiters:
    """All limiters of the process, made when first asked for and dropped when unused.

    A limit counts for one of the ``sources`` at a time: receivers limit the address that mail comes from. A *limit key*
    is what it counts there (`limit_key`); what is counted for a source has that source's key (`Source.key`).

    ``limits_of(provider)``: its limits, the default's for "". ``factors_of``: the throttle factors (see `Limiter`) last
    used for a provider or site; ``keep_factors`` is told the new ones. ``ruled_of``: what rules have asked for.
    """

    def __init__(
        self,
        limits_of: Callable[[str], Limits],
        total: int,
        factors_of: Callable[[str], tuple[float, float]] = lambda _: (1.0, 1.0),
        keep_factors: Callable[[str, tuple[float, float]], None] = lambda *_: None,
        sources: Sequence[Source] = (ANY_SOURCE,),
        ruled_of: Callable[[str], Ruled] = lambda _: Ruled(),
        speed: float = 1.0,
    ) -> None:
        self._ruled_of = ruled_of
        self._speed = speed
        self._named = sources
        self._limits_of = limits_of
        self._factors_of = factors_of
        self._keep_factors = keep_factors
        self._ownership: Ownership | None = None
        self._sites: dict[str, SharedLimiter] = {}
        self._addresses: dict[str, SharedLimiter] = {}
        self._sites_in_parts: InParts[str] = InParts()
        self._addresses_in_parts: InParts[str] = InParts()
        self.total = Total(total)

    def share(self, ownership: Ownership) -> None:
        """Use only what ``ownership`` says is this machine's; without this call all of it is."""
        self._ownership = ownership

    def use(self, limits_of: Callable[[str], Limits], now: float) -> None:
        """Use other limits from now on; lanes that wait for a slot are woken where there is room now."""
        self._limits_of = limits_of
        for key, shared in self._sites.items():
            shared.use(limits_of(provider_in(key)), now)
        for shared in self._addresses.values():
            shared.use(limits_of(""), now)
        self.wake_waiting()

    def limits_of(self, site: Site) -> Limits:
        """Return the limits of the site: its provider's, else the default."""
        return self._limits_of(site.provider)

    def of_site(self, key: str, provider: str, now: float, source: Source = ANY_SOURCE) -> SharedLimiter:
        """Return the limiter of a provider where one matches, else of the site, for mail from this source."""
        of = limit_key(key, provider)
        return self._sites.get(source.key(of)) or self._make(self._sites, source.key(of), provider, now, of)

    def rests(self, site: Site, source: Source) -> bool:
        """Return whether a rule has asked that nothing be sent to the site from this source for a while."""
        return self._ruled_of(source.key(limit_key(site.key, site.provider))).rest > 0

    def limiters(self, key: str) -> list[Limiter]:
        """Return the limiters of this limit key that are in use, one for each source."""
        return [shared.limiter for shared in self._of_sources(self._sites, key)]

    def limits_for(self, key: str) -> Limits:
        """Return the limits of what this limit key counts."""
        return self._limits_of(provider_in(key))

    def of_sources(self, key: str) -> list[tuple[str, Limiter | None]]:
        """Return the limit key of each source, with its limiter where one is in use."""
        keys = [source.key(key) for source in self._named]
        return [(one, self._sites[one].limiter if one in self._sites else None) for one in keys]

    def known(self, key: str) -> bool:
        """Return whether there is a limiter for this limit key."""
        return any(True for _ in self._of_sources(self._sites, key))

    def drop(self, key: str) -> bool:
        """Forget the limiters of this limit key at once, whatever they know; False while one is in use."""
        return self._drop(self._sites, key)

    def drop_address(self, key: str) -> bool:
        """Forget the limiters of this `address_key` likewise."""
        return self._drop(self._addresses, key.removeprefix(_ADDRESS))

    def become(self, key: str, part: Part, now: float) -> bool:
        """Use this part of what the key counts from now on; whether no more than it is in use."""
        within = True
        for shared in self._of_sources(self._sites, key):
            shared.become(part, now)
            within = shared.limiter.within(now) and within
        return within

    def of_address(self, ip: str, provider: str, now: float, source: Source = ANY_SOURCE) -> SharedLimiter | None:
        """Return the default limits for one remote address over all its sites; None for a provider's addresses."""
        if provider:
            return None
        key = source.key(ip)
        return self._addresses.get(key) or self._make(self._addresses, key, "", now, address_key(ip))

    def reset_forgotten(self, now: float) -> None:
        """Use the whole limit again where nothing else is remembered any more: an operator had it forgotten.

        A rest that a rule has asked for is over then too.
        """
        for key, shared in self._sites.items():
            factors = self._factors_of(key)
            if factors == (1.0, 1.0) != shared.limiter.factors:
                shared.limiter.reset_factors()
                shared.kept = shared.limiter.factors
            if shared.limiter.capped and not self._ruled_of(key).caps:
                shared.limiter.lift_caps()
            if not self._ruled_of(key).rest:
                shared.limiter.end_rest(now)

    def tidy(self, now: float) -> None:
        """Report factors that have changed, forget unused limiters, wake whoever waits beside a free slot.

        Called once a second. Of many limiters each is looked at every few seconds.
        """
        of_sites, of_addresses = (self._sites, self._sites_in_parts), (self._addresses, self._addresses_in_parts)
        for limiters, parts in (of_sites, of_addresses):
            crowded = len(limiters) > _MOST_KEPT
            for key in parts.next(limiters):
                shared = limiters.get(key)
                if shared is None:
                    continue
                if limiters is self._sites:
                    self._keep_factors_of(key, shared)
                if shared.in_use:
                    _wake([shared])
                elif crowded or now - shared.used_at > shared.memory:
                    del limiters[key]
        _wake([self.total, self.total.unproven])

    def wake_waiting(self) -> None:
        """Wake the next waiter of every pool with a free slot."""
        _wake([*self._sites.values(), *self._addresses.values(), self.total, self.total.unproven])

    def _keep_factors_of(self, key: str, shared: SharedLimiter) -> None:
        if shared.limiter.factors != shared.kept:
            shared.kept = shared.limiter.factors
            self._keep_factors(key, shared.kept)

    def _make(
        self, limiters: dict[str, SharedLimiter], key: str, provider: str, now: float, owned_as: str
    ) -> SharedLimiter:
        limits, ownership = self._limits_of(provider), self._ownership
        empty = ownership is not None and ownership.begins_empty(owned_as)
        if limiters is self._sites:
            part = WHOLE if ownership is None else ownership.part_of(owned_as)
            factors = self._factors_of(key)
            limiter = Limiter(limits, now, empty=empty, factors=factors, part=part, speed=self._speed)
            limiter.rule(self._ruled_of(key), now)
        else:
            limiter = Limiter(limits, now, empty=empty)
        shared = limiters[key] = SharedLimiter(limiter, now)
        return shared

    def _of_sources(self, limiters: dict[str, SharedLimiter], key: str) -> Iterator[SharedLimiter]:
        return (limiters[one] for source in self._named if (one := source.key(key)) in limiters)

    def _drop(self, limiters: dict[str, SharedLimiter], key: str) -> bool:
        if any(shared.in_use for shared in self._of_sources(limiters, key)):
            return False
        for source in self._named:
            limiters.pop(source.key(key), None)
        return True


def _wake(pools: Sequence[SharedLimiter | BoundedPool]) -> None:
    """Wake the next waiter of each of these with a free slot: a lane that was woken may have used another slot."""
    for pool in pools:
        if pool.waiting and pool.room:
            pool.wake_next()
