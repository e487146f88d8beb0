"""Carries what sites have taught us over restarts: read from the spool at the start, written into it in batches.

Where several machines share the spool, what others have learnt of a site is read when this machine begins to send to
it, and all of it anew when somebody has it forgotten. What is not written yet is written before a site's lease is let
go, so whoever takes it over finds it.

Nothing here may stop sending. What cannot be read or written is told once, and is then only known to this process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from bulkmail.delivery.background import background
from bulkmail.mail import OwnFault
from bulkmail.shaping import Changes, Fact, Habit, Memory, learn
from bulkmail.spool import SiteFact, Spool

_log = Logger("bulkmail")

_EVERY = 5.0  # seconds between two writes
_AGAIN = 60.0  # after one that failed
_KNOWN = frozenset(map(str, Habit))


class SiteFactSync:
    """The spool's side of a `Memory`."""

    def __init__(self, *, reactor: IReactorTime, spool: Spool, wall: Callable[[], float]) -> None:
        self.memory = Memory()
        self._reactor = reactor
        self._spool = spool
        self._wall = wall
        self._not_before = 0.0
        self._writing = False
        self._told = ""
        self._asked: dict[str, None] = {}
        self._answers: list[Deferred[None]] = []

    async def load(self) -> None:
        """What is in the spool and still holds; the expired is dropped there."""
        try:
            stored = await self._spool.site_facts(self._wall())
        except OwnFault as fault:
            self._failed(f"what is known of sites could not be read: {fault}")
        else:
            self.memory.load(_facts(stored), self._wall())

    def news_of(self, sites: Iterable[str]) -> Deferred[None]:
        """What other machines have learnt of these; what is asked for in one turn is one question. Never fails."""
        answer: Deferred[None] = Deferred()
        if not self._answers:
            self._reactor.callLater(0, self._ask)
        self._asked.update(dict.fromkeys(sites))
        self._answers.append(answer)
        return answer

    def _ask(self) -> None:
        asked, self._asked = list(self._asked), {}
        answers, self._answers = self._answers, []
        background(self._news(asked, answers), "reading what other machines have learnt")

    async def _news(self, sites: list[str], answers: list[Deferred[None]]) -> None:
        try:
            assert self._spool.leases is not None
            stored = await self._spool.leases.site_facts(sites, self._wall())
        except OwnFault as fault:
            self._failed(f"what other machines have learnt could not be read: {fault}")
        else:
            self.memory.renew(_facts(stored), self._wall(), sites)
        for answer in answers:
            answer.callback(None)

    async def renew(self) -> None:
        """Somebody has taken facts away, or we may have missed that: all that is known is read anew."""
        try:
            stored = await self._spool.site_facts(self._wall())
        except OwnFault as fault:
            self._failed(f"what is known of sites could not be read: {fault}")
        else:
            self.memory.renew(reversed(list(_facts(stored))), self._wall())

    def look(self) -> None:
        """Called once a second: write what is new, if it is time."""
        if self.memory.changed and not self._writing and self._reactor.seconds() >= self._not_before:
            background(self._write(), "writing what sites have taught")

    async def close(self) -> None:
        """Write what is left."""
        if self.memory.changed:
            await self._write()

    async def _write(self) -> None:
        changes = self.memory.take_changes()
        self._writing = True
        self._not_before = self._reactor.seconds() + _EVERY
        try:
            await self._spool.remember(*_stored(changes))
        except OwnFault as fault:
            self.memory.put_back(changes)
            self._not_before = self._reactor.seconds() + _AGAIN
            self._failed(f"what sites have taught is not written down: {fault}")
        finally:
            self._writing = False

    def _failed(self, text: str) -> None:
        if text != self._told:
            self._told = text
            _log.warn("{text}", text=text)


class KeptFactors:
    """The throttle factors of each limit key, kept among the site facts (see `Limiter.factors`)."""

    def __init__(self, facts: Memory, wall: Callable[[], float]) -> None:
        self._facts = facts
        self._wall = wall

    def factors_of(self, key: str) -> tuple[float, float]:
        """Return the two factors, of the rate and of the connections."""
        rate, concurrency = (self._facts.known(key, habit, self._wall()) for habit in (Habit.RATE, Habit.CONCURRENCY))
        return rate.value if rate else 1.0, concurrency.value if concurrency else 1.0

    def keep_factors(self, key: str, factors: tuple[float, float]) -> None:
        """Remember the two factors; a whole limit is not remembered."""
        for habit, factor in zip((Habit.RATE, Habit.CONCURRENCY), factors, strict=True):
            if factor < 1.0:
                self._facts.learn(key, learn(habit, self._wall(), factor))
            else:
                self._facts.forget(key, habit)


def _facts(stored: Iterable[SiteFact]) -> Iterator[tuple[str, Fact]]:
    for one in stored:
        if one.fact in _KNOWN:  # not what another version has learnt
            yield one.site, Fact(Habit(one.fact), one.value, one.learned_at, one.expires_at)


def _stored(changes: Changes) -> tuple[list[SiteFact], list[tuple[str, str]]]:
    learnt = [
        SiteFact(site, str(habit), fact.value, fact.since, fact.until)
        for (site, habit), fact in changes.items()
        if fact is not None
    ]
    return learnt, [(site, str(habit)) for (site, habit), fact in changes.items() if fact is None]
