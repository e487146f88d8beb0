"""Carries what sites have taught us over restarts: read from the spool at the start, written into it in batches.

Nothing here may stop sending. What cannot be read or written is told once, and is then only known to this process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from bulkmail.delivery.background import background
from bulkmail.mail import OwnFault
from bulkmail.shaping import Changes, Fact, Habit, Memory
from bulkmail.spool import SiteFact, Spool

_log = Logger("bulkmail")

_EVERY = 5.0  # seconds between two writes
_AGAIN = 60.0  # after one that failed
_KNOWN = frozenset(map(str, Habit))


class Remembering:
    """The spool's side of a `Memory`."""

    def __init__(self, *, reactor: IReactorTime, spool: Spool, wall: Callable[[], float]) -> None:
        self.memory = Memory()
        self._reactor = reactor
        self._spool = spool
        self._wall = wall
        self._not_before = 0.0
        self._writing = False
        self._told = ""

    async def load(self) -> None:
        """What is in the spool and still holds; the expired is dropped there."""
        try:
            stored = await self._spool.site_facts(self._wall())
        except OwnFault as fault:
            self._failed(f"what is known of sites could not be read: {fault}")
        else:
            self.memory.load(_facts(stored), self._wall())

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
