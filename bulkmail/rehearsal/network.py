"""What all exchangers of one rehearsal share: speed, chance, memory, counts and the store. All of it is bounded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable
from dataclasses import asdict, dataclass
from typing import Any

from bulkmail.rehearsal.behaviour import Persona, Step
from bulkmail.rehearsal.store import NoStore
from bulkmail.rehearsal.zone import Zone, chance

_REMEMBERED = 1_000_000


@dataclass
class Totals:
    """Counts of a rehearsal so far. ``refused`` and ``deferred`` count replies from MAIL to the dot."""

    connections: int = 0
    rejected_at_limit: int = 0  # with 421, at a limit
    tls: int = 0  # handshakes done
    messages: int = 0  # kept
    recipients: int = 0
    octets: int = 0
    unanswered: int = 0  # messages kept whose sender was never told
    refused: int = 0
    deferred: int = 0
    dns_queries: int = 0

    def kept(self, recipients: int, size: int, *, answered: bool) -> None:
        """Count a message."""
        self.messages += 1
        self.recipients += recipients
        self.octets += size
        self.unanswered += not answered

    def replied(self, reply: bytes) -> None:
        """Count a reply that is not the usual one, by its first digit."""
        if reply.startswith(b"5"):
            self.refused += 1
        elif reply.startswith(b"4"):
            self.deferred += 1

    def as_dict(self) -> dict[str, int]:
        """Return the counts by name."""
        return asdict(self)


class Remembered:
    """Numbers by key; the oldest of more than ``size`` are forgotten."""

    def __init__(self, size: int = _REMEMBERED) -> None:
        self._size = size
        self._numbers: dict[Hashable, float] = {}

    def __len__(self) -> int:
        return len(self._numbers)

    def get(self, key: Hashable, default: float) -> float:
        """Return the number of ``key``, or ``default``."""
        return self._numbers.get(key, default)

    def put(self, key: Hashable, number: float) -> None:
        """Remember ``number`` for ``key``."""
        if key not in self._numbers and len(self._numbers) >= self._size:
            del self._numbers[next(iter(self._numbers))]
        self._numbers[key] = number


class SimulatedNetwork:
    """What the exchangers of a rehearsal have in common.

    ``clock``: monotonic seconds; ``now``: seconds since the epoch; ``call_later(seconds, call, *arguments)``; ``speed``
    divides all waits.
    """

    def __init__(
        self,
        zone: Zone,
        *,
        clock: Callable[[], float],
        now: Callable[[], float],
        call_later: Callable[..., Any],
        store: NoStore | None = None,
        speed: float = 600.0,
        remembered: int = _REMEMBERED,
    ) -> None:
        self.zone = zone
        self.clock = clock
        self.now = now
        self.call_later = call_later
        self.store = NoStore() if store is None else store
        self.speed = speed
        self.totals = Totals()
        self.open: Counter[Hashable] = Counter()  # connections by group and client
        self.connections: dict[Any, None] = {}  # all of them, oldest first
        self._tries = Remembered(remembered)
        self._greylist = Remembered(remembered)
        self._buckets = Remembered(remembered)

    def chance(self, *parts: object) -> float:
        """Draw a number, 0 <= x < 1, the same for the same seed and parts."""
        return chance(self.zone.seed, *parts)

    def count_try(self, key: Hashable) -> int:
        """Count one try of ``key``; returns how many there were, this one included."""
        tries = int(self._tries.get(key, 0)) + 1
        self._tries.put(key, tries)
        return tries

    def greylisted(self, key: Hashable, wait: float) -> bool:
        """Tell whether this sender and recipient have to come back later; ``wait`` in real seconds (RFC 6647)."""
        now = self.clock()
        since = self._greylist.get(key, now)
        if since == now:
            self._greylist.put(key, now)
        return now - since < wait / self.speed

    def too_fast(self, key: Hashable, rate: float, doubles: float = 0.0) -> bool:
        """Tell whether one message more goes beyond ``rate`` messages a second, with a burst of one second's worth.

        ``doubles``: seconds after the first one from which on it is twice that; 0: never.
        """
        now = self.clock()
        if doubles:
            began = self._buckets.get((key, "began"), now)
            self._buckets.put((key, "began"), began)
            rate *= 2 if now - began >= doubles else 1
        due = max(self._buckets.get(key, now), now)
        if due - now > 1.0 - 0.5 / rate:
            return True
        self._buckets.put(key, due + 1.0 / rate)
        return False

    def enter(self, key: Hashable, limit: int) -> bool:
        """Count a connection until `leave`. Returns whether it is within ``limit``; 0 is no limit."""
        self.open[key] += 1
        return not limit or self.open[key] <= limit

    def leave(self, key: Hashable) -> None:
        """Count a connection no longer."""
        self.open[key] -= 1
        if self.open[key] <= 0:
            del self.open[key]


class Exchanger:
    """One address where mail is taken: its persona, and the MX hosts that lead to it."""

    def __init__(self, ip: str, persona: Persona) -> None:
        self.ip = ip
        self.persona = persona
        self.hosts: set[str] = set()
        self.name = ip
        self.group = persona.name if persona.pooled else ip
        self.steps = {
            step: tuple(
                (number, behaviour) for number, behaviour in enumerate(persona.behaviours) if behaviour.step is step
            )
            for step in Step
        }

    def add(self, host: str) -> None:
        """Add a host that leads here; the first gives the name."""
        if not self.hosts:
            self.name = host
        self.hosts.add(host)

    def __repr__(self) -> str:
        return f"<Exchanger {self.name} at {self.ip}, {self.persona.name}>"
