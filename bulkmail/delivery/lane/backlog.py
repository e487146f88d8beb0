"""The messages of one lane that are not on a connection: those that are ready, and what becomes of them otherwise.

A message leaves the backlog to a connection, to the ledger with an outcome, or to the spool without an attempt.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Container
from math import inf
from typing import Protocol

from bulkmail.delivery.background import Wakeup
from bulkmail.delivery.clocks import Clocks
from bulkmail.delivery.lane.in_flight import InFlight, Unsendable
from bulkmail.delivery.lane.in_turn import InTurn
from bulkmail.delivery.lane.suspension import Suspension
from bulkmail.delivery.ledger import Ledger
from bulkmail.delivery.message import Message
from bulkmail.delivery.pause import Pause
from bulkmail.delivery.run import Run
from bulkmail.mail import Category, Fate, Outcome, Stage, Status
from bulkmail.routing import Site

_UNCHARGED_TRIES = 3
_NO_TRANSACTION = Outcome(Fate.LOST, Stage.MAIL, note="the connection was closed each time a message was offered")


class Supplier(Protocol):
    """What brings messages to a lane."""

    def hold(self, count: int, run: Run) -> None:
        """Add ``count`` (may be negative) to the claimed, unsettled messages of a campaign, of all lanes."""

    def below_target(self) -> None:
        """The lane may have room for more messages."""

    def suspended(self) -> None:
        """The lane sends nothing for a while."""

    def elsewhere(self, run: Run) -> bool:
        """Return whether what this lane gives back of a campaign can be sent from another source at once."""


class Backlog:
    """``ready``: composed messages, in order. ``held``: claimed for this lane, and not yet recorded or given back;
    ``held_of``: those of each campaign. ``in_flight``: those on connections.

    ``waiting_since``: since when some have been ready without a break, on the reactor's clock. ``closed``: the lane
    takes no more messages.
    """

    def __init__(
        self,
        site: Site,
        supplier: Supplier,
        suspension: Suspension,
        in_flight: InFlight,
        *,
        ledger: Ledger,
        clocks: Clocks,
        pause: Pause,
        wakeup: Wakeup,
    ) -> None:
        self.ready: deque[Message] = deque()
        self.waiting_since = -inf
        self._in_turn = InTurn(self.ready)
        self.held = 0
        self.held_of: dict[Run, int] = defaultdict(int)
        self.closed = False
        self.supplier = supplier
        self.in_flight = in_flight
        self._reachable = bool(site.hosts)
        self.site, self._provider = site, site.provider
        self.suspension = suspension
        self._ledger = ledger
        self._clocks = clocks
        self._pause = pause
        self._wakeup = wakeup

    def hold(self, count: int, run: Run) -> None:
        """Add ``count`` (may be negative) to the claimed, unsettled messages of a campaign."""
        self.held += count
        self.held_of[run] += count
        if not self.held and self._reachable:
            self.suspension.unburden()
        self.supplier.hold(count, run)

    def forget_others(self, runs: Container[Run]) -> None:
        """Forget the campaigns that have nothing here any more, and none of these."""
        for run in [run for run, held in self.held_of.items() if not held and run not in runs]:
            del self.held_of[run]

    def add(self, message: Message) -> None:
        """Take a composed message; where its campaign is held it goes back, without an attempt."""
        if message.run.holds.providers and self.holds_back(message.run):
            self._give_back([message], 0.0)
        elif self.suspension.charging:
            self._charge(message)
        elif self.closed or self.suspension.suspended:
            self._put_off([message])
        else:
            if not self.ready:
                self.waiting_since = self._clocks.now()
            if message.run is self._in_turn.only:
                self.ready.append(message)
            else:
                self._in_turn.add(message)
            self._wakeup.now()

    def holds_back(self, run: Run) -> bool:
        """Return whether nothing of a campaign may be sent to this site now."""
        return run.holds.at(self._provider)

    def wake(self) -> None:
        """Look for something to do in the next turn."""
        self._wakeup.now()

    def expects_more(self) -> bool:
        """Return whether messages are claimed that are not in flight yet."""
        return self.held > self.in_flight.messages

    @property
    def next_run(self) -> Run | None:
        """The campaign of the next message; None where none is ready."""
        return self.ready[0].run if self.ready else None

    def withdraw(self, run: Run) -> list[Message]:
        """Take out the ready messages of a campaign that is not sent here any more; they are the caller's."""
        waiting = [message for message in self.ready if message.run is run]
        if waiting:
            others = [message for message in self.ready if message.run is not run]
            self.ready.clear()
            self.ready.extend(others)
        return waiting

    # no attempt was made

    def not_submitted(self, unsendable: Unsendable) -> None:
        """Record a message that can never be sent; of several, try each alone to find out which one it is."""
        messages, why = unsendable
        if len(messages) > 1:
            for message in messages:
                message.uncharged_tries += 1
            self.ready.extendleft(reversed(messages))
            return
        self.hold(-1, messages[0].run)
        self._ledger.close(messages[0], Status.INVALID, Category.TEMPLATE, why)

    def retry_uncharged(self, message: Message) -> None:
        """Try a message again at once, without an attempt, unless that happens again and again."""
        message.uncharged_tries += 0 if self._pause.paused else 1
        if message.uncharged_tries > _UNCHARGED_TRIES and not (self.suspension.suspended or self.closed):
            self.hold(-1, message.run)
            self._ledger.record(message, _NO_TRANSACTION, self._provider, message.began)
        else:
            self.requeue(message)

    def requeue(self, message: Message) -> None:
        """Make a message that comes back without an attempt the next one."""
        self._ledger.free(message)
        if message.run.holds.providers and self.holds_back(message.run):
            self._give_back([message], 0.0)
        elif self.suspension.suspended or self.closed:
            elsewhere = not self.closed and self.supplier.elsewhere(message.run)
            self._give_back([message], 0.0 if elsewhere else self.suspension.due_at)
        else:
            self.ready.appendleft(message)
            self._wakeup.now()

    # the site cannot be used

    def fail(self, outcome: Outcome, began: float) -> None:
        """Charge one message with ``outcome``, which was found out since ``began`` on the wall clock, and suspend."""
        suspension = self.suspension
        if suspension.suspended:
            return  # known already, and charged
        suspension.failed(outcome, began)
        if self.ready:
            self._charge(self.ready.popleft())
        elif not self.held and self._reachable:
            suspension.unburden()  # no message waits for this site, so none is charged

    def give_ready_back(self) -> None:
        """Give all ready messages back until the suspension that has begun ends, and tell the supplier of it."""
        waiting = list(self.ready)
        self.ready.clear()
        self._put_off(waiting)
        self.supplier.suspended()

    def expire(self, message: Message) -> None:
        """Record a message that has waited for this site for too long."""
        expiry = self.suspension.expiry
        self._ledger.close(
            message,
            Status.UNKNOWN if message.claimed.doubt else Status.EXPIRED,  # a copy may have arrived
            expiry.category,
            expiry.note,
            provider=self._provider,
            reply_of=expiry.charged,
        )

    def stop(self) -> None:
        """Take no more messages, and give back what is ready."""
        self.closed = True
        waiting = list(self.ready)
        self.ready.clear()
        self._give_back(waiting, 0.0)

    def _charge(self, message: Message) -> None:
        self.hold(-1, message.run)
        outcome, began, since = self.suspension.charge(message)
        self._ledger.record(message, outcome, self._provider, began, since)
        self.give_ready_back()

    def _put_off(self, messages: list[Message]) -> None:
        """Give messages back until the suspension ends; those that may not wait that long expire.

        Those that can be sent from another source are due at once, and those that wait for a rule's rest to end.
        """
        kept = messages
        if not self.closed:
            kept, others = [], []
            for message in messages:
                if self.supplier.elsewhere(message.run):
                    others.append(message)
                elif self.suspension.outlasts(message.run, self.suspension.until):
                    self.hold(-1, message.run)
                    self.expire(message)
                else:
                    kept.append(message)
            self._give_back(others, 0.0)
        self._give_back(kept, self.suspension.due_at)

    def _give_back(self, messages: list[Message], due_at: float) -> None:
        """Return messages to the spool, due again at ``due_at`` on the reactor's clock."""
        if not messages:
            return
        for run, count in Counter(message.run for message in messages).items():
            self.hold(-count, run)
        rest = max(0.0, due_at - self._clocks.now())
        self._ledger.give_back(messages, self._clocks.wall() + rest if rest else 0.0)
