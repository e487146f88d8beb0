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

SOON = 0.0005  # what is allowed this near is done now: a timer would cost more
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

    __slots__ = ("_idle", "_line", "users")

    def __init__(self) -> None:
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
        """There is a place: the first in line that still needs one may try."""
        while self._line:
            waiter, _ = self._line.popitem(last=False)
            if waiter.needs_connection:
                waiter.dispatch()
                return


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


class Grants:
    """The next message's turn, booked ahead on the meters and kept until it is used."""

    __slots__ = ("_at", "_seats")

    def __init__(self, seats: Seats) -> None:
        self._seats = seats
        self._at: float | None = None

    def at(self, connection: Connection, now: float) -> float:
        """When the next message may go over this connection."""
        if self._at is None:
            self._at = self._seats.reserve(connection.peer.ip, now)
        return self._at

    def take(self, connection: Connection, now: float) -> bool:
        """Use it, if it may go now."""
        allowed = self.at(connection, now) <= now + SOON
        if allowed:
            self._at = None
        return allowed


class Seats:
    """The places that one site's connections take: of the whole process, of its gate, and of the remote address.

    ``trusted``: it has answered the last message; until then its places are a stranger's.
    """

    __slots__ = ("_gate", "_gates", "_open", "_parked", "_provider", "trusted")

    def __init__(self, gates: Gates, gate: SharedGate, provider: str) -> None:
        self._gates = gates
        self._gate = gate
        self._provider = provider
        self._parked: set[Connection] = set()  # those that the gates know as idle
        self._open = 0
        self.trusted = False

    def reserve(self, ip: str, now: float) -> float:
        """Book one message through a connection to ``ip``: when it may go."""
        at = self._gate.gate.reserve(now)
        address = self._gates.of_address(ip, self._provider, now)
        return at if address is None else max(at, address.gate.reserve(now))

    def park(self, connection: Connection, owner: Waiter, now: float) -> None:
        """It stays idle: known as such to whoever needs its place, or let go when somebody does already."""
        if connection in self._parked:
            return
        places = self._places(connection, now)
        if self._gate.gate.surplus or any(place.wanted for place in places):
            owner.let_go(connection)
            return
        self._parked.add(connection)
        for place in places:
            place.idle(connection, owner)

    def busy(self, connection: Connection, now: float) -> None:
        """It works, or is of no more use."""
        if connection in self._parked:
            self._parked.discard(connection)
            for place in self._places(connection, now):
                place.busy(connection)

    def opened(self, now: float) -> None:
        """A connection is being opened; which address it will go to is not known yet."""
        self._gate.gate.opened(now)
        self._gates.total.opened()
        self._open += 1
        if not self.trusted:
            self._gates.total.strangers.opened()

    def lacking(self) -> Limited | None:
        """Which places of the process have none left for one more connection; None where both have."""
        total = self._gates.total
        if not (self.trusted or total.strangers.room):
            return total.strangers
        return None if total.room else total

    def trust(self, trusted: bool) -> None:
        """A message was answered, or it was not: so are the site's connections counted from now on."""
        if trusted is self.trusted:
            return
        self.trusted = trusted
        strangers = self._gates.total.strangers
        for _ in range(self._open):
            if trusted:
                strangers.closed()
            else:
                strangers.opened()

    def closed(self, connection: Connection, ip: str, now: float) -> None:
        """A connection to ``ip`` has ended."""
        self.busy(connection, now)
        address = self._gates.of_address(ip, self._provider, now)
        if address is not None:
            address.closed()
        self.given_up()

    def given_up(self) -> None:
        """No connection came about, or it is gone."""
        self._open -= 1
        self._gate.closed()
        self._gates.total.closed()
        if not self.trusted:
            self._gates.total.strangers.closed()

    def _places(self, connection: Connection, now: float) -> list[Places]:
        address = self._gates.of_address(connection.peer.ip, self._provider, now)
        return [self._gates.total, self._gate] if address is None else [self._gates.total, self._gate, address]
