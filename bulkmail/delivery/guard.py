"""What keeps one campaign from going wrong on a large scale: its first messages at each provider, and when it stops.

`shaping.Canary` says how many messages may be claimed for a provider before the rest, `shaping.Breaker` where the
campaign stops; here is what both are told, and whom they tell. A campaign of no more rows than the canary has messages
waits for nothing, and stops nowhere.

The outcomes that are judged are those of this process. Where several machines send a campaign, each judges its own, and
a stop is a hold in the spool, which all of them obey.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from bulkmail.mail import Status
from bulkmail.shaping import GREYLISTED, OTHER, Back, Breaker, Canary, StopRules, Trip

_FINAL = frozenset(str(status) for status in Status if status.final)
_TRIED = frozenset(map(str, (Status.DELIVERED, Status.BOUNCED, Status.BLOCKED, Status.EXPIRED, Status.UNKNOWN)))
_ANY = 1 << 30

Key = tuple[str, str, str]


class Guard:
    """``rows()`` gives how many rows the campaign has, as far as they are known. ``wait``: see `shaping.Canary`.

    ``totals``: rows by (provider, status, category) when this process began. Where a provider is asked for, "" is a
    site of no known one.
    """

    def __init__(
        self,
        rules: StopRules,
        rows: Callable[[], int],
        totals: Mapping[Key, int] | None = None,
        wait: float = GREYLISTED,
    ) -> None:
        self.breaker = Breaker(rules)
        self._first = rules.first
        self._rows = rows
        self._wait = wait
        self._before = totals or {}
        self._canaries: dict[str, Canary] = {}
        self._on_trip: Callable[[Trip], None] = lambda _: None
        self._on_room: Callable[[], None] = lambda: None

    def __repr__(self) -> str:
        return f"<Guard {self.breaker} {self._canaries}>"

    def on_trip(self, call: Callable[[Trip], None]) -> None:
        """Call ``call(trip)`` when the campaign is to stop."""
        self._on_trip = call

    def on_room(self, call: Callable[[], None]) -> None:
        """Call ``call()`` when more messages may be claimed than before."""
        self._on_room = call

    @property
    def waiting(self) -> list[str]:
        """The providers for which nothing more is claimed until their first messages are answered."""
        return sorted(name for name, one in self._canaries.items() if one.waits) if self._large else []

    @property
    def again_at(self) -> float | None:
        """When more of the first messages are sent where too few had a final answer, by the clock of `available`."""
        times = (one.again_at for one in self._canaries.values() if one.waits) if self._large else ()
        return min((at for at in times if at is not None), default=None)

    @property
    def _large(self) -> bool:
        return self._rows() > self._first

    # claiming

    def available(self, provider: str, now: float) -> int:
        """Return how many messages may be claimed for ``provider`` now."""
        canary = self._canary(provider)
        return _ANY if canary.passed or not self._large else canary.available(now)

    def next_at(self, provider: str, now: float) -> float | None:
        """Return when more may be claimed than now; None where answers are waited for."""
        return self._canary(provider).next_at(now)

    def take(self, provider: str, count: int) -> Canary | None:
        """Take ``count`` messages for a claim; return what each of them is to give back, None where that is nothing."""
        canary = self._canary(provider)
        if canary.passed:
            return None
        canary.take(count)
        return canary

    def give_back(self, canary: Canary, count: int) -> None:
        """Take back the places of ``count`` messages that were not claimed, or came back without an attempt."""
        canary.give_back(count)
        self._on_room()

    # outcomes

    def settled(
        self, canary: Canary | None, provider: str, status: str, category: str, *, attempted: bool, answered: bool
    ) -> None:
        """Count a row's new status. ``attempted``: it is of an attempt; ``answered``: of one that a server answered."""
        if canary is not None:
            if not attempted:
                self.give_back(canary, 1)
            elif canary.answered(final=status in _FINAL):
                self._on_room()
        if answered:
            trip = self.breaker.settled(provider, status, category, judge=status != Status.DELIVERED and self._large)
            if trip is not None:
                self._on_trip(trip)

    def came_back(self, back: Mapping[str, Back], accepted: Mapping[str, int]) -> None:
        """Take what came back so far, and how many messages were accepted, both by provider."""
        if self._large:
            for trip in self.breaker.came_back(back, accepted):
                self._on_trip(trip)

    def held(self, before: Iterable[str], after: Iterable[str]) -> None:
        """Rules have held the campaign at the providers ``before``, and hold it at those ``after`` now."""
        for provider in set(after) - set(before):
            self.breaker.hold(provider)
        for provider in set(before) - set(after):
            self.breaker.release(provider)

    def _canary(self, provider: str) -> Canary:
        name = provider or OTHER
        canary = self._canaries.get(name)
        if canary is None:
            mine = [(key[1], count) for key, count in self._before.items() if key[0] == provider]
            final = sum(count for status, count in mine if status in _TRIED)
            deferred = sum(count for status, count in mine if status == Status.DEFERRED)
            canary = self._canaries[name] = Canary(self._first, wait=self._wait, final=final, deferred=deferred)
        return canary
