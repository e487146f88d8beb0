"""What one lane takes of the gates: the places of its connections, and the turns of its messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bulkmail.delivery.gates import Gates, Limited, Places, SharedGate, Waiter
    from bulkmail.net import Connection

SOON = 0.0005  # what is allowed this near is done now: a timer would cost more


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
        """It stays idle: the gates know it as such, or it is let go where somebody waits or it is one too many."""
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
