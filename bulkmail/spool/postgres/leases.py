"""Which destinations are this machine's, where several send from one spool.

A lease is on what a limit counts (a provider, or a site without one) and is held by one incarnation of one machine at a
time. A large one is cut into numbered shares, each with a lease of its own. Which machine ought to hold which lease,
and how many of the shares, each machine computes for itself with the same result (rendezvous hashing over the machines
alive), so when one comes or goes only its part moves. The computed share is a target; what a machine may use is what
the rows in the database say. Which of the shares a machine has does not matter, so it takes any that are free.

This module needs no psycopg: it knows the store by `shared.SharedStore`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from functools import partial
from hashlib import blake2b
from typing import Any, NamedTuple, Protocol

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from bulkmail.mail import OwnFault
from bulkmail.shaping import RetrySettings
from bulkmail.spool.rows import SiteFact
from bulkmail.spool.shared import SharedStore, Taken
from bulkmail.spool.writer import Reactor, Writer

_log = Logger("bulkmail")


class HeartbeatResult(NamedTuple):
    """What one beat brought.

    ``members``: the epochs of the machines alive. ``ended``: the names of those whose leases ran out. ``over``: others
    have declared this incarnation over. ``fault``: why the database could not be reached; "" when it could.
    """

    members: tuple[int, ...] = ()
    ended: tuple[str, ...] = ()
    over: bool = False
    fault: str = ""


class Validity(Protocol):
    """What the leases need of their heartbeat."""

    valid_until: float  # seconds on the machine's monotonic clock

    def start(self) -> None:
        """Start beating."""

    def stop(self) -> None:
        """Stop beating."""


@dataclass(slots=True)
class Lease:
    """What this machine holds of one key: the shares called ``numbers``, of ``shares``.

    ``used``: another machine may have used its limits just before, so its gate begins with an empty burst.
    """

    numbers: frozenset[int]
    shares: int = 1
    used: bool = False


@dataclass(slots=True)
class _Asked:
    """What is to be asked for in one transaction."""

    wanted: dict[str, tuple[int, int]] = field(default_factory=dict)
    together: list[tuple[str, ...]] = field(default_factory=list)
    answers: list[tuple[tuple[str, ...], Deferred[bool]]] = field(default_factory=list)
    gone: set[tuple[str, int]] = field(default_factory=set)  # what was let go before the answer came


class Leases:
    """The leases of one machine, and what it knows of the others. For the event loop's thread.

    ``held``: key -> what we hold of it. ``heartbeat``: makes the heartbeat, which calls `beat` and `heard`.
    ``on_members``, ``on_heard`` and ``on_over`` are called when machines came or went, when a machine has committed
    something (rows, states, sites, or "" for any of them), and when our incarnation was declared over.
    """

    def __init__(
        self,
        *,
        store: SharedStore,
        writer: Writer,
        reactor: Reactor,
        monotonic: Callable[[], float],
        heartbeat: Callable[[Leases], Validity],
        on_fault: Callable[[OwnFault | None], None] | None = None,
    ) -> None:
        self.held: dict[str, Lease] = {}
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
        self._asked: _Asked | None = None
        self._asking: list[_Asked] = []
        self._owed: set[tuple[str, int]] = set()  # could not be let go yet
        self._reported: set[str] = set()  # keys that another machine divides otherwise
        self.heartbeat = heartbeat(self)

    @property
    def valid(self) -> bool:
        """Whether what we hold is ours for certain, by our own clock; else no final dot may leave."""
        return not self.over and self._monotonic() < self.heartbeat.valid_until

    @property
    def unsure(self) -> str:
        """Why it is not known whether the last transaction was committed; "" when it is."""
        return self._store.unsure

    def ought(self, key: str, shares: int = 1) -> int:
        """Return how many of its shares this machine ought to hold: all as many, and the first of them one more."""
        mine = self._store.epoch
        if mine not in self.members:
            return 0
        weight = _weight(key, mine)
        rank = sum(_weight(key, other) > weight for other in self.members)
        each, left = divmod(shares, len(self.members))
        return each + (rank < left)

    def take(self, key: str, most: int = 1, shares: int = 1, also: Collection[str] = ()) -> Deferred[bool]:
        """Try to take ``most`` of its ``shares``, and ``also`` these keys; fires with whether we hold one of each now.

        What is asked for in one turn of the event loop is one transaction. Fails with OwnFault.
        """
        if self._asked is None:
            self._asked = _Asked()
            self._reactor.callLater(0, self._ask)
        asked, answer = self._asked, Deferred[bool]()
        asked.wanted[key] = (most, shares)
        if also:
            asked.wanted |= dict.fromkeys(also, (1, 1))
            asked.together.append((key, *also))
        asked.answers.append(((key, *also), answer))
        return answer

    def let_go(self, keys: Iterable[str]) -> Deferred[None]:
        """Free these keys. Fails with OwnFault; then it is tried again, and they run out with this incarnation."""
        return self.let_shares_go({key: self.held[key].numbers for key in keys if key in self.held})

    def let_shares_go(self, gone: dict[str, frozenset[int]]) -> Deferred[None]:
        """Free these numbers of these keys; as above."""
        shares = {(key, number) for key, numbers in gone.items() for number in numbers}
        for key, numbers in gone.items():
            lease = self.held[key]
            lease.numbers -= numbers
            if not lease.numbers:
                del self.held[key]
        return self._give(shares)

    def holder(self, key: str) -> Deferred[str]:
        """Fires with the name of the machine that holds it; "" when none does."""
        return self._writer.call(partial(self._store.lease_holder, key))

    def recover_others(self, retry: RetrySettings, now: float) -> Deferred[Any]:
        """Take over the claims of machines that ended; see `shared.SharedStore.recover_others`."""
        return self._writer.call(partial(self._store.recover_others, retry, now))

    def site_facts(self, sites: list[str], now: float) -> Deferred[list[SiteFact]]:
        """Fires with what all machines have learnt of these sites, as far as it has not expired."""
        return self._writer.call(partial(self._store.site_facts_of, sites, now))

    def rest(self, queue_ids: Iterable[int]) -> Deferred[None]:
        """Record that the sites of these queues cannot be used; see `shared.SharedStore.rest`."""
        return self._writer.call(partial(self._store.rest, list(queue_ids)))

    def first_round_over(self, campaign_id: int, now: float) -> Deferred[bool]:
        """Fires with whether every stored row had its turn; see `shared.SharedStore.first_round_over`."""
        return self._writer.call(partial(self._store.first_round_over, campaign_id, now))

    def beat(self, beat: HeartbeatResult) -> None:
        """Take in the result of a beat."""
        if beat.fault:
            if self._on_fault is not None:
                self._on_fault(OwnFault(f"the spool {self._store.shown} cannot be used ({beat.fault})"))
            return
        if beat.over:
            self.over = True
            self.on_over()
            return
        for name in beat.ended:
            _log.warn("machine {name} has not been heard of for longer than its lease; others go on", name=name)
        if self._owed:
            self._give_again()
        if beat.members != self.members:
            self.members = beat.members
            _log.info("machines on this spool: {count}", count=len(beat.members))
            self.on_members()

    def heard(self, what: str) -> None:
        """Take in that a machine, perhaps this one, has committed something."""
        self.on_heard(what)

    def stop(self) -> None:
        """Stop the heartbeat; wait no longer to learn whether a commit was carried out."""
        self.heartbeat.stop()
        self._store.give_up()

    def _give(self, shares: set[tuple[str, int]]) -> Deferred[None]:
        for asked in self._asking:
            asked.gone |= shares

        def failed(failure: Failure) -> Failure:
            self._owed |= shares
            return failure

        work: Deferred[None] = self._writer.call(partial(self._store.let_shares_go, shares))
        return work.addErrback(failed)

    def _give_again(self) -> None:
        owed, self._owed = self._owed, set()
        for key, lease in self.held.items():
            owed -= {(key, number) for number in lease.numbers}
        if owed:
            self._give(owed).addErrback(_owed_still)

    def _ask(self) -> None:
        asked, self._asked = self._asked, None
        assert asked is not None
        self._asking.append(asked)
        held = [key for key in asked.wanted if key in self.held]
        work = self._writer.call(partial(self._store.take_leases, asked.wanted, asked.together, held))
        work.addBoth(self._answered, asked)
        work.addCallbacks(self._taken, _not_taken, callbackArgs=(asked,), errbackArgs=(asked,))
        work.addErrback(lambda failure: _log.failure("answering who holds a lease failed", failure))

    def _answered(self, answer: Any, asked: _Asked) -> Any:
        self._asking.remove(asked)
        return answer

    def _taken(self, taken: Taken, asked: _Asked) -> None:
        for key, number in asked.gone:
            numbers = taken.shares.get(key, {})
            numbers.pop(number, None)
            if not numbers:
                taken.shares.pop(key, None)
        for key, numbers in taken.shares.items():
            lease = self.held.get(key)
            if lease is None:
                self.held[key] = Lease(frozenset(numbers), asked.wanted[key][1], not all(numbers.values()))
            else:
                lease.numbers |= frozenset(numbers)
        for key, (shares, name) in taken.otherwise.items():
            if key not in self._reported:
                self._reported.add(key)
                _log.warn(
                    "{key} is divided into {shares} shares on machine {name} and into {ours} here: give all machines "
                    "the same settings; until then only one of them sends to it",
                    key=key,
                    shares=shares,
                    name=name,
                    ours=asked.wanted[key][1],
                )
        for keys, answer in asked.answers:
            answer.callback(all(key in taken.shares for key in keys))


def _owed_still(failure: Any) -> None:
    failure.trap(OwnFault)


def _not_taken(failure: Any, asked: _Asked) -> None:
    for _, answer in asked.answers:
        answer.errback(failure)


def _weight(key: str, epoch: int) -> bytes:
    return blake2b(f"{epoch} {key}".encode(), digest_size=8).digest()
