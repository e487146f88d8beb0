"""Which destinations are this machine's, where several send from one spool.

A lease is on what a limit counts (a provider, or a site without one) and is held by one life of one machine at a time.
Which machine ought to hold which is a matter of arithmetic that comes out alike on all of them (rendezvous hashing over
the machines alive): nobody hands out anything, and when one comes or goes only its share moves. The arithmetic is a
wish; the row in the database is the right.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from bulkmail.mail import OwnFault
from bulkmail.spool.writer import Reactor, Writer

if TYPE_CHECKING:
    from bulkmail.spool.pg_heart import Beat, Heart
    from bulkmail.spool.pg_store import PostgresStore
    from bulkmail.spool.sites import SiteFact

_log = Logger("bulkmail")


class Leases:
    """The leases of one machine, and its news of the others. For the event loop's thread.

    ``held``: key -> whether its gate begins with an empty burst, because another may have used it just before.
    ``on_members``, ``on_heard`` and ``on_over`` are called when machines came or went, when another one has something
    to say (rows, states, or "" for anything), and when our life was declared over.
    """

    heart: Heart

    def __init__(
        self,
        *,
        store: PostgresStore,
        writer: Writer,
        reactor: Reactor,
        monotonic: Callable[[], float],
        on_fault: Callable[[OwnFault | None], None] | None = None,
    ) -> None:
        self.held: dict[str, bool] = {}
        self.members: tuple[int, ...] = (store.epoch,)
        self.over = False
        self.on_members: Callable[[], None] = lambda: None
        self.on_heard: Callable[[str], None] = lambda _: None
        self.on_over: Callable[[], None] = lambda: None
        self._store = store
        self._writer = writer
        self._reactor = reactor
        self._monotonic = monotonic
        self._on_fault = on_fault
        self._asked: dict[str, list[Deferred[bool]]] = {}

    @property
    def valid(self) -> bool:
        """Whether what we hold is ours for certain, by our own clock: else no dot may leave."""
        return not self.over and self._monotonic() < self.heart.valid_until

    @property
    def unsure(self) -> str:
        """Why it is not known whether the last transaction was committed; "" when it is."""
        return self._store.database.unsure

    def prefers(self, key: str) -> bool:
        """Whether this machine, of all that are alive, ought to hold it."""
        mine = self._store.epoch
        return max(self.members, default=mine, key=partial(_weight, key)) == mine

    def take(self, key: str) -> Deferred[bool]:
        """Try to get it; what is asked for in one turn is one transaction. Fails with OwnFault."""
        answer: Deferred[bool] = Deferred()
        if not self._asked:
            self._reactor.callLater(0, self._ask)
        self._asked.setdefault(key, []).append(answer)
        return answer

    def let_go(self, keys: Iterable[str]) -> Deferred[None]:
        """Others may have them now. Fails with OwnFault; what could not be let go runs out with this life."""
        gone = list(keys)
        for key in gone:
            self.held.pop(key, None)
        return self._writer.call(partial(self._store.let_leases_go, gone))

    def holder(self, key: str) -> Deferred[str]:
        """The name of the machine that holds it; "" when nobody does."""
        return self._writer.call(partial(self._store.lease_holder, key))

    def recover_others(self, unknown_after: float, now: float) -> Deferred[Any]:
        """Take over what machines had claimed that are gone for longer than ``unknown_after``: see `pg_store`."""
        return self._writer.call(partial(self._store.recover_others, unknown_after, now))

    def site_facts(self, sites: list[str], now: float) -> Deferred[list[SiteFact]]:
        """What all machines have learnt of these, and still holds."""
        return self._writer.call(partial(self._store.site_facts_of, sites, now))

    def rest(self, queue_ids: Iterable[int]) -> Deferred[None]:
        """Tell everybody that the sites of these queues cannot be used: see `pg_claims`."""
        return self._writer.call(partial(self._store.rest, list(queue_ids)))

    def first_round_over(self, campaign_id: int, now: float) -> Deferred[bool]:
        """Whether every row was tried that can be, by all machines together: see `pg_claims`."""
        return self._writer.call(partial(self._store.first_round_over, campaign_id, now))

    def beat(self, beat: Beat) -> None:
        """The heart tells of a beat."""
        if beat.fault:
            if self._on_fault is not None:
                self._on_fault(OwnFault(f"the spool {self._store.database.path} cannot be used ({beat.fault})"))
            return
        if beat.over:
            self.over = True
            self.on_over()
            return
        for name in beat.ended:
            _log.warn("machine {name} has not been heard of for longer than its lease; others go on", name=name)
        if beat.members != self.members:
            self.members = beat.members
            _log.info("machines on this spool: {count}", count=len(beat.members))
            self.on_members()

    def heard(self, what: str) -> None:
        """Another machine, or this one, has committed something."""
        self.on_heard(what)

    def stop(self) -> None:
        """No more beats; a commit that nobody knows the fate of is not waited for."""
        self.heart.stop()
        self._store.database.giving_up.set()

    def _ask(self) -> None:
        asked, self._asked = self._asked, {}
        work = self._writer.call(partial(self._store.take_leases, list(asked)))
        work.addCallbacks(self._taken, _not_taken, callbackArgs=(asked,), errbackArgs=(asked,))
        work.addErrback(lambda failure: _log.failure("telling who holds a lease failed", failure))

    def _taken(self, got: dict[str, bool], asked: dict[str, list[Deferred[bool]]]) -> None:
        for key, fresh in got.items():
            self.held.setdefault(key, not fresh)
        for key, answers in asked.items():
            for answer in answers:
                answer.callback(key in got)


def _not_taken(failure: Any, asked: dict[str, list[Deferred[bool]]]) -> None:
    for answers in asked.values():
        for answer in answers:
            answer.errback(failure)


def _weight(key: str, epoch: int) -> bytes:
    return blake2b(f"{epoch} {key}".encode(), digest_size=8).digest()
