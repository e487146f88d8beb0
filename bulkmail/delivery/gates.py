"""What a limit counts, shared by the lanes that share it: providers, sites, remote addresses, the whole process.

A lane that may not open a connection now waits in the gate's line. A connection that closes wakes the first in line;
and while somebody waits, a connection that has nothing to do is closed to make room, whoever's it is: five connections
to a provider with a thousand sites must not stand idle at the first five. Nobody polls.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from bulkmail.shaping import WHOLE, Gate, Limits, Part

if TYPE_CHECKING:
    from bulkmail.net import Connection

_COMPLAINT_KEPT = 3600.0  # a receiver that asked us to go slower is not asked again whether it meant it
_MOST_KEPT = 20_000
_ADDRESS = "address "


class Waiter(Protocol):
    """Somebody who waits for a connection to become possible, and who has idle ones."""

    @property
    def needs_connection(self) -> bool:
        """Whether it still waits."""

    def dispatch(self) -> None:
        """Try again."""

    def let_go(self, connection: Connection) -> None:
        """Close this idle connection."""


class Places:
    """A bounded number of connections: the idle ones among them, and the line of those who wait for a place."""

    __slots__ = ("_calls", "_idle", "_line", "users")

    def __init__(self) -> None:
        self._calls = 0  # how many are to be woken, the one that is being woken among them
        self._idle: OrderedDict[Connection, Waiter] = OrderedDict()
        self._line: OrderedDict[Waiter, None] = OrderedDict()
        self.users = 0

    @property
    def wanted(self) -> bool:
        """Whether somebody waits for a place."""
        return bool(self._line)

    def waits(self, waiter: Waiter) -> bool:
        """Whether it stands in the line."""
        return waiter in self._line

    def wait(self, waiter: Waiter) -> None:
        """Be woken when a connection has closed; the one that has been idle longest is asked to, once for each."""
        if waiter in self._line:
            return
        self._line[waiter] = None
        if self._idle:
            connection = next(iter(self._idle))
            self._idle[connection].let_go(connection)

    def idle(self, connection: Connection, owner: Waiter) -> None:
        """It has nothing to do."""
        self._idle[connection] = owner

    def busy(self, connection: Connection) -> None:
        """It works, or is gone."""
        self._idle.pop(connection, None)

    def wake_next(self) -> None:
        """There is a place: the first in line that still needs one may try.

        Whoever cannot use it (what else it needs is taken) gives it back at once, which calls this again from within:
        a line of thousands is gone through one by one, not one inside the other.
        """
        self._calls += 1
        if self._calls > 1:
            return
        try:
            while self._calls and self._line:
                waiter, _ = self._line.popitem(last=False)
                if waiter.needs_connection:
                    waiter.dispatch()
                    self._calls -= 1
        finally:
            self._calls = 0


class SharedGate(Places):
    """A shaping Gate with its places."""

    __slots__ = ("gate", "kept", "used_at")

    def __init__(self, gate: Gate, now: float) -> None:
        super().__init__()
        self.gate = gate
        self.kept = gate.pace  # as it is remembered over a restart
        self.used_at = now

    @property
    def room(self) -> bool:
        """Whether one more connection could be open."""
        return self.gate.open < self.gate.connections

    @property
    def memory(self) -> float:
        """So long after its last use it still knows something that a new one would not: what was used of its rates."""
        limits, pace = self.gate.limits, self.gate.pace
        if pace != (1.0, 1.0):
            return _COMPLAINT_KEPT
        return max(rate.burst * rate.interval for rate in (limits.rate, limits.connection_rate))

    def closed(self) -> None:
        """A connection has closed."""
        self.gate.closed()
        self.wake_next()

    def become(self, part: Part, now: float) -> None:
        """Another part of the limits is ours; connections with nothing to do close where there are too many now."""
        self.gate.become(part, now)
        for connection, owner in list(self._idle.items())[: self.gate.surplus]:
            owner.let_go(connection)


class Limited(Places):
    """So many places and no more."""

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
        """One more is open."""
        self.open += 1

    def closed(self) -> None:
        """A connection has closed."""
        self.open -= 1
        self.wake_next()


class Total(Limited):
    """The connections of the whole process.

    ``strangers``: those among them to sites that have not answered a message yet, or were silent on the last one. They
    get half of the places at most: servers that hold on to whatever they get must not hold all there is.
    """

    __slots__ = ("strangers",)

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self.strangers = Limited(max(1, limit // 2))


def limit_key(key: str, provider: str) -> str:
    """What a limit counts: the provider where one matches, else the site."""
    return f"provider {provider}" if provider else key


def address_key(ip: str) -> str:
    """What the limit of one remote address counts, beside those of its sites."""
    return _ADDRESS + ip


class Gates:
    """All gates of the process, made when first asked for and dropped when nobody uses them any more.

    ``pace_of`` and ``keep_pace``: the pace (see `Gate`) that a provider or site left us with, and what it is now.
    ``begins_empty(limit key)`` says of a gate that is made whether another machine may just have used up its burst;
    ``part_of(limit key)``, which part of the limits is ours.
    """

    begins_empty: Callable[[str], bool] = staticmethod(lambda _: False)
    part_of: Callable[[str], Part] = staticmethod(lambda _: WHOLE)

    def __init__(
        self,
        limits_of: Callable[[str], Limits],
        total: int,
        pace_of: Callable[[str], tuple[float, float]] = lambda _: (1.0, 1.0),
        keep_pace: Callable[[str, tuple[float, float]], None] = lambda *_: None,
    ) -> None:
        self._limits_of = limits_of
        self._pace_of = pace_of
        self._keep_pace = keep_pace
        self._sites: dict[str, SharedGate] = {}
        self._addresses: dict[str, SharedGate] = {}
        self.total = Total(total)

    def of_site(self, key: str, provider: str, now: float) -> SharedGate:
        """The gate of a provider where one matches, else of the site."""
        key = limit_key(key, provider)
        return self._sites.get(key) or self._take(self._sites, key, provider, now, empty=self.begins_empty(key))

    def known(self, key: str) -> bool:
        """Whether there is a gate for this limit key."""
        return key in self._sites

    def drop(self, key: str) -> bool:
        """Forget the gate of this limit key at once, whatever it knows; False while somebody uses it."""
        return _drop(self._sites, key)

    def drop_address(self, key: str) -> bool:
        """The same for the gate of this `address_key`."""
        return _drop(self._addresses, key.removeprefix(_ADDRESS))

    def become(self, key: str, part: Part, now: float) -> bool:
        """Another part of what the key counts is ours from now on; whether no more than it is in use."""
        gate = self._sites.get(key)
        if gate is None:
            return True
        gate.become(part, now)
        return gate.gate.within(now)

    def of_address(self, ip: str, provider: str, now: float) -> SharedGate | None:
        """The default limits for one remote address over all its sites; a provider's sites have the provider's own."""
        if provider:
            return None
        gate = self._addresses.get(ip)
        return gate or self._take(self._addresses, ip, "", now, empty=self.begins_empty(address_key(ip)))

    def keep_paces(self) -> None:
        """Tell of every pace that has changed."""
        for key, shared in self._sites.items():
            if shared.gate.pace != shared.kept:
                shared.kept = shared.gate.pace
                self._keep_pace(key, shared.kept)

    def forget_paces(self) -> None:
        """Somebody has taken away what was remembered: a pace that is not known any more is the whole limit again."""
        for key, shared in self._sites.items():
            rate, width = self._pace_of(key)
            if (rate, width) == (1.0, 1.0) != shared.gate.pace:
                shared.gate.forget_pace()
                shared.kept = shared.gate.pace

    def drop_unused(self, now: float) -> None:
        """Forget gates without users, waiters or open connections, once they know nothing worth keeping."""
        for gates in (self._sites, self._addresses):
            crowded = len(gates) > _MOST_KEPT
            for key, gate in list(gates.items()):
                if gate.users or gate.gate.open or gate.wanted:
                    gate.used_at = now
                elif crowded or now - gate.used_at > gate.memory:
                    del gates[key]

    def wake_waiting(self) -> None:
        """Whoever was woken for a place and took another leaves it free: the next in line hears of it here."""
        total = self.total
        places: list[SharedGate | Limited] = [*self._sites.values(), *self._addresses.values(), total, total.strangers]
        for place in places:
            if place.wanted and place.room:
                place.wake_next()

    def _take(
        self, gates: dict[str, SharedGate], key: str, provider: str, now: float, *, empty: bool = False
    ) -> SharedGate:
        gate = gates.get(key)
        if gate is None:
            limits = self._limits_of(provider)
            if gates is self._sites:
                made = Gate(limits, now, empty=empty, pace=self._pace_of(key), part=self.part_of(key))
            else:
                made = Gate(limits, now, empty=empty)
            gate = gates[key] = SharedGate(made, now)
        return gate


def _drop(gates: dict[str, SharedGate], key: str) -> bool:
    gate = gates.get(key)
    if gate is not None and (gate.users or gate.gate.open or gate.wanted):
        return False
    gates.pop(key, None)
    return True
