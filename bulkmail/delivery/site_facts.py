"""Carries site facts over restarts: read from the spool at the start, written into it in batches.

Where several machines share the spool, what others have learnt of a site is read when this machine begins to send to
it, and all facts are read anew when an operator has some forgotten (``bulkmail forget``). Facts not written yet are
written before a site's lease is let go, so the machine that takes it over reads them.

Nothing here may stop sending. A failure to read or write is logged once; the facts are then known to this process only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from bulkmail.delivery.background import Once, background
from bulkmail.mail import OwnFault
from bulkmail.shaping import Changes, Fact, FactKind, Ruled, SiteFacts, learn
from bulkmail.spool import SiteFact, Spool

_log = Logger("bulkmail")

_EVERY = 5.0  # seconds between two writes
_AGAIN = 60.0  # after one that failed
_KNOWN = frozenset(map(str, FactKind))
_BY_RULE = (FactKind.REST, FactKind.PACE, FactKind.CONNECTIONS)


class SiteFactSync:
    """Keeps a `SiteFacts` and the spool's table alike. ``wall``: the wall clock, in seconds."""

    def __init__(self, *, reactor: IReactorTime, spool: Spool, wall: Callable[[], float]) -> None:
        self.memory = SiteFacts()
        self._reactor = reactor
        self._spool = spool
        self._wall = wall
        self._not_before = 0.0
        self._writing = False
        self._failed = Once(_log.warn)
        self._asked: dict[str, None] = {}
        self._answers: list[Deferred[None]] = []

    async def load(self) -> None:
        """Read what is in the spool and still holds; expired facts are dropped there. Never fails."""
        try:
            stored = await self._spool.site_facts(self._wall())
        except OwnFault as fault:
            self._failed(f"what is known of sites could not be read: {fault}")
        else:
            self.memory.load(_facts(stored), self._wall())

    def news_of(self, sites: Iterable[str]) -> Deferred[None]:
        """Read what other machines have learnt of these; calls in one turn make one query. Never fails."""
        answer: Deferred[None] = Deferred()
        if not self._answers:
            self._reactor.callLater(0, self._ask)
        self._asked.update(dict.fromkeys(sites))
        self._answers.append(answer)
        return answer

    def _ask(self) -> None:
        asked, self._asked = list(self._asked), {}
        answers, self._answers = self._answers, []
        background(self._news(asked, answers), "reading the site facts of other machines")

    async def _news(self, sites: list[str], answers: list[Deferred[None]]) -> None:
        try:
            assert self._spool.leases is not None
            stored = await self._spool.leases.site_facts(sites, self._wall())
        except OwnFault as fault:
            self._failed(f"the site facts of other machines could not be read: {fault}")
        else:
            self.memory.renew(_facts(stored), self._wall(), sites)
        for answer in answers:
            answer.callback(None)

    async def renew(self) -> None:
        """Read all facts anew: some were forgotten by an operator, or that may have been missed. Never fails."""
        try:
            stored = await self._spool.site_facts(self._wall())
        except OwnFault as fault:
            self._failed(f"what is known of sites could not be read: {fault}")
        else:
            self.memory.renew(reversed(list(_facts(stored))), self._wall())

    def look(self) -> None:
        """Write what is new, if it is time; called once a second."""
        if self.memory.changed and not self._writing and self._reactor.seconds() >= self._not_before:
            background(self._write(), "writing site facts")

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
            self._failed(f"site facts could not be written: {fault}")
        finally:
            self._writing = False


class KeptFactors:
    """The throttle factors of each limit key, kept among the site facts (see `Limiter.factors`)."""

    def __init__(self, facts: SiteFacts, wall: Callable[[], float]) -> None:
        self._facts = facts
        self._wall = wall

    def factors_of(self, key: str) -> tuple[float, float]:
        """Return the two factors, of the rate and of the connections."""
        rate, concurrency = (
            self._facts.known(key, kind, self._wall()) for kind in (FactKind.RATE, FactKind.CONCURRENCY)
        )
        return rate.value if rate else 1.0, concurrency.value if concurrency else 1.0

    def ruled_of(self, key: str) -> Ruled:
        """Return what rules have asked for and is in force."""
        now = self._wall()
        rest, pace, connections = (self._facts.known(key, kind, now) for kind in _BY_RULE)
        return Ruled(
            0.0 if rest is None else rest.until - now,
            (1.0, 0.0) if pace is None else (pace.value, pace.until - now),
            (0, 0.0) if connections is None else (int(connections.value), connections.until - now),
        )

    def keep_factors(self, key: str, factors: tuple[float, float]) -> None:
        """Remember the two factors; a whole limit is not remembered."""
        for kind, factor in zip((FactKind.RATE, FactKind.CONCURRENCY), factors, strict=True):
            if factor < 1.0:
                self._facts.learn(key, learn(kind, self._wall(), factor))
            else:
                self._facts.forget(key, kind)


def _facts(stored: Iterable[SiteFact]) -> Iterator[tuple[str, Fact]]:
    for one in stored:
        if one.fact in _KNOWN:  # not what another version has learnt
            yield one.site, Fact(FactKind(one.fact), one.value, one.learned_at, one.expires_at)


def _stored(changes: Changes) -> tuple[list[SiteFact], list[tuple[str, str]]]:
    learnt = [
        SiteFact(site, str(kind), fact.value, fact.since, fact.until)
        for (site, kind), fact in changes.items()
        if fact is not None
    ]
    return learnt, [(site, str(kind)) for (site, kind), fact in changes.items() if fact is None]
