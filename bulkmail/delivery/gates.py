"""What a limit counts, shared by the lanes that share it: providers, sites, remote addresses, the whole process.

A lane that may not open a connection now waits in the gate's line. A connection that closes wakes the first in line;
and while somebody waits, a connection that has nothing to do is closed to make room, whoever's it is: five connections
to a provider with a thousand sites must not stand idle at the first five. Nobody polls.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from bulkmail.shaping import Gate, Limits

if TYPE_CHECKING:
    from bulkmail.net import Connection


class Waiter(Protocol):
    """Somebody who waits for a connection to become possible, and who has idle ones."""

    def dispatch(self) -> None:
        """Try again."""

    def let_go(self, connection: Connection) -> None:
        """Close this idle connection."""


class Places:
    """A bounded number of connections: the idle ones among them, and the line of those who wait for a place."""

    __slots__ = ("_idle", "_line", "users")

    def __init__(self) -> None:
        self._idle: OrderedDict[Connection, Waiter] = OrderedDict()
        self._line: deque[Waiter] = deque()
        self.users = 0

    @property
    def wanted(self) -> bool:
        """Whether somebody waits for a place."""
        return bool(self._line)

    def wait(self, waiter: Waiter) -> None:
        """Be woken when a connection has closed; the one that has been idle longest is asked to."""
        if waiter not in self._line:
            self._line.append(waiter)
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
        """There is a place: the first in line may try."""
        if self._line:
            self._line.popleft().dispatch()


class SharedGate(Places):
    """A shaping Gate with its places."""

    __slots__ = ("gate",)

    def __init__(self, gate: Gate) -> None:
        super().__init__()
        self.gate = gate

    def closed(self) -> None:
        """A connection has closed."""
        self.gate.closed()
        self.wake_next()


class Total(Places):
    """The connections of the whole process."""

    __slots__ = ("limit", "open")

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.limit = limit
        self.open = 0

    def opened(self) -> None:
        """One more is open."""
        self.open += 1

    def closed(self) -> None:
        """A connection has closed."""
        self.open -= 1
        self.wake_next()


class Gates:
    """All gates of the process, made when first asked for and dropped when nobody uses them any more."""

    def __init__(self, limits_of: Callable[[str], Limits], total: int) -> None:
        self._limits_of = limits_of
        self._sites: dict[str, SharedGate] = {}
        self._addresses: dict[str, SharedGate] = {}
        self.total = Total(total)

    def of_site(self, key: str, provider: str, now: float) -> SharedGate:
        """The gate of a provider where one matches, else of the site."""
        return self._take(self._sites, f"provider {provider}" if provider else key, provider, now)

    def of_address(self, ip: str, provider: str, now: float) -> SharedGate | None:
        """The default limits for one remote address over all its sites; a provider's sites have the provider's own."""
        return None if provider else self._take(self._addresses, ip, "", now)

    def drop_unused(self) -> None:
        """Forget gates without users, waiters or open connections; called now and then."""
        for gates in (self._sites, self._addresses):
            for key in [key for key, gate in gates.items() if not (gate.users or gate.gate.open or gate.wanted)]:
                del gates[key]

    def _take(self, gates: dict[str, SharedGate], key: str, provider: str, now: float) -> SharedGate:
        gate = gates.get(key)
        if gate is None:
            gate = gates[key] = SharedGate(Gate(self._limits_of(provider), now))
        return gate
